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


def _printable(text: str) -> str:
    if any(unicodedata.category(character) == "Cc" for character in text):
        raise ValueError("Expected no control characters")
    if not text.strip():
        raise ValueError("Expected at least one visible character")
    return text


TheAssistant = Annotated[Assistant, Depends(_assistant)]
Name = Annotated[str, StringConstraints(min_length=1, max_length=200), AfterValidator(_printable)]
UserId = Annotated[Name, Query(description="Whose conversations; the caller vouches for it")]
