"""What the scripted server can be told to answer, and what it is asked."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal


@dataclass(frozen=True, eq=False)
class Text:
    """An answer in `chunks` pieces."""

    text: str
    chunks: int = 8
    finish: str | None = "stop"
    reasoning: str = ""
    first_delay: float = 0
    interval: float = 0
    stop_after: int | None = None
    then: Literal["hang", "cut", "end", "error", "comments"] = "cut"
    split: int | None = None


@dataclass(frozen=True, eq=False)
class Call:
    """One tool call; `id` and `index` are the call's place in the list unless given (None leaves them out)."""

    name: str
    arguments: Mapping[str, Any] | str = field(default_factory=dict)
    id: str | Literal["auto"] | None = "auto"
    index: int | Literal["auto"] | None = "auto"

    @property
    def json(self) -> str:
        return self.arguments if isinstance(self.arguments, str) else json.dumps(self.arguments)


class Tools:
    """Tool calls, after `text` if there is any."""

    def __init__(self, *calls: Call, text: str = "", pieces: int = 3, finish: str | None = "tool_calls") -> None:
        self.calls = calls
        self.text = text
        self.pieces = pieces
        self.finish = finish


@dataclass(frozen=True, eq=False)
class Status:
    """An error reply."""

    code: int
    message: str = "scripted error"
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Mapping[str, Any] | str | None = None


@dataclass(frozen=True, eq=False)
class Hang:
    """Never comes to the first token."""

    stage: Literal["request", "headers", "role", "comments", "empty"] = "request"


@dataclass(frozen=True, eq=False)
class Disconnect:
    """The connection closes before any answer."""


class Raw:
    """Bytes of a body, with pauses."""

    def __init__(self, *parts: bytes | float, content_type: str = "text/event-stream") -> None:
        self.parts = parts
        self.content_type = content_type

    def __repr__(self) -> str:
        """The same in every process, so that tests can be spread over several."""
        return f"Raw{self.parts!r}"


@dataclass(frozen=True)
class Request:
    """What a client sent; header names are in lower case."""

    method: str
    path: str
    headers: dict[str, str]
    body: dict[str, Any]


Reply = Text | Tools | Status | Hang | Disconnect | Raw
Scripted = Reply | Callable[[Request], Reply]


def one_tool_call_each_turn(call: Call, answer: Text) -> Callable[[Request], Reply]:
    """Calls the tool until a result of that call stands after the last question, then answers."""
    tools = Tools(call, pieces=4)

    def reply(request: Request) -> Reply:
        for message in reversed(request.body.get("messages", [])):
            if message["role"] == "user":
                return tools if request.body.get("tools") else answer
            if str(message.get("tool_call_id", "")).startswith("call_scripted"):
                return answer
        return answer

    return reply
