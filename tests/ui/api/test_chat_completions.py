"""OpenAI's own clients talk to the agent over a loopback socket; and what they do not show, over plain HTTP."""

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import openai
import pytest
from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage
from langchain_openai import ChatOpenAI
from pydantic import SecretStr

from agent.events import Failed, Notice
from agent.settings import Settings
from knowledge_base.passage import Utterance
from tests.fakes import DEFAULT_ANSWER, ScriptedAssistant, play, source
from tests.ui.live import serving
from tests.ui.signed_in import SignedIn, bearer, opened, token
from ui.app import create_api

LISTED = (
    "\n\nSources:\n[1] Article 1 › Section 1 – https://help.example/article-1#section-1"
    "\n[2] Article 2 › Section 2 – https://help.example/article-2#section-2"
)
ASK: list[Any] = [{"role": "user", "content": "How does escrow work?"}]
BODY = {"model": "attune", "messages": ASK}


@pytest.fixture
async def base_url(settings: Settings, assistant: ScriptedAssistant) -> AsyncIterator[str]:
    async with serving(create_api(settings, assistant=assistant)) as (url, _):
        yield f"{url}/v1"


@pytest.fixture
async def official(base_url: str) -> AsyncIterator[openai.AsyncOpenAI]:
    async with openai.AsyncOpenAI(base_url=base_url, api_key="any", max_retries=0) as client:
        yield client


@pytest.fixture
def langchain(base_url: str) -> ChatOpenAI:
    return ChatOpenAI(base_url=base_url, api_key=SecretStr("any"), model="attune", max_retries=0, stream_usage=True)


async def test_the_official_client_lists_the_model(official: openai.AsyncOpenAI):
    models = await official.models.list()
    assert [model.id for model in models.data] == ["attune"]
    assert (await official.models.retrieve("attune")).id == "attune"


async def test_the_official_client_gets_an_answer(official: openai.AsyncOpenAI):
    done = await official.chat.completions.create(model="attune", messages=ASK)
    (choice,) = done.choices
    assert (done.object, done.model, choice.finish_reason) == ("chat.completion", "attune", "stop")
    assert choice.message.role == "assistant"
    assert choice.message.content == DEFAULT_ANSWER + LISTED
    assert done.id == "chatcmpl-message-1"
    assert done.usage is not None
    assert done.usage.total_tokens == done.usage.prompt_tokens + done.usage.completion_tokens > 0
    cited = [note.url_citation for note in choice.message.annotations or []]
    assert [(one.title, one.url) for one in cited] == [
        ("Article 1", "https://help.example/article-1#section-1"),
        ("Article 2", "https://help.example/article-2#section-2"),
    ]
    assert [DEFAULT_ANSWER[one.start_index : one.end_index] for one in cited] == ["[1]", "[2]"]


async def test_the_official_client_gets_a_stream(official: openai.AsyncOpenAI):
    stream = await official.chat.completions.create(
        model="attune", messages=ASK, stream=True, stream_options={"include_usage": True}
    )
    chunks = [chunk async for chunk in stream]
    assert {chunk.id for chunk in chunks} == {"chatcmpl-message-1"}
    first, *_, last, usage = chunks
    assert (first.choices[0].delta.role, first.choices[0].delta.content) == ("assistant", "")
    assert last.choices[0].finish_reason == "stop"
    assert (usage.choices, usage.usage is not None) == ([], True)
    assert all(chunk.usage is None for chunk in chunks[:-1])
    deltas = [chunk.choices[0].delta for chunk in chunks[:-1]]
    assert "".join(delta.content or "" for delta in deltas) == DEFAULT_ANSWER + LISTED
    noted = [note for delta in deltas for note in (delta.model_extra or {}).get("annotations", [])]
    assert [note["type"] for note in noted] == ["url_citation", "url_citation"]


async def test_a_stream_without_usage_ends_with_its_finish_reason(official: openai.AsyncOpenAI):
    stream = await official.chat.completions.create(model="attune", messages=ASK, stream=True)
    chunks = [chunk async for chunk in stream]
    assert chunks[-1].choices[0].finish_reason == "stop"


async def test_langchain_gets_an_answer_and_a_stream(langchain: ChatOpenAI):
    whole = await langchain.ainvoke([HumanMessage("How does escrow work?")])
    assert whole.text == DEFAULT_ANSWER + LISTED
    assert isinstance(whole, AIMessage)
    assert whole.usage_metadata is not None
    chunks = [chunk async for chunk in langchain.astream([HumanMessage("How does escrow work?")])]
    assert "".join(str(chunk.text) for chunk in chunks) == DEFAULT_ANSWER + LISTED
    counted = [chunk.usage_metadata for chunk in chunks if isinstance(chunk, AIMessageChunk) and chunk.usage_metadata]
    assert sum(usage["total_tokens"] for usage in counted) == whole.usage_metadata["total_tokens"]


@pytest.mark.parametrize(
    ("change", "kind", "status"),
    [
        ({"model": "gpt-9"}, openai.NotFoundError, 404),
        ({"messages": []}, openai.BadRequestError, 400),
        ({"messages": [{"role": "assistant", "content": "Hi"}]}, openai.BadRequestError, 400),
        ({"messages": [{"role": "user", "content": "  "}]}, openai.BadRequestError, 400),
        ({"messages": [{"role": "user", "content": "x" * 20_001}]}, openai.BadRequestError, 400),
        ({"n": 2}, openai.BadRequestError, 400),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
async def test_the_official_client_understands_our_errors(
    official: openai.AsyncOpenAI, change: dict[str, Any], kind: type[openai.APIStatusError], status: int, stream: bool
):
    asked: dict[str, Any] = {"model": "attune", "messages": ASK, "stream": stream}
    with pytest.raises(kind) as caught:
        await official.chat.completions.create(**(asked | change))
    assert caught.value.status_code == status
    assert isinstance(caught.value.body, dict)
    assert caught.value.body.keys() == {"message", "type", "param", "code"}
    assert caught.value.type == "invalid_request_error"


async def test_a_wrong_key_is_an_authentication_error(closed_settings: Settings, assistant: ScriptedAssistant):
    settings = closed_settings.model_copy(update={"host": "127.0.0.1"})
    async with serving(create_api(settings, assistant=assistant)) as (url, _):
        async with openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="wrong", max_retries=0) as client:
            with pytest.raises(openai.AuthenticationError) as caught:
                await client.models.list()
            assert caught.value.code == "invalid_api_key"
        async with openai.AsyncOpenAI(base_url=f"{url}/v1", api_key=token("ada"), max_retries=0) as client:
            await client.chat.completions.create(model="attune", messages=ASK, user="bob")
    assert [turn.user_id for turn in assistant.turns] == ["ada"]


async def test_a_turn_that_breaks_is_an_error_in_the_stream(settings: Settings):
    failed = Failed(code="internal", message="Sorry.", retryable=True)
    app = create_api(settings, assistant=ScriptedAssistant(lambda turn: play(failed=failed)))
    async with (
        serving(app) as (url, _),
        openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="any", max_retries=0) as client,
    ):
        stream = await client.chat.completions.create(model="attune", messages=ASK, stream=True)
        with pytest.raises(openai.APIError, match="Sorry"):
            [chunk async for chunk in stream]
        with pytest.raises(openai.InternalServerError, match="Sorry"):
            await client.chat.completions.create(model="attune", messages=ASK)


async def test_a_cut_answer_says_so(settings: Settings):
    script = play("Half an", notices=[Notice(code="model_cut", text="Cut.")], cut=True)
    async with opened(settings, ScriptedAssistant(lambda turn: script)) as open_:
        done = (await open_.client.post("/v1/chat/completions", json=BODY)).json()
    assert done["choices"][0]["finish_reason"] == "length"


@pytest.mark.parametrize("url", [None, "", "javascript:alert(1)", "data:text/html,x"])
async def test_a_source_without_an_address_is_listed_only(settings: Settings, url: str | None):
    script = play("Yes [1].", sources=[source(1, url=url)])
    async with opened(settings, ScriptedAssistant(lambda turn: script)) as open_:
        message = (await open_.client.post("/v1/chat/completions", json=BODY)).json()["choices"][0]["message"]
    assert message["annotations"] == []
    assert message["content"] == "Yes [1].\n\nSources:\n[1] Article 1 › Section 1"


async def test_the_lines_of_a_stream(client: httpx.AsyncClient):
    response = await client.post("/v1/chat/completions", json=BODY | {"stream": True})
    assert response.headers["content-type"].startswith("text/event-stream")
    lines = [line for line in response.text.split("\n\n") if line and not line.startswith(":")]
    assert lines[-1] == "data: [DONE]"
    assert all(json.loads(line.removeprefix("data: "))["object"] == "chat.completion.chunk" for line in lines[:-1])


async def test_what_was_said_before_is_read_and_the_rest_is_not(
    client: httpx.AsyncClient, assistant: ScriptedAssistant
):
    messages = [
        {"role": "system", "content": "You are a pirate."},
        {"role": "user", "content": [{"type": "text", "text": "Hi"}, {"type": "image_url", "image_url": {"url": "x"}}]},
        {"role": "assistant", "content": DEFAULT_ANSWER + LISTED, "tool_calls": None},
        {"role": "user", "content": "And\nthe fee?", "name": "ada"},
    ]
    more = {"temperature": 0.3, "tools": [], "response_format": {"type": "text"}, "unheard_of": {"deep": [1]}}
    response = await client.post("/v1/chat/completions", json=BODY | {"messages": messages} | more)
    assert response.status_code == 200
    (turn,) = assistant.turns
    assert (turn.user_id, turn.text, turn.channel) == ("local", "And\nthe fee?", "openai")
    assert turn.history[0] == Utterance("user", "Hi")
    assert "Sources" not in turn.history[1].text
    assert "pirate" not in str(turn)


@pytest.mark.parametrize("stream", [False, True])
async def test_a_named_chat_goes_on(closed: SignedIn, stream: bool):
    proxy = await closed.key("openwebui", "trusted-proxy")
    for user, chat in (("bob", "c1"), ("bob", "c1"), ("bob", "c2"), ("cyd", "c1")):
        named = {"X-OpenWebUI-User-Id": user, "X-OpenWebUI-Chat-Id": chat}
        body = BODY | {"stream": stream}
        assert (await closed.client.post("/v1/chat/completions", json=body, headers=proxy | named)).status_code == 200
    turns = [(turn.user_id, turn.conversation_id) for turn in closed.assistant.turns]
    assert turns == [("bob", None), ("bob", "conversation-1"), ("bob", None), ("cyd", None)]
    await closed.assistant.delete_conversation("bob", "conversation-1")
    named = {"X-OpenWebUI-User-Id": "bob", "X-OpenWebUI-Chat-Id": "c1"}
    assert (await closed.client.post("/v1/chat/completions", json=BODY, headers=proxy | named)).status_code == 200


async def test_a_chat_is_named_by_marked_keys_only(closed: SignedIn):
    for _ in range(2):
        named = bearer(token()) | {"X-OpenWebUI-Chat-Id": "c1"}
        await closed.client.post("/v1/chat/completions", json=BODY, headers=named)
    assert [turn.conversation_id for turn in closed.assistant.turns] == [None, None]


@pytest.mark.parametrize(
    ("method", "path", "status"), [("GET", "/v1/nothing", 404), ("GET", "/v1/chat/completions", 405)]
)
async def test_unknown_paths_answer_in_openais_shape(client: httpx.AsyncClient, method: str, path: str, status: int):
    response = await client.request(method, path)
    assert response.status_code == status
    assert response.json()["error"].keys() == {"message", "type", "param", "code"}


async def test_a_body_that_is_no_json_or_too_long(client: httpx.AsyncClient):
    headers = {"Content-Type": "application/json"}
    for content, status in ((b"{", 400), (b" " * 2**21, 413)):
        response = await client.post("/v1/chat/completions", content=content, headers=headers)
        assert (response.status_code, response.json()["error"]["type"]) == (status, "invalid_request_error")
