"""/v1: the agent as a model of an OpenAI-compatible server, for every client that speaks that language.

Who asks comes from the credentials; only a key that is marked as a trusted proxy may name the user and the chat, in the
headers that Open WebUI sends. The client keeps the conversation and sends it along; with a named chat ours goes on.
"""

import json
import time
from collections.abc import AsyncIterable, AsyncIterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Body, Depends, Request
from fastapi.responses import JSONResponse, Response, StreamingResponse
from pydantic import BaseModel, ConfigDict, Field

from agent.assistant import Assistant, Turn
from agent.errors import ConversationNotFound, TurnRejected
from agent.events import Event, Failed, Replied, Reply, SourcesFound, Token, TurnStarted
from knowledge_base.passage import Utterance
from tools.doorways.threads import ThreadStore
from ui.api.access import Access
from ui.api.citations import Annotation, annotations, sources_list, without_sources
from ui.api.deps import Name, RateLimited, Text, TheAccess, TheAssistant, TheIdentity
from ui.api.idempotency import IdempotencyKey
from ui.api.identity import Identity
from ui.api.problems import FieldError, OpenAIErrorBody, Problem, ProblemError, openai_error, problem, title
from ui.api.turns import turn_events, whole_reply

MODEL = "attune"
CHAT_ID = "x-openwebui-chat-id"
NOBODY = "local"  # who asks in open mode when the request does not say
STARTED = 1_767_225_600  # what /v1/models gives as the model's age: the beginning of 2026

router = APIRouter(prefix="/v1", tags=["openai"])


def may_fail(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The error responses of a route, in OpenAI's shape."""
    return {status: {"model": OpenAIErrorBody, "description": title(status)} for status in statuses}


class Model(BaseModel):
    """The agent, as a model."""

    id: str = MODEL
    object: Literal["model"] = "model"
    created: int = STARTED
    owned_by: str = "attune"


class Models(BaseModel):
    """There is one."""

    object: Literal["list"] = "list"
    data: list[Model]


class Part(BaseModel):
    """A piece of a message; only text is read."""

    model_config = ConfigDict(extra="allow")

    type: str = Field(examples=["text"])
    text: Text | None = Field(default=None, max_length=1_000_000)


class ChatMessage(BaseModel):
    """A message of the conversation. Users' and the assistant's are read; a client's instructions are not, since what
    the agent may say rests on its documents."""

    model_config = ConfigDict(extra="allow")

    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: Text | list[Part] | None = None

    def text(self) -> str:
        """What it says, its parts one under the other."""
        if isinstance(self.content, list):
            return "\n".join(part.text for part in self.content if part.text)
        return self.content or ""


class StreamOptions(BaseModel):
    """What a stream brings besides the answer."""

    model_config = ConfigDict(extra="allow")

    include_usage: bool | None = None


class ChatRequest(BaseModel):
    """As OpenAI describes it; what the agent has no use for is accepted, and left alone."""

    model_config = ConfigDict(extra="allow")

    model: str = Field(max_length=200, examples=[MODEL])
    messages: list[ChatMessage] = Field(min_length=1, max_length=1_000)
    stream: bool | None = False
    stream_options: StreamOptions | None = None
    n: Literal[1] | None = Field(default=None, description="One answer is given")
    user: Name | None = Field(default=None, description="Who asks, in open mode; else the credentials say it")

    @property
    def with_usage(self) -> bool:
        """Whether a stream ends in a count of tokens."""
        return bool(self.stream_options and self.stream_options.include_usage)


class Usage(BaseModel):
    """Tokens, estimated at four bytes each: the agent's own prompts and tools are not counted."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int


class Answered(BaseModel):
    """The answer as a message, with the sources that it cites."""

    role: Literal["assistant"] = "assistant"
    content: str
    refusal: str | None = None
    annotations: list[Annotation] = []


class Choice(BaseModel):
    """The one answer."""

    index: int = 0
    message: Answered
    logprobs: None = None
    finish_reason: Literal["stop", "length"]


class ChatCompletion(BaseModel):
    """A finished answer; the part of `id` after chatcmpl- rates it at /api/feedback."""

    id: str
    object: Literal["chat.completion"] = "chat.completion"
    created: int
    model: str = MODEL
    choices: list[Choice]
    usage: Usage


@router.get(
    "/models",
    operation_id="list_models",
    summary="The models: one, the agent",
    responses=may_fail(401, 429, 503),
    dependencies=[Depends(RateLimited())],
)
async def list_models() -> Models:
    """For clients that let their users choose."""
    return Models(data=[Model()])


@router.get(
    "/models/{model}",
    operation_id="read_model",
    summary="One model",
    responses=may_fail(401, 404, 422, 429, 503),
    dependencies=[Depends(RateLimited())],
)
async def read_model(model: str) -> Model:
    """What is known of it."""
    _require_model(model)
    return Model()


def _require_model(name: str) -> None:
    if name != MODEL:
        wrong = FieldError(field="model", message=f"Expected {MODEL}")
        raise ProblemError(404, f"There is no model {name!r} here; use {MODEL!r}.", [wrong], code="model_not_found")


Asked = Annotated[
    ChatRequest,
    Body(
        openapi_examples={
            "a question": {
                "value": {"model": MODEL, "messages": [{"role": "user", "content": "How does escrow work?"}]}
            },
            "a stream with the count of tokens": {
                "value": {
                    "model": MODEL,
                    "stream": True,
                    "stream_options": {"include_usage": True},
                    "messages": [{"role": "user", "content": [{"type": "text", "text": "How does escrow work?"}]}],
                }
            },
        }
    ),
]


@dataclass(frozen=True, slots=True)
class Chat:
    """A request as a turn, and the name under which its conversation is found again."""

    turn: Turn
    thread: str | None
    prompt_chars: int
    with_usage: bool


async def _chat(
    asked: Asked, request: Request, identity: TheIdentity, access: TheAccess, assistant: TheAssistant
) -> Chat:
    _require_model(asked.model)
    question, history = _said(asked.messages)
    user_id = identity.user_id or asked.user or NOBODY
    identity.acts_for.add(user_id)
    thread = _thread(request, identity, user_id)
    turn = Turn(
        user_id,
        question,
        await _conversation(thread, user_id, access, assistant),
        channel="openai",
        history=history,
    )
    prompt = sum(len(message.text().encode()) for message in asked.messages)
    return Chat(turn, thread, prompt, asked.with_usage)


def _said(messages: Sequence[ChatMessage]) -> tuple[str, tuple[Utterance, ...]]:
    """The question, which is the last message of the user, and what was said before it."""
    asked = [place for place, message in enumerate(messages) if message.role == "user"]
    if not asked or not messages[asked[-1]].text().strip():
        wrong = FieldError(field="messages", message="Expected a user's message with text")
        raise ProblemError(400, "messages: expected a last message of the role user that holds text.", [wrong])
    earlier = (
        Utterance("user" if message.role == "user" else "assistant", without_sources(message.text()))
        for message in messages[: asked[-1]]
        if message.role in {"user", "assistant"}
    )
    return messages[asked[-1]].text(), tuple(said for said in earlier if said.text.strip())


def _thread(request: Request, identity: Identity, user_id: str) -> str | None:
    chat_id = request.headers.get(CHAT_ID, "").strip() if identity.proxied else ""
    if not chat_id:
        return None
    if len(chat_id) > 80 or not chat_id.isprintable():
        raise ProblemError(400, "Expected X-OpenWebUI-Chat-Id to be at most 80 printable characters.")
    return f"openai:{chat_id}:{user_id}"


async def _conversation(thread: str | None, user_id: str, access: Access, assistant: Assistant) -> str | None:
    """The conversation that this chat is here, if it goes on; one that was deleted starts anew."""
    if thread is None:
        return None
    stretches = await (await access.threads()).stretches(thread, last=1)
    if not stretches:
        return None
    try:
        await assistant.check(Turn(user_id, "?", stretches[0].conversation_id))
    except ConversationNotFound:
        return None
    return stretches[0].conversation_id


async def _note(chat: Chat, conversation_id: str, threads: ThreadStore | None) -> None:
    if threads is not None and chat.thread is not None:
        await threads.spoke(chat.thread, conversation_id, f"openai:{chat.turn.user_id}"[:200])


STREAM: dict[str, Any] = {
    "description": "The answer; with `stream` as server-sent events, each a chunk as OpenAI describes it",
    "content": {
        "text/event-stream": {
            "itemSchema": {"type": "object", "properties": {"data": {"type": "string"}}, "required": ["data"]}
        }
    },
}


@router.post(
    "/chat/completions",
    operation_id="create_chat_completion",
    summary="Ask, as OpenAI's clients do",
    response_model=ChatCompletion,
    responses={200: STREAM, **may_fail(400, 401, 403, 404, 409, 413, 415, 422, 429, 500, 503, 504)},
    dependencies=[Depends(RateLimited(turn=True))],
)
async def create_chat_completion(
    asked: Asked,
    chat: Annotated[Chat, Depends(_chat)],
    assistant: TheAssistant,
    access: TheAccess,
    request: Request,
    _: IdempotencyKey = None,
) -> Response:
    """Answers the last message of the user. Citations are `[1]` in the text, `annotations` of the type url_citation,
    and a list of sources under the answer."""
    threads = await access.threads() if chat.thread else None
    try:
        if asked.stream:
            return await _stream(chat, assistant, access, threads)
        reply = await whole_reply(access, assistant, chat.turn, request)
    except TurnRejected as error:
        raise _as_openai(error) from error
    await _note(chat, reply.conversation_id, threads)
    return JSONResponse(_completion(reply, chat).model_dump())


def _as_openai(error: TurnRejected) -> ProblemError:
    return ProblemError(400, str(error), [FieldError(field="messages", message=str(error))])


def _completion(reply: Reply, chat: Chat) -> ChatCompletion:
    found = annotations(reply.answer, reply.sources)
    content = reply.answer + sources_list(reply.sources)
    return ChatCompletion(
        id=f"chatcmpl-{reply.message_id}",
        created=int(time.time()),
        choices=[Choice(message=Answered(content=content, annotations=found), finish_reason=_finish(reply))],
        usage=_usage(chat, content),
    )


def _finish(reply: Reply) -> Literal["stop", "length"]:
    return "length" if reply.cut else "stop"


def _usage(chat: Chat, content: str) -> Usage:
    asked, said = -(-chat.prompt_chars // 4), -(-len(content.encode()) // 4)
    return Usage(prompt_tokens=asked, completion_tokens=said, total_tokens=asked + said)


async def _stream(chat: Chat, assistant: Assistant, access: Access, threads: ThreadStore | None) -> Response:
    """The response, begun only once the turn is known to be one that can be run."""
    async with AsyncExitStack() as opening:
        events = await opening.enter_async_context(turn_events(access, assistant, chat.turn))
        return ChunkStream(Chunks(chat, threads).of(events), opening.pop_all())


class ChunkStream(StreamingResponse):
    """Server-sent events that close the turn behind them, however they end."""

    def __init__(self, chunks: AsyncIterable[str], turn: AsyncExitStack) -> None:
        super().__init__(chunks, media_type="text/event-stream", headers={"Cache-Control": "no-cache"})
        self._turn = turn

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        async with self._turn:
            await super().__call__(scope, receive, send)


class Chunks:
    """A turn's events as OpenAI's chunks: the role first, the answer, its sources, the end."""

    def __init__(self, chat: Chat, threads: ThreadStore | None) -> None:
        self._chat = chat
        self._threads = threads
        self._created = int(time.time())
        self._id = "chatcmpl"
        self._said: list[str] = []

    async def of(self, events: AsyncIterator[Event]) -> AsyncIterator[str]:
        """Each event's lines; events without words for the reader have none."""
        async for event in events:
            for chunk in await self._after(event):
                yield chunk
        yield "data: [DONE]\n\n"

    async def _after(self, event: Event) -> list[str]:
        if isinstance(event, TurnStarted):
            self._id = f"chatcmpl-{event.message_id}"
            await _note(self._chat, event.conversation_id, self._threads)
            return [self._chunk({"role": "assistant", "content": "", "refusal": None})]
        if isinstance(event, Token):
            return [self._say(event.text)]
        if isinstance(event, Replied):
            return self._end(event.reply)
        if isinstance(event, Failed):
            return [_line(openai_error(_problem(event), event.code).model_dump())]
        return [": working\n\n"] if isinstance(event, SourcesFound) else []

    def _say(self, text: str) -> str:
        self._said.append(text)
        return self._chunk({"content": text})

    def _end(self, reply: Reply) -> list[str]:
        chunks = [] if self._said else [self._say(reply.answer)]
        found = annotations("".join(self._said), reply.sources)
        if listed := sources_list(reply.sources):
            chunks.append(self._say(listed))
        if found:
            chunks.append(self._chunk({"annotations": [one.model_dump() for one in found]}))
        chunks.append(self._chunk({}, finish=_finish(reply)))
        if self._chat.with_usage:
            usage = _usage(self._chat, "".join(self._said))
            chunks.append(_line(self._frame([]) | {"usage": usage.model_dump()}))
        return chunks

    def _chunk(self, delta: dict[str, Any], finish: str | None = None) -> str:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        return _line(self._frame([choice]) | ({"usage": None} if self._chat.with_usage else {}))

    def _frame(self, choices: list[dict[str, Any]]) -> dict[str, Any]:
        return {
            "id": self._id,
            "object": "chat.completion.chunk",
            "created": self._created,
            "model": MODEL,
            "choices": choices,
        }


def _line(value: dict[str, Any]) -> str:
    return f"data: {json.dumps(value, ensure_ascii=False, separators=(',', ':'))}\n\n"


def _problem(event: Failed) -> Problem:
    statuses = {"rejected": 400, "timeout": 504, "unavailable": 503, "busy": 503}
    return problem(statuses.get(event.code, 500), event.message)
