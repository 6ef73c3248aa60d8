"""The guarded model over real sockets, against everything that a server can do."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from langchain_core.language_models import FakeListChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage, SystemMessage, ToolMessage
from langchain_core.tools import tool

from agent.errors import ModelCut, ModelError, ModelUnavailable
from agent.guard import GuardedModel, ModelLimits
from agent.llm import open_chat_model
from agent.openai_model import CompatibleChatOpenAI
from agent.settings import Settings
from tests.model_server import (
    Call,
    Disconnect,
    Hang,
    ModelServer,
    Raw,
    Reply,
    Request,
    Status,
    Text,
    Tools,
)

KEY = "sk-test-0123456789abcdef"
QUESTION = [HumanMessage("What are the fees?")]
LIMITS = ModelLimits(first_token=10, idle=10, retry_budget=30, breaker_failures=100)
BREAKING = replace(LIMITS, retries=0, breaker_failures=2)
IMPATIENT = replace(LIMITS, first_token=0.3, retry_budget=0.5)


@tool
def search(query: str) -> str:
    """Search the documents."""
    return query


@dataclass
class Asked:
    """What one call of the model gave."""

    texts: list[str] = field(default_factory=list)
    last: AIMessageChunk = field(default_factory=lambda: AIMessageChunk(content=""))
    error: ModelError | None = None

    @property
    def text(self) -> str:
        return "".join(self.texts)


class Sleeps:
    """Waits between tries that are recorded, not slept."""

    def __init__(self) -> None:
        self.waits: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.waits.append(seconds)


@pytest.fixture
async def server() -> AsyncIterator[ModelServer]:
    async with ModelServer() as server:
        yield server


@pytest.fixture
async def open_(server: ModelServer) -> AsyncIterator[Callable[..., GuardedModel]]:
    """Opens guarded models on the server, as the settings do, with other limits and a recorded sleep."""
    opened: list[GuardedModel] = []

    def open_one(limits: ModelLimits = LIMITS, *, sleep: Sleeps | None = None, **changes: Any) -> GuardedModel:
        given = {"OPENAI_API_KEY": KEY, "OPENAI_BASE_URL": server.base_url, "model": "scripted", **changes}
        model = open_chat_model(Settings.model_validate(given))
        assert isinstance(model, CompatibleChatOpenAI)
        guarded = GuardedModel(
            model,
            tools=[search],
            limits=limits,
            secrets=[KEY],
            close=model.root_async_client.close,
            sleep=sleep or Sleeps(),
        )
        opened.append(guarded)
        return guarded

    yield open_one
    for model in opened:
        await model.aclose()


async def ask(model: GuardedModel, *, tools: bool = True) -> Asked:
    asked = Asked()
    try:
        async with aclosing(model.stream(QUESTION, tools=tools)) as chunks:
            async for chunk in chunks:
                asked.last = chunk
                if chunk.content:
                    asked.texts.append(str(chunk.content))
    except ModelError as error:
        asked.error = error
    return asked


Open = Callable[..., GuardedModel]


# Answers


async def test_an_answer_comes_in_pieces_and_its_facts_last(server: ModelServer, open_: Open) -> None:
    server.script(Text("The fee is 5 % [1].", chunks=5))
    asked = await ask(open_())
    assert asked.error is None
    assert asked.text == "The fee is 5 % [1]."
    assert len(asked.texts) == 5
    assert asked.last.response_metadata["finish_reason"] == "stop"
    assert asked.last.usage_metadata is not None
    assert asked.last.usage_metadata["output_tokens"] == 7


async def test_the_request_is_one_that_other_servers_understand(server: ModelServer, open_: Open) -> None:
    await ask(open_())
    request = server.chats[0]
    assert request.headers["authorization"] == f"Bearer {KEY}"
    assert request.body["model"] == "scripted"
    assert request.body["stream"] is True
    assert request.body["max_tokens"] == 1000
    assert request.body["stream_options"] == {"include_usage": True}
    assert [offered["function"]["name"] for offered in request.body["tools"]] == ["search"]
    assert "max_completion_tokens" not in request.body
    assert "temperature" not in request.body


async def test_without_tools_none_are_offered(server: ModelServer, open_: Open) -> None:
    await ask(open_(), tools=False)
    assert "tools" not in server.chats[0].body


async def test_characters_cut_in_two_arrive_whole(server: ModelServer, open_: Open) -> None:
    text = "Gebühr: 5 €, 支付 ✓ 🎉"
    server.script(Text(text, chunks=3, split=1))
    assert (await ask(open_())).text == text


async def test_a_megabyte_arrives_whole(server: ModelServer, open_: Open) -> None:
    server.script(Text("x" * 2**20, chunks=2000))
    asked = await ask(open_())
    assert asked.error is None
    assert len(asked.text) == 2**20


async def test_an_answer_without_end_is_cut(server: ModelServer, open_: Open) -> None:
    server.script(Text("x" * (5 * 2**20), chunks=50))
    asked = await ask(open_())
    assert isinstance(asked.error, ModelCut)
    assert asked.error.kind == "length"


async def test_reasoning_keeps_the_model_alive_and_is_not_shown(server: ModelServer, open_: Open) -> None:
    server.script(Text("Five percent.", reasoning="Let me think about this.", chunks=6, interval=0.12))
    asked = await ask(open_(replace(LIMITS, first_token=0.6)))
    assert asked.text == "Five percent."
    assert asked.error is None


@pytest.mark.parametrize("chunks", [1, 5, 60])
async def test_reasoning_inside_the_text_is_left_out(server: ModelServer, open_: Open, chunks: int) -> None:
    server.script(Text("\n<think>\nFees? <b>5</b> %, I think.\n</think>\n\n Five < six.", chunks=chunks))
    assert (await ask(open_())).text == "Five < six."


async def test_reasoning_alone_is_no_answer(server: ModelServer, open_: Open) -> None:
    server.script(Text("<think>and so on"))
    asked = await ask(open_())
    assert isinstance(asked.error, ModelUnavailable)
    assert asked.error.kind == "bad_response"


# Tool calls


async def test_parallel_tool_calls_arrive_apart(server: ModelServer, open_: Open) -> None:
    server.script(Tools(Call("search", {"query": "fees"}), Call("search", {"query": "€"}), text="Let me look."))
    asked = await ask(open_())
    assert asked.text == "Let me look."
    assert [call["args"] for call in asked.last.tool_calls] == [{"query": "fees"}, {"query": "€"}]
    assert [call["id"] for call in asked.last.tool_calls] == ["call_scripted_0", "call_scripted_1"]


@pytest.mark.parametrize(
    "calls",
    [
        [Call("search", {"query": "a"}, index=0), Call("search", {"query": "b"}, index=0)],
        [Call("search", {"query": "a"}, index=None), Call("search", {"query": "b"}, index=None)],
        [Call("search", {"query": "a"}, id=None), Call("search", {"query": "b"}, id=None)],
        [Call("search", {"query": "a"}, id=None, index=0), Call("look", {"query": "b"}, id=None, index=0)],
    ],
    ids=["every index is 0", "no index", "no id", "neither tells them apart"],
)
async def test_calls_of_untidy_servers_arrive_apart(server: ModelServer, open_: Open, calls: list[Call]) -> None:
    server.script(Tools(*calls, pieces=1))
    found = (await ask(open_())).last.tool_calls
    assert [call["args"] for call in found] == [{"query": "a"}, {"query": "b"}]
    assert len({call["id"] for call in found}) == 2
    assert all(call["id"] for call in found)


@pytest.mark.parametrize("arguments", ['{"query": "fe', '{"query": fees}', '["fees"]', '"fees"', "[" * 20_000])
async def test_broken_arguments_are_reported_not_guessed(server: ModelServer, open_: Open, arguments: str) -> None:
    server.script(Tools(Call("search", arguments), Call("search", {"query": "whole"})))
    last = (await ask(open_())).last
    assert [call["args"] for call in last.tool_calls] == [{"query": "whole"}]
    [broken] = last.invalid_tool_calls
    assert broken["args"] == arguments
    assert broken["error"]
    assert broken["id"]


async def test_a_call_without_arguments_is_whole(server: ModelServer, open_: Open) -> None:
    server.script(Tools(Call("search", "")))
    assert (await ask(open_())).last.tool_calls[0]["args"] == {}


async def test_broken_arguments_go_back_as_an_empty_object(server: ModelServer, open_: Open) -> None:
    server.script(Tools(Call("search", '{"query": "fe')))
    model = open_()
    last = (await ask(model)).last
    calls = AIMessage("", invalid_tool_calls=last.invalid_tool_calls)
    complaint = ToolMessage("Not valid JSON.", tool_call_id=str(last.invalid_tool_calls[0]["id"]), status="error")
    async for _ in model.stream([*QUESTION, calls, complaint]):
        pass
    sent = server.chats[1].body["messages"]
    assert sent[1]["tool_calls"][0]["function"] == {"name": "search", "arguments": "{}"}
    assert sent[2]["tool_call_id"] == sent[1]["tool_calls"][0]["id"]


# Failures before the first token


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (Status(401), "authentication"),
        (Status(403), "authentication"),
        (Status(404), "model_not_found"),
        (Status(400), "bad_request"),
        (Status(404, body="<html>not found</html>"), "model_not_found"),
        (Status(429, body={"error": {"message": "no credit", "code": "insufficient_quota"}}), "rate_limited"),
        (Status(503, headers={"x-should-retry": "false"}), "server_error"),
        (Text(""), "bad_response"),
        (Text("  \n"), "bad_response"),
        (Text("", finish="length"), "length"),
        (Text("", finish="content_filter"), "content_filter"),
        (Raw(b"<html>hello</html>", content_type="text/html"), "bad_response"),
        (Raw(b"data: {broken\n\n"), "bad_response"),
        (Raw(b"data: [1, 2]\n\n"), "bad_response"),
        (Raw(b'data: {"choices": [{}]}\n\n'), "bad_response"),
        (Raw(b"data: \xff\xfe\n\n"), "bad_response"),
        (Raw(b"data: [DONE]\n\n"), "bad_response"),
    ],
    ids=str,
)
async def test_what_no_second_try_can_mend_fails_at_once(
    server: ModelServer, open_: Open, reply: Reply, kind: str
) -> None:
    server.script(reply)
    asked = await ask(open_())
    assert isinstance(asked.error, ModelUnavailable)
    assert asked.error.kind == kind
    assert asked.texts == []
    assert len(server.chats) == 1


@pytest.mark.parametrize(
    "reply",
    [
        Status(429),
        Status(500),
        Status(502, body="<html>bad gateway</html>"),
        Status(503),
        Status(504),
        Status(529),
        Disconnect(),
        Text("abc", stop_after=0, then="error"),
        Text("abc", stop_after=0, then="end"),
        Text("abc", stop_after=0, then="cut"),
    ],
    ids=str,
)
async def test_what_may_pass_is_tried_again(server: ModelServer, open_: Open, reply: Reply) -> None:
    server.script(reply, reply, Text("Third time lucky."))
    sleeps = Sleeps()
    asked = await ask(open_(sleep=sleeps))
    assert asked.text == "Third time lucky."
    assert len(server.chats) == 3
    assert 0.25 <= sleeps.waits[0] <= 0.5
    assert 0.5 <= sleeps.waits[1] <= 1.0


@pytest.mark.parametrize("reply", [Status(429), Status(500), Disconnect()], ids=str)
async def test_tries_are_bounded(server: ModelServer, open_: Open, reply: Reply) -> None:
    server.default = reply
    asked = await ask(open_())
    assert isinstance(asked.error, ModelUnavailable)
    assert "after 3 tries" in str(asked.error)
    assert len(server.chats) == 3


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [({"Retry-After": "3"}, 3), ({"retry-after-ms": "1500", "Retry-After": "9"}, 1.5), ({"Retry-After": "soon"}, 0.5)],
    ids=str,
)
async def test_retry_after_is_respected(
    server: ModelServer, open_: Open, headers: dict[str, str], seconds: float
) -> None:
    server.script(Status(429, headers=headers))
    sleeps = Sleeps()
    assert (await ask(open_(sleep=sleeps))).error is None
    assert seconds * 0.5 <= sleeps.waits[0] <= seconds * 1.1
    if "soon" not in headers.values():
        assert sleeps.waits[0] >= seconds


async def test_retry_after_may_be_a_date(server: ModelServer, open_: Open) -> None:
    date = format_datetime(datetime.now(UTC) + timedelta(seconds=5), usegmt=True)
    server.script(Status(503, headers={"Retry-After": date}))
    sleeps = Sleeps()
    assert (await ask(open_(sleep=sleeps))).error is None
    assert 3 <= sleeps.waits[0] <= 5.5


async def test_a_wait_beyond_the_budget_fails_at_once(server: ModelServer, open_: Open) -> None:
    server.script(Status(429, headers={"Retry-After": "60"}))
    sleeps = Sleeps()
    asked = await ask(open_(sleep=sleeps))
    assert asked.error is not None
    assert asked.error.kind == "rate_limited"
    assert "asks to wait" in str(asked.error)
    assert sleeps.waits == []
    assert len(server.chats) == 1


@pytest.mark.parametrize("stage", ["request", "headers", "role", "comments", "empty"])
async def test_a_server_that_never_comes_to_a_token_is_given_up(server: ModelServer, open_: Open, stage: str) -> None:
    server.default = Hang(stage)  # type: ignore[arg-type]
    asked = await ask(open_(IMPATIENT))
    assert isinstance(asked.error, ModelUnavailable)
    assert asked.error.kind == "timeout"
    assert 1 <= len(server.chats) <= 2  # the budget of 0.5 s has room for one try of 0.3 s and a piece of another


async def test_a_hang_is_tried_again(server: ModelServer, open_: Open) -> None:
    server.script(Hang("headers"), Text("Here."))
    assert (await ask(open_(replace(LIMITS, first_token=0.5)))).text == "Here."


async def test_empty_chunks_without_a_pause_do_not_outlast_the_limit(server: ModelServer, open_: Open) -> None:
    empty = b'data: {"choices": [{"index": 0, "delta": {"content": ""}}]}\n\n'
    server.script(Raw(empty * 200_000))
    asked = await ask(open_(replace(IMPATIENT, retries=0)))
    assert asked.error is not None
    assert asked.error.kind == "timeout"


async def test_nobody_at_the_address(open_: Open, server: ModelServer) -> None:
    model = open_()
    await server.stop()
    asked = await ask(model)
    assert isinstance(asked.error, ModelUnavailable)
    assert asked.error.kind == "connection"
    assert "OPENAI_BASE_URL" in str(asked.error)


async def test_the_key_is_in_no_message(server: ModelServer, open_: Open, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    server.script(
        Status(500, message=f"cannot use {KEY}\nINFO forged line"),
        Status(401, message=f"Incorrect API key provided: {KEY}; your other key is sk-another-0123456789."),
    )
    asked = await ask(open_())
    ours = [record.getMessage() for record in caplog.records if record.name.startswith("agent")]
    assert len(ours) >= 1
    for line in [*ours, str(asked.error), repr(asked.error)]:
        assert KEY not in line
        assert "sk-another" not in line
        assert "\n" not in line
    assert "Incorrect API key provided: ***" in str(asked.error)


# Failures after the first token


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (Text("abcdefgh", stop_after=3, then="cut"), "connection"),
        (Text("abcdefgh", stop_after=3, then="end"), "connection"),
        (Text("abcdefgh", stop_after=3, then="error"), "server_error"),
        (Text("abcdefgh", stop_after=3, then="hang"), "timeout"),
        (Text("abcdefgh", stop_after=3, then="comments"), "timeout"),
        (Text("abc", chunks=3, finish="length"), "length"),
        (Text("abc", chunks=3, finish="content_filter"), "content_filter"),
        (Text("abc", chunks=3, finish=None), "connection"),
    ],
    ids=str,
)
async def test_what_came_before_a_cut_is_kept_and_nothing_is_tried_again(
    server: ModelServer, open_: Open, reply: Reply, kind: str
) -> None:
    server.script(reply)
    asked = await ask(open_(replace(LIMITS, idle=0.3)))
    assert isinstance(asked.error, ModelCut)
    assert asked.error.kind == kind
    assert asked.text == "abc"
    assert len(server.chats) == 1


async def test_a_cut_before_any_text_is_tried_again(server: ModelServer, open_: Open) -> None:
    whole = Tools(Call("search", {"query": "fees"}))
    half = Raw(b'data: {"choices": [{"index": 0, "delta": {"tool_calls": [{"index": 0, "id": "1", "function": '
               b'{"name": "search", "arguments": "{"}}]}}]}\n\n')  # fmt: skip
    server.script(half, whole)
    assert (await ask(open_())).last.tool_calls[0]["args"] == {"query": "fees"}
    assert len(server.chats) == 2


async def test_a_server_that_hangs_after_its_last_word_has_answered(server: ModelServer, open_: Open) -> None:
    finished = {"choices": [{"index": 0, "delta": {"content": "Five."}, "finish_reason": "stop"}]}
    server.script(Raw(b"data: " + json.dumps(finished).encode() + b"\n\n", 60.0))
    asked = await ask(open_())
    assert asked.error is None
    assert asked.text == "Five."


async def test_an_answer_that_never_ends_is_cut_in_time(server: ModelServer, open_: Open) -> None:
    server.script(Text("word " * 100, chunks=100, interval=0.05))
    asked = await ask(open_(replace(LIMITS, total=0.6)))
    assert isinstance(asked.error, ModelCut)
    assert asked.error.kind == "timeout"
    assert asked.text.startswith("word word")


async def test_a_caller_who_leaves_closes_the_connection(server: ModelServer, open_: Open) -> None:
    server.script(Text("abcdefgh", stop_after=3, then="hang"))
    async with aclosing(open_(replace(LIMITS, idle=60)).stream(QUESTION)) as chunks:
        assert (await anext(chunks)).content == "a"
    for _ in range(100):
        if server.abandoned:
            break
        await asyncio.sleep(0.01)
    assert server.abandoned == 1


async def test_a_turn_can_be_cancelled_while_it_waits(server: ModelServer, open_: Open) -> None:
    server.script(Hang("headers"))
    turn = asyncio.create_task(ask(open_(replace(LIMITS, first_token=60))))
    await server.received(1)
    turn.cancel()
    with pytest.raises(asyncio.CancelledError):
        await turn


# The circuit breaker


async def test_a_model_that_is_down_is_skipped_until_it_is_up_again(server: ModelServer, open_: Open) -> None:
    model = open_(replace(BREAKING, breaker_cooldown=0.2))
    server.script(Status(500), Status(500))
    assert [(await ask(model)).error is None for _ in range(2)] == [False, False]
    skipped = await ask(model)
    assert isinstance(skipped.error, ModelUnavailable)
    assert skipped.error.kind == "circuit_open"
    assert len(server.chats) == 2
    await asyncio.sleep(0.25)
    assert (await ask(model)).error is None
    assert (await ask(model)).error is None


async def test_quick_refusals_do_not_open_the_circuit(server: ModelServer, open_: Open) -> None:
    model = open_(replace(BREAKING, breaker_cooldown=60))
    server.script(Status(401), Status(404), Status(429), Status(400), Text(""))
    for _ in range(5):
        assert (await ask(model)).error is not None
    assert (await ask(model)).error is None


async def test_a_cancelled_probe_lets_the_next_turn_try(server: ModelServer, open_: Open) -> None:
    model = open_(replace(BREAKING, first_token=60, breaker_cooldown=0.05))
    server.script(Status(500), Status(500), Hang("headers"))
    for _ in range(2):
        await ask(model)
    await asyncio.sleep(0.1)
    probe = asyncio.create_task(ask(model))
    await server.received(3)
    assert isinstance((await ask(model)).error, ModelUnavailable)
    probe.cancel()
    with pytest.raises(asyncio.CancelledError):
        await probe
    assert (await ask(model)).error is None


# Servers that speak with an accent


@pytest.mark.parametrize("refused", ["stream_options", "temperature", "max_tokens"])
async def test_a_refused_parameter_is_left_out_from_then_on(server: ModelServer, open_: Open, refused: str) -> None:
    server.rejects = {refused}
    model = open_(model_temperature=0.2)
    assert (await ask(model)).error is None
    assert (await ask(model)).error is None
    assert len(server.chats) == 3
    assert refused not in server.chats[1].body
    assert refused not in server.chats[2].body
    if refused == "max_tokens":
        assert server.chats[2].body["max_completion_tokens"] == 1000


@pytest.mark.parametrize(
    "refusal",
    [
        Status(400, "registry.ollama.ai/library/gemma2 does not support tools"),
        Status(400, '"auto" tool choice requires --enable-auto-tool-choice and --tool-call-parser to be set'),
        Status(500, "tools param requires --jinja flag"),
        Status(404, "No endpoints found that support tool use."),
        Status(422, "Extra inputs are not permitted: tools"),
    ],
    ids=lambda refusal: str(refusal.message),
)
async def test_a_model_without_tools_gets_what_they_found_as_text(
    server: ModelServer, open_: Open, refusal: Status
) -> None:
    def reply(request: Request) -> Reply:
        return refusal if "tools" in request.body else Text("Five percent [1].")

    server.default = reply
    call = {"name": "search", "args": {"query": "fees"}, "id": "call_1"}
    found = ToolMessage("<passage>5 %</passage>", tool_call_id="call_1")
    prompt = [SystemMessage("Answer."), *QUESTION, AIMessage("", tool_calls=[call]), found]
    model = open_()
    for _ in range(2):
        texts = [str(chunk.content) async for chunk in model.stream(prompt)]
        assert "".join(texts) == "Five percent [1]."
    assert len(server.chats) == 3
    sent = server.chats[2].body["messages"]
    assert [message["role"] for message in sent] == ["system", "user"]
    assert sent[1]["content"].startswith("What are the fees?\n\nFound for you")
    assert sent[1]["content"].endswith("<passage>5 %</passage>")


async def test_a_parameter_that_is_refused_for_good_is_an_error(server: ModelServer, open_: Open) -> None:
    server.rejects = {"max_tokens", "max_completion_tokens", "stream"}
    asked = await ask(open_())
    assert asked.error is not None
    assert asked.error.kind == "bad_request"
    assert len(server.chats) <= 4


# Any LangChain model


async def test_any_langchain_model_can_be_guarded() -> None:
    model = GuardedModel(FakeListChatModel(responses=["Five percent."]))
    asked = await ask(model)
    assert asked.text == "Five percent."
    assert asked.error is None


async def test_a_trace_tells_a_malformed_answer_from_a_mistake_of_ours(
    server: ModelServer, open_: Open, caplog: pytest.LogCaptureFixture
) -> None:
    server.script(Raw(b'data: {"choices": [{}]}\n\n'))
    assert (await ask(open_())).error is not None
    [record] = [record for record in caplog.records if record.name == "agent.guard"]
    assert "KeyError" in record.getMessage()
    assert record.exc_info


async def test_our_own_mistakes_are_not_blamed_on_the_model(server: ModelServer, open_: Open) -> None:
    class Mistake(Exception):
        pass

    class Broken(FakeListChatModel):
        async def _astream(self, *args: object, **kwargs: object):
            raise Mistake
            yield

    with pytest.raises(Mistake):
        await ask(GuardedModel(Broken(responses=[])))
