"""The chat model that needs no model: an ordinary LangChain `BaseChatModel` that searches and quotes.

It asks for one search after each message of a user, and answers with what the search found (agent/compose.py). Any
LangGraph agent can use it in place of a language model; it reads the results of the tool `search_knowledge_base` from
the artifacts of tool messages.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from typing import Any
from uuid import uuid4

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel, LanguageModelInput
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, HumanMessage, ToolMessage
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_core.runnables import Runnable
from langchain_core.tools import BaseTool

from agent.compose import Answer, compose
from agent.small_talk import small_talk
from knowledge_base.passage import Utterance
from tools.sources import Found, Source

SEARCH = "search_knowledge_base"
MODEL_NAME = "attune-extractive"
CHUNK_CHARS = 160
"""A streamed piece costs the same however long it is, so there are few."""
SEARCH_FAILED = "The documents could not be searched just now. Please try again in a moment."


class ExtractiveChatModel(BaseChatModel):
    """Answers with sentences of the documents and their citations, without a language model.

    After a user's message it calls `search_knowledge_base`; after that tool's result it answers. What it needs is in
    the tool message's `artifact` (tools.sources.Found). The response metadata tell `model_name` and `answered`, whether
    the documents answer the question.
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
        results = [one for one in messages[last + 1 :] if isinstance(one, ToolMessage) and _is_search(one)]
        if not results and self._may_search() and question.strip() and small_talk(question, history) is None:
            call = {"name": SEARCH, "args": {"query": question}, "id": f"call_{uuid4().hex[:12]}", "type": "tool_call"}
            return AIMessage("", tool_calls=[call], response_metadata={"model_name": MODEL_NAME})
        return _as_message(_answer(question, history, results))

    def _may_search(self) -> bool:
        return self.tool_names is None or SEARCH in self.tool_names


def _tool_name(tool: dict[str, Any] | type | Callable[..., Any] | BaseTool) -> str:
    if isinstance(tool, dict):
        return str(tool.get("name") or tool.get("function", {}).get("name", ""))
    return tool.name if isinstance(tool, BaseTool) else str(getattr(tool, "__name__", ""))


def _is_search(message: ToolMessage) -> bool:
    return isinstance(message.artifact, Found) or message.name == SEARCH


def _history(messages: Sequence[BaseMessage]) -> list[Utterance]:
    said: list[Utterance] = []
    for message in messages:
        text = str(message.text).strip()
        if text and isinstance(message, HumanMessage):
            said.append(Utterance("user", text))
        elif text and isinstance(message, AIMessage):
            said.append(Utterance("assistant", text))
    return said


def _answer(question: str, history: Sequence[Utterance], results: Sequence[ToolMessage]) -> Answer:
    found = [one.artifact for one in results if isinstance(one.artifact, Found)]
    if results and not found and small_talk(question, history) is None:
        return Answer(SEARCH_FAILED, answered=False)
    return compose(question, history, _together(found))


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


def _as_message(answer: Answer) -> AIMessage:
    metadata = {"model_name": MODEL_NAME, "answered": answer.answered}
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
