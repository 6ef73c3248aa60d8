"""What applications may report with an action: metadata that can be kept and shown again, and a time that has come."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import AfterValidator, AwareDatetime, Field, TypeAdapter

from tools.profile.store import CLOCKS_APART
from ui.api.deps import Name, Text

METADATA_CHARS = 10_000
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TEXT: TypeAdapter[str] = TypeAdapter(Text)


def _kept_whole(metadata: dict[str, Any]) -> dict[str, Any]:
    try:
        chars = len(json.dumps(metadata, allow_nan=False))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"Expected values that JSON can hold: {error}") from error
    if chars > METADATA_CHARS:
        raise ValueError(f"Expected at most {METADATA_CHARS:,} characters of JSON, got {chars:,}")
    for text in _texts(metadata):
        _TEXT.validate_python(text)
    return metadata


def _texts(value: Any) -> Iterator[str]:
    """Every text in a JSON value, keys too."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        yield from value
        for one in value.values():
            yield from _texts(one)
    elif isinstance(value, list):
        for one in value:
            yield from _texts(one)


def _has_come(at: datetime) -> datetime:
    if not EPOCH <= at <= datetime.now(UTC) + CLOCKS_APART:
        raise ValueError(f"Expected a time between 1970 and now, got {at.isoformat()}")
    return at


Metadata = Annotated[dict[Name, Any], Field(max_length=50), AfterValidator(_kept_whole)]
Past = Annotated[AwareDatetime, AfterValidator(_has_come)]
