"""What a browser sends with an event, and who it is: read here, and believed in nothing else."""

import json

import gradio as gr

KEYS = 40  # open lines that a browser may name at a time


def user_of(request: gr.Request) -> str:
    """The reader, from the request only."""
    if not request.username:
        raise gr.Error("This page needs its cookie to know your conversations. Allow cookies, then reload.")
    return request.username


def text_of(event: gr.EventData, name: str) -> str:
    """A field of what the page sent with an event; anything but text counts as nothing."""
    value = getattr(event, name, "")
    return value if isinstance(value, str) else ""


def number_of(event: gr.EventData, name: str) -> int | None:
    """A field that shall be a whole number, sent as text; None when it is none that a database holds."""
    text = text_of(event, name)
    return int(text) if text.isascii() and text.isdigit() and len(text) < 16 else None


def pairs_of(event: gr.EventData, name: str) -> list[tuple[str, str]]:
    """A field that holds pairs of texts as JSON; what is no pair is passed over."""
    try:
        found = json.loads(text_of(event, name) or "[]")
    except (ValueError, RecursionError):
        return []
    return [(one[0], one[1]) for one in found[:KEYS] if _is_pair(one)] if isinstance(found, list) else []


def _is_pair(value: object) -> bool:
    return isinstance(value, list) and len(value) == 2 and all(isinstance(one, str) for one in value)
