"""The chat model that needs no model: an ordinary LangChain `BaseChatModel` that searches and quotes.

It asks for one search after each message of a user, and answers with what the search found (agent/compose.py). Any
LangGraph agent can use it in place of a language model; it reads the results of the tool `search_knowledge_base` from
the artifacts of tool messages.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any
from uuid import uuid4

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel, LanguageModelInput
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, HumanMessage, ToolMessage
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_core.runnables import Runnable
from langchain_core.tools import BaseTool

from agent import prompts
from agent.asked import gives
from agent.compose import LONG, SHORT, USUAL, Answer, Length, compose, others
from agent.intent import Intent, Part, read
from agent.language import LANGUAGES, language_of
from agent.small_talk import asks_what_is_known
from knowledge_base.followup import CLEAR_ANSWER, is_complete
from knowledge_base.passage import Utterance
from tools.foresight import Foresight
from tools.handoff.desk import Ticket
from tools.next_steps import NextStep, as_text
from tools.personal import Known
from tools.predictor.words import asks_for_person
from tools.sources import Found, Source

SEARCH, SUGGEST, HAND_OFF = "search_knowledge_base", "recommend_content", "hand_off"
MODEL_NAME = "attune-extractive"
CHUNK_CHARS = 160
"""A streamed piece costs the same however long it is, so there are few."""
SEARCH_FAILED = "The documents could not be searched just now. Please try again in a moment."


class ExtractiveChatModel(BaseChatModel):
    """Answers with sentences of the documents and their citations, without a language model.

    After a user's message it calls `search_knowledge_base`; after that tool's result it answers. Who asks for a person
    or for suggestions gets them by `hand_off` and `recommend_content`. What it needs is in the tool messages' artifacts
    (tools.sources.Found, and where they are there the profile and the forecast). The response metadata tell
    `model_name`, `answered` (whether the documents answer the question) and `shaped`: which facts about the user shaped
    the answer, and how.
    """

    tool_names: tuple[str, ...] | None = None
    """Tools that it may call; None when none were bound, and then it is taken that the search is there."""

    @property
    def _llm_type(self) -> str:
        return MODEL_NAME

    @property
    def _identifying_params(self) -> dict[str, Any]:
        return {"model_name": MODEL_NAME}

    def bind_tools(
        self,
        tools: Sequence[dict[str, Any] | type | Callable[..., Any] | BaseTool],
        *,
        tool_choice: str | None = None,
        **kwargs: Any,  # noqa: ARG002 (LangChain names these arguments)
    ) -> Runnable[LanguageModelInput, AIMessage]:
        """A copy that calls no other tools than these."""
        names = () if tool_choice == "none" else tuple(_tool_name(tool) for tool in tools)
        return self.model_copy(update={"tool_names": names})

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,  # noqa: ARG002
        run_manager: CallbackManagerForLLMRun | None = None,  # noqa: ARG002
        **kwargs: Any,  # noqa: ARG002
    ) -> ChatResult:
        return ChatResult(generations=[ChatGeneration(message=self._reply(messages))])

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,  # noqa: ARG002
        run_manager: AsyncCallbackManagerForLLMRun | None = None,  # noqa: ARG002
        **kwargs: Any,  # noqa: ARG002
    ) -> ChatResult:
        message = await asyncio.to_thread(self._reply, messages)
        return ChatResult(generations=[ChatGeneration(message=message)])

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,  # noqa: ARG002
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,  # noqa: ARG002
    ) -> Iterator[ChatGenerationChunk]:
        for chunk in _chunks(self._reply(messages)):
            if run_manager:
                run_manager.on_llm_new_token(str(chunk.message.text), chunk=chunk)
            yield chunk

    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,  # noqa: ARG002
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,  # noqa: ARG002
    ) -> AsyncIterator[ChatGenerationChunk]:
        for chunk in _chunks(await asyncio.to_thread(self._reply, messages)):
            if run_manager:
                await run_manager.on_llm_new_token(str(chunk.message.text), chunk=chunk)
            yield chunk

    def _reply(self, messages: Sequence[BaseMessage]) -> AIMessage:
        """The whole reply to a conversation: a call of the search, or an answer."""
        last = max((at for at, one in enumerate(messages) if isinstance(one, HumanMessage)), default=-1)
        question = str(messages[last].text) if last >= 0 else ""
        history = _history(messages[: max(last, 0)])
        results = [one for one in messages[last + 1 :] if isinstance(one, ToolMessage)]
        intent = read(question, history)
        if wanted := self._wanted(question, intent, results):
            return AIMessage("", tool_calls=wanted, response_metadata={"model_name": MODEL_NAME})
        return _as_message(*_answer(question, history, intent, results))

    def _wanted(self, question: str, intent: Intent, results: Sequence[ToolMessage]) -> list[dict[str, Any]]:
        """The tool calls that this message needs first, if any."""
        done = {one.name for one in results} | {SEARCH for one in results if isinstance(one.artifact, Found)}
        if asks_for_person(question) and self._may(HAND_OFF, explicitly=True) and HAND_OFF not in done:
            return [_call(HAND_OFF)]
        if _WANTS_SUGGESTIONS.search(question) and self._may(SUGGEST, explicitly=True) and SUGGEST not in done:
            return [_call(SUGGEST, about=_subject(question))]
        if self._may(SEARCH) and SEARCH not in done:
            return [_call(SEARCH, query=part.question) for part in intent.parts]
        return []

    def _may(self, tool: str, *, explicitly: bool = False) -> bool:
        """Whether this tool is bound. Where none were, the search is taken to be there."""
        return not explicitly if self.tool_names is None else tool in self.tool_names


def _call(name: str, **arguments: str) -> dict[str, Any]:
    return {"name": name, "args": arguments, "id": f"call_{uuid4().hex[:12]}", "type": "tool_call"}


def _tool_name(tool: dict[str, Any] | type | Callable[..., Any] | BaseTool) -> str:
    if isinstance(tool, dict):
        return str(tool.get("name") or tool.get("function", {}).get("name", ""))
    return tool.name if isinstance(tool, BaseTool) else str(getattr(tool, "__name__", ""))


def _history(messages: Sequence[BaseMessage]) -> list[Utterance]:
    said: list[Utterance] = []
    for message in messages:
        text = str(message.text).strip()
        if text and isinstance(message, HumanMessage):
            said.append(Utterance("user", text))
        elif text and isinstance(message, AIMessage):
            said.append(Utterance("assistant", text))
    return said


_WANTS_SUGGESTIONS = re.compile(
    r"\b(?:recommend|suggest)(?: me)?\b(?!ed)(?=.{0,40}\b(?:articles?|guides?|read(?:ing)?|something|anything|content|"
    r"next|tutorials?|films?|movies?|to (?:read|watch|learn))\b)"
    r"|\bwhat (?:should|can|could) i (?:read|watch|learn|look at)(?: \w+)? next\b|\bwhat(?:'s| is) worth reading\b",
    re.IGNORECASE,
)
_ABOUT = re.compile(r"\b(?:about|on|regarding)\s+(.{3,120}?)[?.!]*$", re.IGNORECASE)


def _subject(question: str) -> str:
    """What suggestions should be about; empty when the message names nothing."""
    found = _ABOUT.search(question.strip())
    return found[1] if found else ""


def _answer(
    question: str, history: Sequence[Utterance], intent: Intent, results: Sequence[ToolMessage]
) -> tuple[Answer, dict[str, str]]:
    """What is said, and which facts about the user shaped it."""
    artifacts = [one.artifact for one in results]
    if tickets := [one for one in artifacts if isinstance(one, Ticket)]:
        return Answer(f"{tickets[-1].words} {prompts.MEANWHILE}"), {}
    if any(one.name == SUGGEST for one in results):
        return _suggested([one for one in artifacts if isinstance(one, list)]), {}
    known = next((one for one in artifacts if isinstance(one, Known)), None)
    if asks_what_is_known(question):
        return Answer(_told_of(known)), {}
    found = [one for one in artifacts if isinstance(one, Found)]
    if intent.rejects:
        return _apology(history, found), {}
    if any(one.name == SEARCH for one in results) and not found and intent.parts:
        return Answer(SEARCH_FAILED, answered=False), {}
    foresight = next((one for one in artifacts if isinstance(one, Foresight)), None)
    return _shaped(intent.parts or (Part(question, tuple(history)),), found, known, foresight)


def _apology(history: Sequence[Utterance], found: Sequence[Found]) -> Answer:
    """What is said to a complaint about an answer: the nearest articles that it did not quote, or a person."""
    told = [one.text for one in history if one.role == "assistant"]
    if told and told[-1].startswith((prompts.NO_HELP, prompts.NO_HELP_AGAIN)):
        return Answer(prompts.NO_HELP_AGAIN)
    nearest = others(found[0].sources if found else (), told)
    if not nearest.numbers:
        return Answer(f"{prompts.NO_HELP} {prompts.ASK_DIFFERENTLY}")
    return replace(nearest, text=f"{prompts.NO_HELP} {prompts.OTHER_ARTICLES}\n\n{nearest.text}", answered=True)


def _shaped(
    parts: Sequence[Part],
    found: Sequence[Found],
    known: Known | None,
    foresight: Foresight | None,
) -> tuple[Answer, dict[str, str]]:
    """The answer, as long as the user wants it, with what is foreseen to be needed after it."""
    told = known.length if known else None
    at_risk = foresight is not None and foresight.at_risk
    length = SHORT if told == "short" or at_risk else LONG if told == "long" else USUAL
    answer = _said_in_another_language(parts, found, _in_parts(parts, found, length))
    if not answer.numbers:
        return answer, {}
    if at_risk and foresight is not None:
        answer = replace(answer, text=f"{answer.text}\n\n{prompts.AFTER_RISK[foresight.action]}")
    return answer, {"length": prompts.LENGTH_EFFECTS[told]} if told and answer.answered else {}


def _said_in_another_language(parts: Sequence[Part], found: Sequence[Found], answer: Answer) -> Answer:
    """The answer, with a word in the user's language where that is not the documents'. What was not surely found is not
    shown then: the search hardly understood the question."""
    written = language_of("\n".join(source.text for one in found for source in one.sources))
    asked = language_of(" ".join(part.question for part in parts))
    if written is None or asked is None or asked == written:
        return answer
    told, documents = LANGUAGES[asked], LANGUAGES[written].name
    if not answer.answered:
        return Answer(told.unanswered.format(documents=documents), answered=False)
    return replace(answer, text=f"{told.answered.format(documents=documents)}\n\n{answer.text}")


def _in_parts(parts: Sequence[Part], found: Sequence[Found], length: Length) -> Answer:
    """One answer to all parts of a message. What an earlier part was told is not said again, and a part that nothing
    answers is named."""
    first = parts[0]
    if len(parts) == 1 or len(found) != len(parts):
        return compose(first.question, first.history, _together(found), length=length)
    answers = [compose(first.question, first.history, found[0], length=length)]
    for part, one in zip(parts[1:], found[1:], strict=True):
        answers.append(_of_next_part(part, one, found[0], answers[0], length))
    if not any(one.answered for one in answers):
        return answers[0]
    said = [
        answer.text if answer.answered else prompts.PART_NOT_FOUND.format(part=part.question)
        for part, answer in zip(parts, answers, strict=True)
    ]
    numbers = dict.fromkeys(number for one in answers if one.answered for number in one.numbers)
    return Answer(_each_once("\n\n".join(said).split("\n\n")), tuple(numbers))


def _each_once(blocks: Sequence[str]) -> str:
    """Blocks of text without those that another one holds."""
    different = list(dict.fromkeys(blocks))
    return "\n\n".join(one for one in different if not any(one in other and one != other for other in different))


def _of_next_part(part: Part, found: Found, before: Found, told: Answer, length: Length) -> Answer:
    """The answer to a later part. One that leans on the first ("and what does it cost?") is read together with it, and
    answered from the articles that answered that, unless the search is sure of what it found."""
    if is_complete(part.question):
        return compose(part.question, part.history, _beside(found, before), length=length)
    documents = {one.document_id for one in before.sources if told.answered and one.number in told.numbers}
    if not documents or found.confidence >= CLEAR_ANSWER:
        return compose(found.query, (), found, length=length)
    both = {one.number: one for one in (*found.sources, *before.sources)}
    near = tuple(one for one in both.values() if one.document_id in documents)
    if not gives(part.question, near):
        return Answer("", answered=False)
    return compose(found.query, (), replace(found, sources=near, answerable=True), length=length)


def _beside(found: Found, before: Found) -> Found:
    """What was found for a later part. Where that is not clear, also what was found for the first: who asks two things
    at once mostly asks about one."""
    if found.confidence >= CLEAR_ANSWER:
        return found
    both = sorted((*before.sources, *found.sources), key=lambda one: one.score)
    best = {one.number: one for one in both}
    return replace(found, sources=tuple(sorted(best.values(), key=lambda one: -one.score)))


def _told_of(known: Known | None) -> str:
    """What the user hears of their own profile, where this reply may use it."""
    if known is None:
        return prompts.PROFILE_NOT_USED
    lines = known.lines()
    if not lines:
        return prompts.NOTHING_KNOWN
    return "\n".join([prompts.KNOWN, "", *(f"- {line}" for line in lines), "", prompts.CORRECT_IT])


def _suggested(given: Sequence[list[NextStep]]) -> Answer:
    steps = [step for some in given for step in some]
    if not steps:
        return Answer(prompts.NOTHING_TO_SUGGEST, answered=False)
    return Answer(f"{prompts.SUGGESTED}\n\n{as_text(steps)}")


def _together(found: Sequence[Found]) -> Found | None:
    """What several searches of one turn found, as one; passages by number, each once."""
    if len(found) < 2:
        return found[0] if found else None
    sources: dict[int, Source] = {}
    for one in found:
        for source in one.sources:
            sources.setdefault(source.number, source)
    best = max(found, key=lambda one: one.confidence)
    ranked = sorted(sources.values(), key=lambda source: -source.score)
    return Found(best.query, best.confidence, any(one.answerable for one in found), tuple(ranked))


def _as_message(answer: Answer, shaped: dict[str, str]) -> AIMessage:
    metadata: dict[str, Any] = {"model_name": MODEL_NAME, "answered": answer.answered}
    if shaped:
        metadata["shaped"] = shaped
    return AIMessage(answer.text, response_metadata=metadata)


_PIECE = re.compile(rf".{{1,{CHUNK_CHARS}}}(?:\s+|\Z)|\S+\s*", re.DOTALL)


def _chunks(message: AIMessage) -> Iterator[ChatGenerationChunk]:
    """The message in few pieces, cut between words; the last one carries the metadata."""
    pieces = _PIECE.findall(str(message.text)) or [""]
    for number, piece in enumerate(pieces, 1):
        is_last = number == len(pieces)
        yield ChatGenerationChunk(
            message=AIMessageChunk(
                content=piece,
                tool_calls=message.tool_calls if is_last else [],
                response_metadata=message.response_metadata if is_last else {},
                chunk_position="last" if is_last else None,
            )
        )
