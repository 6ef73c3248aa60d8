"""A chat model that cannot hurt a turn: every wait has a limit, failures are tried again before the first token only,
and whatever goes wrong ends as ModelUnavailable (nothing was said yet) or ModelCut (something was)."""

import asyncio
import json
import logging
import random
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from itertools import count
from typing import Any, cast
from uuid import uuid4

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import (
    AIMessage,
    AIMessageChunk,
    BaseMessage,
    InvalidToolCall,
    ToolCall,
    ToolCallChunk,
    UsageMetadata,
)
from langchain_core.runnables import Runnable
from langchain_core.tools import BaseTool

from agent.errors import FailureKind, ModelCut, ModelError, ModelUnavailable
from agent.failures import Failure, diagnose
from tools.breaker import CircuitBreaker

log = logging.getLogger(__name__)

FIRST_WAIT = 0.5
LONGEST_WAIT = 8.0
AFTER_FINISH = 1.0
"""Seconds that a server has for the statistics that follow the finish reason."""
MOST_CHARS = 4 * 2**20
"""An answer that grows longer than this is one that would never end."""

_COUNTS_AGAINST_THE_MODEL: set[FailureKind] = {"timeout", "connection", "server_error"}
"""Failures that cost a turn time, so that the breaker should spare the next one. The others are told at once."""

# What a server's answer can make LangChain, the client and the parsers raise. The list is wide because both libraries
# take the answer's shape for granted; it holds no BaseException, so that cancelling a turn passes through.
_FOREIGN = (OSError, ValueError, TypeError, LookupError, AttributeError, AssertionError, RuntimeError)


@dataclass(frozen=True, slots=True)
class ModelLimits:
    """How long a model may take, in seconds, and how often it is tried. `retry_budget` bounds the time to the first
    token over all tries and waits, `total` a whole answer."""

    first_token: float = 20
    idle: float = 15
    total: float = 300
    retries: int = 2
    retry_budget: float = 30
    breaker_failures: int = 4
    breaker_cooldown: float = 30


class GuardedModel:
    """A chat model with its tools, its limits and its circuit breaker; `name` is what a reply says answered it.

    Args:
        model: Any LangChain chat model. Its own timeouts and retries should be off.
        tools: What `stream(…, tools=True)` offers to the model.
        limits: Seconds and tries.
        name: The model's name, by default the one that it says itself.
        secrets: What must never appear in a log: the API key.
        close: Closes the model's connections.
        redact: What is done to each message before the model sees it.
        sleep: Waits between two tries; another one in tests.
    """

    def __init__(
        self,
        model: BaseChatModel,
        *,
        tools: Sequence[BaseTool] = (),
        limits: ModelLimits | None = None,
        name: str | None = None,
        secrets: Sequence[str] = (),
        close: Callable[[], Awaitable[None]] | None = None,
        redact: Callable[[BaseMessage], BaseMessage] | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        breaker: CircuitBreaker | None = None,
    ) -> None:
        self.limits = limits or ModelLimits()
        self.name = name or _name_of(model)
        self._plain: Runnable[Any, AIMessage] = model
        self._with_tools: Runnable[Any, AIMessage] = model.bind_tools(list(tools)) if tools else model
        self._secrets = tuple(secrets)
        self._close = close
        self._redact = redact
        self._sleep = sleep
        self._breaker = breaker or CircuitBreaker(
            failures=self.limits.breaker_failures, cooldown=self.limits.breaker_cooldown
        )

    async def aclose(self) -> None:
        """Close the model's connections."""
        if self._close:
            await self._close()

    async def stream(
        self, messages: Sequence[BaseMessage], *, tools: bool = True
    ) -> AsyncGenerator[AIMessageChunk, None]:
        """One model call. Yields the answer's text in pieces, each a chunk that holds nothing else, and last one chunk
        without text that holds all the rest, complete: `tool_calls`, `invalid_tool_calls` (arguments that are no JSON
        object, with what is wrong), `usage_metadata` and `response_metadata` with the finish reason.

        Raises:
            ModelUnavailable: Nothing was yielded, and nothing will be.
            ModelCut: What was yielded is the beginning of an answer.
        """
        if not self._breaker.admit():
            raise self._circuit_open()
        try:
            attempt = await self._begin(messages, tools)
        except ModelUnavailable as error:
            self._judge(error.kind)
            raise
        except BaseException:
            self._breaker.dropped()
            raise
        self._breaker.succeeded()
        async with aclosing(attempt):
            async for text in self._rest(attempt):
                yield AIMessageChunk(content=text)
        yield attempt.draft.last_chunk()

    def _circuit_open(self) -> ModelUnavailable:
        wait = self._breaker.retry_in
        when = f"it is tried again in {wait:.0f} s" if wait else "one turn is trying it now"
        return ModelUnavailable(f"{self.name} failed several times in a row and is skipped; {when}", "circuit_open")

    def _judge(self, kind: FailureKind) -> None:
        if kind in _COUNTS_AGAINST_THE_MODEL:
            self._breaker.failed()
        else:
            self._breaker.dropped()

    async def _begin(self, messages: Sequence[BaseMessage], tools: bool) -> "_Attempt":
        """The first try that comes to a token, standing on it; or ModelUnavailable."""
        loop = asyncio.get_running_loop()
        give_up = loop.time() + self.limits.retry_budget
        for tried in count():
            attempt = self._attempt(messages, tools, give_up)
            failure = await self._try(attempt)
            if failure is None:
                return attempt
            wait = self._wait(failure, tried)
            left = give_up - loop.time()
            if not failure.retryable or tried >= self.limits.retries or wait >= left:
                raise self._unavailable(failure, tried + 1, wait if failure.retryable else None)
            log.warning("%s: %s: %s; trying again in %.1f s", self.name, failure.kind, failure.text, wait)
            await self._sleep(wait)
        raise AssertionError("unreachable")

    def _attempt(self, messages: Sequence[BaseMessage], tools: bool, give_up: float) -> "_Attempt":
        runnable = self._with_tools if tools else self._plain
        shown = list(map(self._redact, messages)) if self._redact else list(messages)
        chunks = cast(AsyncGenerator[AIMessage, None], runnable.astream(shown))
        return _Attempt(chunks, self.limits, give_up)

    async def _try(self, attempt: "_Attempt") -> Failure | None:
        """Bring this try to its first token; what went wrong, if anything did."""
        try:
            await attempt.reach_first_text()
        except ModelError as error:
            failure = Failure(error.kind, str(error), retryable=False)
        except BaseException as error:
            await attempt.aclose()
            if not is_foreign(error):
                raise
            failure = diagnose(error, self._secrets)
            if failure.unexpected:  # a malformed answer, or a mistake of ours: the trace tells which
                log.warning("%s: %s", self.name, failure.text, exc_info=error)
        else:
            return None
        await attempt.aclose()
        return failure

    def _wait(self, failure: Failure, tried: int) -> float:
        """Seconds before the next try: what the server asks for, or exponential back-off; both with jitter, so that
        the turns that failed together do not come back together."""
        jitter = random.random()  # noqa: S311 (spreads load, keeps no secret)
        if failure.retry_after is not None:
            return failure.retry_after * (1 + 0.1 * jitter)
        return float(min(LONGEST_WAIT, FIRST_WAIT * 2**tried)) * (0.5 + 0.5 * jitter)

    def _unavailable(self, failure: Failure, tries: int, wait: float | None) -> ModelUnavailable:
        after = "" if tries == 1 else f" after {tries} tries"
        asked = f"; it asks to wait {wait:.0f} s" if failure.retry_after and wait else ""
        return ModelUnavailable(f"{self.name}: {failure.text}{after}{asked}", failure.kind)

    async def _rest(self, attempt: "_Attempt") -> AsyncIterator[str]:
        """The texts from the first one on; whatever breaks now cuts the answer."""
        try:
            async for text in attempt.texts():
                yield text
        except ModelError as error:
            raise ModelCut(f"{self.name}: {error}", error.kind) from None
        except Exception as error:
            if not is_foreign(error):
                raise
            failure = diagnose(error, self._secrets)
            if failure.unexpected:
                log.warning("%s: %s", self.name, failure.text, exc_info=error)
            raise ModelCut(f"{self.name}: {failure.text}", failure.kind) from None


def is_foreign(error: BaseException) -> bool:
    """Whether a server's answer can cause this: then it is the model's failure and not ours."""
    return isinstance(error, _FOREIGN) or type(error).__module__.partition(".")[0] in {"openai", "langchain_openai"}


def _name_of(model: BaseChatModel) -> str:
    return str(getattr(model, "model_name", None) or model.name or model._llm_type)


class _Attempt:
    """One request and its stream of chunks, every wait within its limit.

    A chunk is a sign of life when it brings text, reasoning or a part of a tool call. Keep-alive comments never become
    chunks, and empty chunks do not move the deadline, so neither keeps a dead stream going.
    """

    def __init__(self, chunks: AsyncGenerator[AIMessage, None], limits: ModelLimits, give_up: float) -> None:
        self._chunks = chunks
        self._limits = limits
        self._now = asyncio.get_running_loop().time
        self._end = self._now() + limits.total
        self._deadline = min(self._now() + limits.first_token, give_up)
        self._patience = self._deadline - self._now()
        self._thinking = _Thinking()
        self._first = ""
        self._chars = 0
        self.draft = _Draft()

    async def aclose(self) -> None:
        await self._chunks.aclose()

    async def reach_first_text(self) -> None:
        """Returns when there is text to yield, or when a complete answer has tool calls and none."""
        while (text := await self._next()) is not None:
            if text:
                self._first = text
                return
        self.draft.check_finish(said_something=False)

    async def texts(self) -> AsyncIterator[str]:
        if not self._first:
            return
        yield self._first
        while (text := await self._next()) is not None:
            if text:
                yield text
        self.draft.check_finish(said_something=True)

    async def _next(self) -> str | None:
        """The next chunk's text, "" when it has none for the reader, None at the end of the stream."""
        try:
            async with asyncio.timeout_at(self._deadline):
                chunk = await anext(self._chunks, None)
        except Exception as error:
            if self.draft.finish_reason and is_foreign(error):
                return None  # the answer is whole: only its statistics, or a clean end, are missing
            if isinstance(error, TimeoutError):
                raise self._timed_out() from None
            raise
        return None if chunk is None else self._take(chunk)

    def _take(self, chunk: AIMessage) -> str:
        text = str(chunk.text)
        if self.draft.add(chunk) or text:
            patience = AFTER_FINISH if self.draft.finish_reason else self._limits.idle
            self._deadline = min(self._now() + patience, self._end)
        elif self._now() > self._deadline:  # a server that never lets us wait never lets the timer fire
            raise self._timed_out()
        self._chars += len(text)
        if self._chars > MOST_CHARS:
            raise ModelCut(f"the answer grew beyond {MOST_CHARS} characters", "length")
        return self._thinking.feed(text) if text else ""

    def _timed_out(self) -> TimeoutError:
        if self._now() >= self._end:
            return TimeoutError(f"the answer took longer than {self._limits.total:g} s")
        if self._chars or self.draft.started:
            return TimeoutError(f"nothing came for {self._limits.idle:g} s in mid-answer")
        return TimeoutError(f"no token came within {self._patience:.1f} s")


class _Thinking:
    """Leaves out the reasoning that some servers put before the answer, between <think> and </think>, and the blank
    beginning of an answer."""

    OPEN, CLOSE = "<think>", "</think>"

    def __init__(self) -> None:
        self._held: str | None = ""
        self._inside = False

    def feed(self, text: str) -> str:
        if self._held is None:
            return text
        self._held += text
        if self._inside:
            return self._look_for_end()
        start = self._held.lstrip()
        if start.startswith(self.OPEN):
            self._inside = True
            return self._look_for_end()
        if self.OPEN.startswith(start):
            return ""
        self._held = None
        return start

    def _look_for_end(self) -> str:
        held = self._held or ""
        end = held.find(self.CLOSE)
        if end < 0:
            self._held = held[-len(self.CLOSE) :]
            return ""
        self._inside = False
        self._held = ""
        return self.feed(held[end + len(self.CLOSE) :])


@dataclass(slots=True)
class _CallDraft:
    """A tool call while its fragments come in."""

    index: int | str | None
    id: str | None
    name: str
    arguments: list[str] = field(default_factory=list)

    def takes(self, fragment: ToolCallChunk) -> bool:
        if fragment.get("id") and self.id:
            return fragment["id"] == self.id  # some servers give every parallel call the index 0
        if fragment.get("name") and self.name:
            return fragment["index"] is not None and (fragment["index"], fragment["name"]) == (self.index, self.name)
        return fragment["index"] == self.index

    def finished(self) -> ToolCall | InvalidToolCall:
        text = "".join(self.arguments)
        identity = self.id or f"call_{uuid4().hex[:12]}"
        try:
            arguments = json.loads(text or "{}")
        except (ValueError, RecursionError) as error:
            return InvalidToolCall(type="invalid_tool_call", name=self.name, args=text, id=identity, error=str(error))
        if not isinstance(arguments, dict):
            problem = f"expected an object, found {type(arguments).__name__}"
            return InvalidToolCall(type="invalid_tool_call", name=self.name, args=text, id=identity, error=problem)
        return ToolCall(type="tool_call", name=self.name, args=arguments, id=identity)


class _Draft:
    """Everything of an answer but its text, gathered without adding chunks to chunks."""

    def __init__(self) -> None:
        self._calls: list[_CallDraft] = []
        self._whole: list[ToolCall | InvalidToolCall] = []
        self._metadata: dict[str, Any] = {}
        self._usage: UsageMetadata | None = None
        self.started = False

    def add(self, chunk: AIMessage) -> bool:
        """Takes what the chunk holds beside text; whether that was a sign of life."""
        if chunk.response_metadata:
            self._metadata.update(chunk.response_metadata)
        if chunk.usage_metadata:
            self._usage = chunk.usage_metadata  # servers that report it often report running totals
        fragments = chunk.tool_call_chunks if isinstance(chunk, AIMessageChunk) else None
        if fragments:
            for fragment in fragments:
                self._add_fragment(fragment)
        elif fragments is None:
            self._whole += [*chunk.tool_calls, *chunk.invalid_tool_calls]
        finished = "finish_reason" in chunk.response_metadata
        alive = bool(fragments) or finished or "reasoning" in chunk.additional_kwargs
        self.started = self.started or alive
        return alive

    def _add_fragment(self, fragment: ToolCallChunk) -> None:
        call = next((call for call in reversed(self._calls) if call.takes(fragment)), None)
        if call is None:
            call = _CallDraft(fragment["index"], fragment.get("id"), fragment.get("name") or "")
            self._calls.append(call)
        call.id = call.id or fragment.get("id")
        call.name = call.name or fragment.get("name") or ""
        call.arguments.append(fragment.get("args") or "")

    @property
    def finish_reason(self) -> str:
        return str(self._metadata.get("finish_reason") or "")

    def check_finish(self, *, said_something: bool) -> None:
        """ModelCut when the answer is not whole, ModelUnavailable when there is none."""
        kind: FailureKind | None = None
        if self.finish_reason in ("length", "content_filter"):
            kind = "length" if self.finish_reason == "length" else "content_filter"
        if said_something and kind:
            raise ModelCut(f"the answer ended early, its finish reason is {self.finish_reason}", kind)
        if not said_something and (kind or not (self._calls or self._whole)):
            reason = f", its finish reason is {self.finish_reason}" if kind else ""
            raise ModelUnavailable(f"the answer is empty{reason}", kind or "bad_response")

    def last_chunk(self) -> AIMessageChunk:
        calls = [*self._whole, *(call.finished() for call in self._calls)]
        return AIMessageChunk(
            content="",
            tool_calls=[call for call in calls if call["type"] == "tool_call"],
            invalid_tool_calls=[call for call in calls if call["type"] == "invalid_tool_call"],
            response_metadata=self._metadata,
            usage_metadata=self._usage,
        )
