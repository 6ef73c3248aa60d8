"""What routes are given: the assistant, and names that are safe to keep."""

import unicodedata
from collections.abc import Callable
from typing import Annotated

from fastapi import Depends, Query, Request
from pydantic import AfterValidator, StringConstraints

from agent.assistant import Assistant


def _assistant(request: Request) -> Assistant:
    provide: Callable[[], Assistant] = request.app.state.assistant_provider
    return provide()


def _storable(text: str) -> str:
    """JSON can escape what no database keeps: half of a surrogate pair, and NUL."""
    if "\0" in text or (not text.isascii() and any("\ud800" <= character <= "\udfff" for character in text)):
        raise ValueError("Expected Unicode text without NUL and without half surrogate pairs")
    return text


def _printable(text: str) -> str:
    if any(unicodedata.category(character) == "Cc" for character in text):
        raise ValueError("Expected no control characters")
    if not text.strip():
        raise ValueError("Expected at least one visible character")
    return text


TheAssistant = Annotated[Assistant, Depends(_assistant)]
Text = Annotated[str, AfterValidator(_storable)]
Name = Annotated[Text, StringConstraints(min_length=1, max_length=200), AfterValidator(_printable)]
UserId = Annotated[Name, Query(description="Whose conversations; the caller vouches for it")]
