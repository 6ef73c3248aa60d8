"""A scripted reply as what is done on a connection: bytes that were made beforehand, pauses and cuts."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, cast

from tests.model_server.replies import Call, Disconnect, Hang, Raw, Reply, Status, Text, Tools


@dataclass(frozen=True)
class Pause:
    seconds: float | None  # None: for ever


@dataclass(frozen=True)
class Repeat:
    data: bytes


class Cut:
    pass


Step = bytes | Pause | Repeat | Cut


def _head(code: int, headers: Mapping[str, str]) -> bytes:
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"HTTP/1.1 {code} Scripted\r\n{lines}\r\n".encode()


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


_END = b"0\r\n\r\n"
_STREAM_HEAD = _head(200, {"content-type": "text/event-stream; charset=utf-8", "transfer-encoding": "chunked"})


def whole(code: int, body: bytes, headers: Mapping[str, str], content_type: str = "application/json") -> bytes:
    return _head(code, {"content-type": content_type, "content-length": str(len(body)), **headers}) + body


def _event(payload: Mapping[str, Any]) -> bytes:
    return b"data: " + json.dumps(payload, ensure_ascii=False).encode() + b"\n\n"


def _delta(delta: Mapping[str, Any], finish: str | None = None) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": finish, "logprobs": None}
    return _event({**_ENVELOPE, "object": "chat.completion.chunk", "choices": [choice]})


_ENVELOPE = {"id": "chatcmpl-scripted", "created": 1, "model": "scripted"}
USAGE = {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18}
_ROLE = {"role": "assistant", "content": ""}


def _pieces(text: str, count: int) -> list[str]:
    size = max(1, -(-len(text) // max(1, count)))
    return [text[start : start + size] for start in range(0, len(text), size)]


def _call_events(call: Call, place: int, pieces: int) -> Iterator[bytes]:
    index = {} if call.index is None else {"index": place if call.index == "auto" else call.index}
    identity = {} if call.id is None else {"id": f"call_scripted_{place}" if call.id == "auto" else call.id}
    first, *rest = _pieces(call.json, pieces) or [""]
    opening = {**index, **identity, "type": "function", "function": {"name": call.name, "arguments": first}}
    yield _delta({"tool_calls": [opening]})
    for piece in rest:
        yield _delta({"tool_calls": [{**index, "function": {"arguments": piece}}]})


def _tail(finish: str | None, usage: bool) -> Iterator[bytes]:
    if finish is not None:
        yield _delta({}, finish)
    if usage:
        yield _event({**_ENVELOPE, "object": "chat.completion.chunk", "choices": [], "usage": USAGE})
    yield b"data: [DONE]\n\n"


def _stop_steps(then: str) -> list[Step]:
    error = _event({"error": {"message": "scripted error in mid-stream", "type": "server_error", "code": None}})
    endings: dict[str, list[Step]] = {
        "hang": [Pause(None)],
        "cut": [Cut()],
        "end": [_END],
        "error": [_chunk(error), _END],
        "comments": [Repeat(_chunk(b": keep-alive\n\n"))],
    }
    return endings[then]


def _text_steps(reply: Text, usage: bool) -> list[Step]:
    events = [_delta({"reasoning_content": piece}) for piece in _pieces(reply.reasoning, reply.chunks)]
    events += [_delta({"content": piece}) for piece in _pieces(reply.text, reply.chunks)]
    stopped = reply.stop_after is not None
    body = [_delta(_ROLE), *events[: reply.stop_after], *([] if stopped else _tail(reply.finish, usage))]
    if reply.split:
        joined = b"".join(body)
        body = [joined[start : start + reply.split] for start in range(0, len(joined), reply.split)]
    steps: list[Step] = [_STREAM_HEAD, _chunk(body[0])]
    if reply.first_delay:
        steps.append(Pause(reply.first_delay))
    for part in body[1:]:
        steps.append(_chunk(part))
        if reply.interval:
            steps.append(Pause(reply.interval))
    return steps + (_stop_steps(reply.then) if stopped else [_END])


def _tools_steps(reply: Tools, usage: bool) -> list[Step]:
    events = [_delta(_ROLE)]
    events += [_delta({"content": piece}) for piece in _pieces(reply.text, reply.pieces)]
    for place, call in enumerate(reply.calls):
        events += _call_events(call, place, reply.pieces)
    events += _tail(reply.finish, usage)
    return [_STREAM_HEAD, *map(_chunk, events), _END]


def _hang_steps(reply: Hang) -> list[Step]:
    stages: dict[str, list[Step]] = {
        "request": [Pause(None)],
        "headers": [_STREAM_HEAD, Pause(None)],
        "role": [_STREAM_HEAD, _chunk(_delta(_ROLE)), Pause(None)],
        "comments": [_STREAM_HEAD, Repeat(_chunk(b": keep-alive\n\n"))],
        "empty": [_STREAM_HEAD, Repeat(_chunk(_delta({"content": ""})))],
    }
    return stages[reply.stage]


def status_bytes(reply: Status) -> bytes:
    if isinstance(reply.body, str):
        return whole(reply.code, reply.body.encode(), reply.headers, "text/html")
    body = reply.body or {"error": {"message": reply.message, "type": "scripted", "param": None, "code": None}}
    return whole(reply.code, json.dumps(body).encode(), reply.headers)


def _raw_steps(reply: Raw) -> list[Step]:
    head = _head(200, {"content-type": reply.content_type, "transfer-encoding": "chunked"})
    return [head, *(_chunk(part) if isinstance(part, bytes) else Pause(part) for part in reply.parts), _END]


def _join(steps: Sequence[Step]) -> list[Step]:
    """Neighbouring bytes become one write, except where a test wants them to arrive apart."""
    joined: list[Step] = []
    for step in steps:
        if isinstance(step, bytes) and joined and isinstance(joined[-1], bytes):
            joined[-1] += step
        else:
            joined.append(step)
    return joined


@lru_cache(maxsize=256)
def stream_steps(reply: Reply, usage: bool) -> list[Step]:
    match reply:
        case Text():
            steps = _text_steps(reply, usage)
            return steps if reply.split else _join_fast(steps)
        case Tools():
            return _join_fast(_tools_steps(reply, usage))
        case Status():
            return [status_bytes(reply)]
        case Hang():
            return _hang_steps(reply)
        case Disconnect():
            return [Cut()]
        case Raw():
            return _raw_steps(reply)


def _join_fast(steps: list[Step]) -> list[Step]:
    if all(isinstance(step, bytes) for step in steps):
        return [b"".join(cast(list[bytes], steps))]
    return _join(steps)


def _message(reply: Text | Tools) -> dict[str, Any]:
    if isinstance(reply, Text):
        return {"role": "assistant", "content": reply.text}
    calls = [
        {"id": f"call_scripted_{place}", "type": "function", "function": {"name": call.name, "arguments": call.json}}
        for place, call in enumerate(reply.calls)
    ]
    return {"role": "assistant", "content": reply.text or None, "tool_calls": calls}


@lru_cache(maxsize=256)
def whole_steps(reply: Reply) -> list[Step]:
    if not isinstance(reply, Text | Tools):
        return stream_steps(reply, False)
    choice = {"index": 0, "message": _message(reply), "finish_reason": reply.finish, "logprobs": None}
    payload = {**_ENVELOPE, "object": "chat.completion", "choices": [choice], "usage": USAGE}
    return [whole(200, json.dumps(payload).encode(), {})]
