"""The extractive model as any LangChain agent sees it."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, HumanMessage, SystemMessage, ToolMessage
from langchain_core.tools import tool

from agent.extractive import CHUNK_CHARS, MODEL_NAME, SEARCH, SEARCH_FAILED, ExtractiveChatModel
from agent.language import LANGUAGES
from tests.agent.quoting import found, source

QUESTION = HumanMessage("How many days does the client have to approve the work?")
TEXT = "The client has 7 days to approve the work."


@tool
def search_knowledge_base(query: str) -> str:
    """Search."""
    return query


@tool
def open_article(title: str) -> str:
    """Open."""
    return title


def result(*texts: str, confidence: float = 0.9, first: int = 1) -> ToolMessage:
    sources = [source(text, number, f"{number}.md") for number, text in enumerate(texts, first)]
    return ToolMessage("…", tool_call_id="1", name=SEARCH, artifact=found(*sources, confidence=confidence))


CALLED = AIMessage("", tool_calls=[{"name": SEARCH, "args": {}, "id": "1", "type": "tool_call"}])


async def test_it_asks_for_a_search_then_answers_from_the_result():
    model = ExtractiveChatModel().bind_tools([search_knowledge_base])
    call = await model.ainvoke([QUESTION])
    assert [(one["name"], one["args"]) for one in call.tool_calls] == [(SEARCH, {"query": QUESTION.content})]
    reply = await model.ainvoke([QUESTION, call, result(TEXT)])
    assert reply.content == "The client has 7 days to approve the work [1]."
    assert reply.tool_calls == []
    assert reply.response_metadata == {"model_name": MODEL_NAME, "answered": True}


def test_without_async_it_says_the_same():
    messages: Sequence[BaseMessage] = [SystemMessage("…"), QUESTION, CALLED, result(TEXT)]
    model = ExtractiveChatModel()
    streamed = "".join(str(chunk.text) for chunk in model.stream(messages))
    assert streamed == model.invoke(messages).content


async def test_it_calls_no_tool_that_it_was_not_given():
    model = ExtractiveChatModel().bind_tools([open_article])
    reply = await model.ainvoke([QUESTION])
    assert reply.tool_calls == []
    assert reply.response_metadata["answered"] is False
    forbidden = ExtractiveChatModel().bind_tools([search_knowledge_base], tool_choice="none")
    assert (await forbidden.ainvoke([QUESTION])).tool_calls == []


async def test_small_talk_is_answered_without_a_search():
    reply = await ExtractiveChatModel().ainvoke([HumanMessage("Hello!")])
    assert reply.tool_calls == []
    assert reply.response_metadata["answered"] is True


ENGLISH_TEXT = "The client has 7 days to approve the work, and then it is released to the freelancer."


async def test_who_asks_in_another_language_is_told_so_beside_what_was_found():
    german = HumanMessage("Wann wird das Geld an den Freelancer ausgezahlt?")
    sure = await ExtractiveChatModel().ainvoke([german, CALLED, result(ENGLISH_TEXT)])
    assert str(sure.content).startswith(LANGUAGES["de"].answered.format(documents="English"))
    assert "[1]" in str(sure.content)
    nothing = result(ENGLISH_TEXT, confidence=0.01)
    nothing.artifact = replace(nothing.artifact, answerable=False)
    unsure = await ExtractiveChatModel().ainvoke([german, CALLED, nothing])
    assert unsure.content == LANGUAGES["de"].unanswered.format(documents="English")
    assert unsure.response_metadata["answered"] is False
    english = await ExtractiveChatModel().ainvoke([QUESTION, CALLED, result(ENGLISH_TEXT)])
    assert "Dokumente" not in str(english.content)


async def test_a_search_that_failed_is_not_taken_for_no_answer():
    failed = ToolMessage("It failed", tool_call_id="1", name=SEARCH, status="error")
    reply = await ExtractiveChatModel().ainvoke([QUESTION, CALLED, failed])
    assert reply.content == SEARCH_FAILED
    assert reply.response_metadata["answered"] is False


async def test_only_the_searches_of_the_last_question_count():
    messages = [
        HumanMessage("Who pays?"),
        CALLED,
        result("The client pays the fee."),
        AIMessage("The client pays [1]."),
    ]
    reply = await ExtractiveChatModel().ainvoke([*messages, QUESTION])
    assert [one["name"] for one in reply.tool_calls] == [SEARCH]


async def test_several_searches_are_answered_together():
    messages = [QUESTION, CALLED, result("Pigeons fly home.", confidence=0.1), result(TEXT, first=2)]
    assert "7 days to approve the work [2]" in str((await ExtractiveChatModel().ainvoke(messages)).content)


async def test_a_second_question_may_be_answered_by_what_was_found_for_the_first():
    hens = "Hens lay eggs in spring. The colour of eggs tells their breed."
    geese = "Pick a colour for the roof of the shed."
    asked = HumanMessage("When do hens lay eggs and which colour do the eggs have?")
    second = result(geese, confidence=0.4, first=2)
    reply = await ExtractiveChatModel().ainvoke([asked, CALLED, result(hens), second])
    assert "The colour of eggs tells their breed [1]." in str(reply.content)
    assert "roof" not in str(reply.content)


async def test_what_two_questions_have_in_common_is_said_once():
    hens = "Hens lay eggs in spring."
    asked = HumanMessage("When do hens lay eggs and where do hens lay eggs?")
    second = result(f"{hens} They lay eggs in straw.")
    reply = await ExtractiveChatModel().ainvoke([asked, CALLED, result(hens), second])
    assert str(reply.content).count("Hens lay eggs in spring") == 1


async def test_a_long_answer_streams_in_few_pieces_and_the_last_one_tells_how_it_went():
    steps = "".join(
        f"{number}. Click the button number {number} of the page of the client.\n" for number in range(1, 10)
    )
    chunks: list[AIMessageChunk] = [
        chunk async for chunk in ExtractiveChatModel().astream([HumanMessage("How do I click?"), CALLED, result(steps)])
    ]
    texts = [str(chunk.text) for chunk in chunks if chunk.text]
    assert 1 < len(texts) <= 10
    assert all(len(text) <= CHUNK_CHARS + 40 for text in texts)
    assert sum(chunk.response_metadata.get("answered", False) for chunk in chunks) == 1


@pytest.mark.parametrize("content", ["", "   "])
async def test_an_empty_message_is_asked_what_it_wants(content):
    assert (await ExtractiveChatModel().ainvoke([HumanMessage(content)])).tool_calls == []
