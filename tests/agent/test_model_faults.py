"""Whole turns on a model server that misbehaves: every one ends with something useful and is stored."""

import pytest

from agent.assistant import Assistant, Turn
from agent.events import Notice, Reply, Token
from tests.agent.conftest import RemoteAssistant, events_of, reply_in, reply_of
from tests.model_server import Call, Disconnect, Hang, ModelServer, Status, Text, Tools

QUESTION = "When is the money in escrow released?"


async def _turn(assistant: Assistant) -> tuple[Reply, list[str], str]:
    """The reply, the codes of the notices, and the text that was streamed."""
    events = await events_of(assistant, Turn("ada", QUESTION))
    reply = reply_in(events)
    (exchange,) = await assistant.transcript("ada", reply.conversation_id)
    assert exchange.reply == reply
    codes: list[str] = [event.code for event in events if isinstance(event, Notice)]
    return reply, codes, "".join(event.text for event in events if isinstance(event, Token))


async def test_the_usual_turn_is_one_model_call_that_sees_the_passages(remote: RemoteAssistant, model: ModelServer):
    model.script(Text("After 7 days [1], or never [9]."))
    async with remote() as assistant:
        reply, codes, streamed = await _turn(assistant)
    assert len(model.chats) == 1
    messages = model.chats[0].body["messages"]
    assert [message["role"] for message in messages] == ["system", "user", "assistant", "tool", "tool", "tool"]
    assert '<passage number="1"' in messages[-1]["content"]
    assert reply.answer == streamed == "After 7 days [1], or never."
    assert (reply.model, reply.answered, codes) == ("scripted", True, [])
    assert [source.number for source in reply.sources] == [1]


@pytest.mark.parametrize(
    "fault",
    [
        Status(401),
        Status(404, message="no such model"),
        Status(429),
        Status(500),
        Hang("request"),
        Hang("comments"),
        Disconnect(),
        Text(""),
    ],
    ids=["401", "404", "429", "500", "hang", "comments only", "cut before the first token", "empty answer"],
)
async def test_a_model_that_fails_before_its_first_token_is_stood_in_for(
    remote: RemoteAssistant, model: ModelServer, fault
):
    model.script(fault)
    async with remote(model_first_token_timeout=2) as assistant:
        reply, codes, _ = await _turn(assistant)
    assert codes == ["model_unavailable"]
    assert reply.answered
    assert "7 days" in reply.answer
    assert reply.model == "attune-extractive"
    assert reply.notices


@pytest.mark.parametrize("then", ["hang", "cut", "end", "error"])
async def test_a_model_that_fails_in_mid_stream_leaves_what_came(remote: RemoteAssistant, model: ModelServer, then):
    model.script(Text("The client has 7 days [1]. Then the money is released.", chunks=10, stop_after=7, then=then))
    async with remote(model_idle_timeout=2) as assistant:
        reply, codes, streamed = await _turn(assistant)
    assert codes == ["model_cut"]
    assert reply.cut
    assert reply.answer == streamed.strip() != ""
    assert reply.answer.startswith("The client has 7 days [1].")
    assert [source.number for source in reply.sources] == [1]


async def test_an_answer_cut_by_its_length_is_marked(remote: RemoteAssistant, model: ModelServer):
    model.script(Text("The client has 7 days [1]. Then", finish="length"))
    async with remote() as assistant:
        reply, codes, _ = await _turn(assistant)
    assert (reply.cut, codes) == (True, ["model_cut"])


async def test_broken_arguments_are_sent_back_and_mended(remote: RemoteAssistant, model: ModelServer):
    model.script(
        Tools(Call("search_knowledge_base", '{"query": "fund')),
        Tools(Call("search_knowledge_base", {"query": "how much can be funded"})),
        Text("At least 50 euros [1]."),
    )
    async with remote() as assistant:
        reply, codes, _ = await _turn(assistant)
    assert (reply.answer, codes) == ("At least 50 euros [1].", [])
    complaint = model.chats[1].body["messages"][-1]
    assert complaint["role"] == "tool"
    assert "valid" in complaint["content"]


async def test_a_tool_that_does_not_exist_is_named_back(remote: RemoteAssistant, model: ModelServer):
    model.script(Tools(Call("delete_everything", {})), Text("After 7 days [1]."))
    async with remote() as assistant:
        reply, _, _ = await _turn(assistant)
    assert reply.answer == "After 7 days [1]."
    complaint = model.chats[1].body["messages"][-1]["content"]
    assert "delete_everything" in complaint
    assert "search_knowledge_base" in complaint


async def test_parallel_calls_are_all_answered(remote: RemoteAssistant, model: ModelServer):
    calls = [Call("search_knowledge_base", {"query": query}) for query in ("reset password", "team roles")]
    model.script(Tools(*calls), Text("See [1] and [3]."))
    async with remote() as assistant:
        reply, _, _ = await _turn(assistant)
    results = [m for m in model.chats[1].body["messages"] if m["role"] == "tool"]
    assert len(results) == 5
    assert reply.answered


async def test_endless_calls_end_with_a_useful_answer(remote: RemoteAssistant, model: ModelServer):
    model.default = Tools(Call("search_knowledge_base", {"query": "escrow"}))
    async with remote(tool_rounds=2) as assistant:
        reply, codes, _ = await _turn(assistant)
    assert codes == ["tool_limit"]
    assert "7 days" in reply.answer
    assert len(model.chats) == 3
    assert "tools" not in model.chats[-1].body


async def test_an_article_can_be_opened_by_the_number_of_its_passage(remote: RemoteAssistant, model: ModelServer):
    model.script(Tools(Call("open_article", {"source": 1}), Call("open_article", {"source": 99})), Text("Done [1]."))
    async with remote() as assistant:
        await _turn(assistant)
    opened, missing = (m["content"] for m in model.chats[1].body["messages"][-2:])
    assert "at least 50 euros" in opened
    assert "no passage 99" in missing


async def test_a_character_split_across_pieces_arrives_whole(remote: RemoteAssistant, model: ModelServer):
    model.script(Text("Geld wird nach 7 Tagen freigegeben – 資金 🎉 [1].", split=1))
    async with remote() as assistant:
        reply, _, streamed = await _turn(assistant)
    assert reply.answer == streamed == "Geld wird nach 7 Tagen freigegeben – 資金 🎉 [1]."


async def test_a_megabyte_of_answer_is_kept_and_not_carried_along(remote: RemoteAssistant, model: ModelServer):
    model.script(Text("word " * 200_000, chunks=500), Text("Short [1]."))
    async with remote() as assistant:
        reply, _, _ = await _turn(assistant)
        assert len(reply.answer) == 999_999
        second = await reply_of(assistant, "And then?", reply.conversation_id)
    assert second.answer == "Short [1]."
    assert len(str(model.chats[1].body["messages"])) < 50_000


async def test_an_instruction_inside_a_document_stays_quoted_material(remote: RemoteAssistant, model: ModelServer):
    model.script(Text("After 7 days [1]."))
    async with remote() as assistant:
        await _turn(assistant)
    system, *_, tool = model.chats[0].body["messages"]
    assert "not instructions" in system["content"]
    assert tool["content"].count("<passage ") == tool["content"].count("</passage>")


async def test_a_history_larger_than_the_window_is_cut_to_fit(remote: RemoteAssistant, model: ModelServer):
    long = "The escrow question is long. " * 600
    async with remote(model_context_tokens=4_000, model_answer_tokens=500) as assistant:
        conversation: str | None = None
        for _ in range(4):
            model.script(Text("Noted [1]. " * 100))
            reply = await reply_of(assistant, long, conversation)
            conversation = reply.conversation_id
        assert reply.model == "scripted"
    prompt = "".join(str(message.get("content")) for message in model.chats[-1].body["messages"])
    assert len(prompt) / 4 < 3_500
