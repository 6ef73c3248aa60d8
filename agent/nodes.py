"""What each step of a turn does: state in, update out. agent/graph.py says in which order.

The nodes tell the doorway what happens through the stream writer, as events, and gather what was said in the turn's
context, so that a turn that is stopped half way can still be kept.
"""

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from typing import Any, Protocol, cast
from uuid import uuid4

from langchain_core.messages import (
    AIMessage,
    AIMessageChunk,
    AnyMessage,
    BaseMessage,
    SystemMessage,
    ToolCall,
    ToolMessage,
)
from langgraph.prebuilt.tool_node import ToolCallRequest
from langgraph.runtime import Runtime
from langgraph.types import Command, StreamWriter

from agent import intent, prompts, replies
from agent.citations import CitationFilter
from agent.errors import ModelCut, ModelUnavailable
from agent.events import (
    Learnt,
    Notice,
    NoticeCode,
    ProfileUpdated,
    Replied,
    SourcesFound,
    Token,
    ToolFinished,
    ToolStarted,
)
from agent.state import ConversationState, messages_of, replaced, utterances
from knowledge_base.errors import AttuneError
from knowledge_base.passage import Utterance
from tools.conversations import ConversationStore
from tools.learning import Learner
from tools.next_steps import NextSteps
from tools.sources import Found
from tools.toolset import TITLES
from tools.turn import TurnContext

log = logging.getLogger(__name__)

NOTICES: dict[NoticeCode, str] = {
    "model_unavailable": prompts.MODEL_UNAVAILABLE,
    "model_cut": prompts.MODEL_CUT,
    "stopped": prompts.STOPPED,
    "failed": prompts.FAILED,
    "tool_limit": prompts.TOOL_LIMIT,
}


class Speaker(Protocol):
    """A chat model as the answer node needs it (agent/guard.py): text in pieces, then one last chunk without text that
    holds all the rest. `stream` raises ModelUnavailable before its first chunk, ModelCut after it."""

    name: str

    def stream(self, messages: Sequence[BaseMessage], *, tools: bool) -> AsyncGenerator[AIMessageChunk]: ...


class TurnNodes:
    """The steps of a turn, with what they need. `model` None means that the extractive model is the model."""

    def __init__(
        self,
        *,
        model: Speaker | None,
        extractive: Speaker,
        conversations: ConversationStore,
        learner: Learner,
        next_steps: NextSteps,
        fit: Callable[[Sequence[BaseMessage]], list[BaseMessage]],
        title: str,
        tool_rounds: int,
        history_exchanges: int,
    ) -> None:
        self._model = model
        self._extractive = extractive
        self._conversations = conversations
        self._learner = learner
        self._next_steps = next_steps
        self._fit = fit
        self._system = SystemMessage(prompts.SYSTEM.format(title=title))
        self._tool_rounds = tool_rounds
        self._carried = 2 * history_exchanges

    async def prepare(self, state: ConversationState, runtime: Runtime[TurnContext]) -> ConversationState:
        """Recall the conversation and ask for the look-ups that nearly every answer needs."""
        context, question = runtime.context, state["messages"][-1]
        context.question = str(question.text)
        earlier = await self._earlier(state, context)
        context.history = utterances(earlier)
        wanted = intent.read(context.question, context.history)
        context.asks, context.before = wanted.asks, {part.question: part.history for part in wanted.parts}
        calls = [_call("get_profile")] if context.personal else []
        calls += [_call("predict_needs")] if context.personal and wanted.asks else []
        calls += [_call("search_knowledge_base", query=part.question) for part in wanted.parts]
        return {"messages": replaced([*earlier, question, AIMessage("", tool_calls=calls)]), "rounds": 0}

    async def _earlier(self, state: ConversationState, context: TurnContext) -> list[AnyMessage]:
        """The last exchanges: from the state, or from the transcript when the state missed one (a turn that was
        stopped, a rewind, a lost checkpoint), or from what the caller remembers when the conversation is new."""
        if context.last_message_id is None:
            return messages_of(context.history[-self._carried :])
        if state.get("last_message_id") == context.last_message_id:
            return state["messages"][:-1]
        kept = await self._conversations.transcript(context.conversation_id, last=self._carried // 2)
        return messages_of([said for exchange in kept for said in replies.as_utterances(exchange)])

    async def answer(self, state: ConversationState, runtime: Runtime[TurnContext]) -> ConversationState:
        """Let the model speak once: words for the reader, or calls of tools."""
        context, emit = runtime.context, runtime.stream_writer
        rounds = state["rounds"] + 1
        last_round = rounds > self._tool_rounds
        messages = [self._system, *state["messages"], *([SystemMessage(prompts.LAST_ROUND)] if last_round else [])]
        message = await self._ask(messages, context, emit, tools=not last_round)
        if last_round and (message.tool_calls or message.invalid_tool_calls):
            message = await self._wind_up(messages, context, emit)
        return {"messages": [message, *map(_complaint, message.invalid_tool_calls)], "rounds": rounds}

    async def _ask(
        self, messages: Sequence[BaseMessage], context: TurnContext, emit: StreamWriter, *, tools: bool
    ) -> AIMessage:
        """One call of the configured model; the extractive model stands in for one that cannot be had."""
        if self._model is None:
            return await self._say(self._extractive, messages, context, emit, tools=tools)
        try:
            return await self._say(self._model, self._fit(messages), context, emit, tools=tools)
        except ModelUnavailable as error:
            log.warning("model unavailable (%s): %s", error.kind, error)
            _notify("model_unavailable", context, emit)
            return await self._say(self._extractive, messages, context, emit, tools=tools)
        except ModelCut as error:
            log.warning("model cut: %s", error)
            context.cut = True
            _notify("model_cut", context, emit)
            return AIMessage(context.answer)

    async def _wind_up(self, messages: Sequence[BaseMessage], context: TurnContext, emit: StreamWriter) -> AIMessage:
        """End a turn whose model would go on calling tools for ever: with what it said, or what the passages say."""
        _notify("tool_limit", context, emit)
        if context.answer:
            return AIMessage(context.answer)
        return await self._say(self._extractive, messages, context, emit, tools=False)

    async def _say(
        self,
        speaker: Speaker,
        messages: Sequence[BaseMessage],
        context: TurnContext,
        emit: StreamWriter,
        *,
        tools: bool,
    ) -> AIMessage:
        """Stream one model call to the reader, checking citations on the way."""
        context.model = speaker.name
        sources = context.sources.all()
        citations = CitationFilter(range(1, len(sources) + 1), sources="\n".join(source.text for source in sources))
        rest: AIMessageChunk | None = None
        said: list[str] = []

        def say(text: str) -> None:
            if not text:
                return
            if context.said and not said:
                text = "\n\n" + text
            said.append(text)
            context.said.append(text)
            emit(Token(text=text))

        try:
            async with aclosing(speaker.stream(messages, tools=tools)) as chunks:
                async for rest in chunks:
                    say(citations.feed(str(rest.text)))
                    await asyncio.sleep(0)  # a burst of pieces reaches the reader piece by piece, and holds up nobody
        finally:
            say(citations.flush())  # also what was held back when the answer broke off
        return _finished("".join(said), rest)

    async def learn(self, state: ConversationState, runtime: Runtime[TurnContext]) -> ConversationState:
        """Store the exchange, then tell the reader that it is done, and leave the next turn a short memory."""
        context = runtime.context
        final = state["messages"][-1]
        reply = replies.finished(context, state["messages"], final.response_metadata)
        if context.personal and context.asks and reply.answered and reply.sources and not reply.cut:
            cited = {source.document_id for source in reply.sources}
            reply = replies.with_next_steps(reply, await self._next_steps.after(context, leave_out=cited))
        learned = await self._store(context, reply)
        if learned:
            runtime.stream_writer(ProfileUpdated(learned=learned))
        runtime.stream_writer(Replied(reply=reply))
        carried = [*context.history, Utterance("user", context.question), replies.spoken(reply)]
        return {
            "messages": replaced(messages_of(carried[-self._carried :])),
            "last_message_id": context.message_id,
            "rounds": 0,
        }

    async def keep_unfinished(self, context: TurnContext, reason: NoticeCode) -> None:
        """Store a turn that was stopped or broke, with what the reader saw of its answer; one that was just being
        stored whole stays whole."""
        if context.storing is not None:
            await context.storing
            return
        context.cut = True
        context.notices.append(NOTICES[reason])
        await self._store(context, replies.finished(context, [], {}))

    async def _store(self, context: TurnContext, reply: replies.Reply) -> list[Learnt]:
        """Once a turn. Stopping the turn does not stop this: an exchange is stored or it is not, never asked twice."""
        grounding = reply.sources if reply.answered else []
        keeping = self._learner.keep(context, reply.model_dump_json(), grounding, answered=reply.answered)
        context.storing = asyncio.ensure_future(keeping)
        return await asyncio.shield(context.storing)


def _call(name: str, **arguments: str) -> ToolCall:
    return ToolCall(name=name, args=arguments, id=f"call_{uuid4().hex[:12]}")


def _finished(text: str, rest: AIMessageChunk | None) -> AIMessage:
    if rest is None:
        return AIMessage(text)
    return AIMessage(
        text,
        tool_calls=rest.tool_calls,
        invalid_tool_calls=rest.invalid_tool_calls,
        response_metadata=rest.response_metadata,
        usage_metadata=rest.usage_metadata,
    )


def _notify(code: NoticeCode, context: TurnContext, emit: StreamWriter) -> None:
    context.notices.append(NOTICES[code])
    emit(Notice(code=code, text=NOTICES[code]))


def _complaint(call: Any) -> ToolMessage:
    """Tell the model what was wrong with a call, so that it can mend it."""
    text = prompts.INVALID_TOOL_CALL.format(name=call["name"], error=call["error"] or "no JSON")
    return ToolMessage(text, tool_call_id=call["id"] or "", status="error")


async def report_tool_call(
    request: ToolCallRequest, run: Callable[[ToolCallRequest], Awaitable[ToolMessage | Command[Any]]]
) -> ToolMessage | Command[Any]:
    """Run one tool call, telling the reader when it starts and how it ended. A tool that fails never ends the turn."""
    call, emit = request.tool_call, request.runtime.stream_writer
    title, started = TITLES.get(call["name"], call["name"]), time.perf_counter()
    emit(ToolStarted(call_id=call["id"] or "", tool=call["name"], title=title, arguments=call["args"]))
    message = await _run_tool(request, run)
    found = message.artifact if isinstance(message, ToolMessage) else None
    ok = not isinstance(message, ToolMessage) or message.status != "error"
    emit(
        ToolFinished(
            call_id=call["id"] or "",
            tool=call["name"],
            title=title,
            summary=replies.summary(found) if ok else "It failed",
            ok=ok,
            duration_ms=(time.perf_counter() - started) * 1000,
        )
    )
    if isinstance(found, Found):
        context = cast(TurnContext, request.runtime.context)
        emit(SourcesFound(sources=context.sources.all()))
    return message


async def _run_tool(
    request: ToolCallRequest, run: Callable[[ToolCallRequest], Awaitable[ToolMessage | Command[Any]]]
) -> ToolMessage | Command[Any]:
    call = request.tool_call
    if request.tool is None:
        names = ", ".join(TITLES)
        text = prompts.NOT_A_TOOL.format(name=call["name"], names=names)
        return ToolMessage(text, tool_call_id=call["id"] or "", name=call["name"], status="error")
    try:
        return await run(request)
    except AttuneError as error:
        log.error("tool %s: %s", call["name"], error)  # noqa: TRY400 (its message says all; no trace needed)
    except Exception:  # the boundary between a tool and the turn
        log.exception("tool %s broke", call["name"])
    text = prompts.TOOL_FAILED.format(name=call["name"])
    return ToolMessage(text, tool_call_id=call["id"] or "", name=call["name"], status="error")
