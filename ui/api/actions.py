"""Reports of what users did, checked row by row, and handed to the recommender so that nothing counts twice."""

import hashlib
import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC
from typing import Any

from pydantic import Field, ValidationError

from agent.assistant import Assistant
from tools.profile.errors import ProfileInputInvalid
from tools.profile.model import Interaction
from ui.api.deps import Name, authorised_user
from ui.api.identity import Identity
from ui.api.me import NewInteraction, interaction_of
from ui.api.problems import FieldError, ProblemError

NEED_NO_ITEM = frozenset({"question", "search", "conversation", "item_create"})


class Action(NewInteraction):
    """Something that a user did. Without a key, the same action at the same `at` is counted once."""

    user_id: Name | None = Field(default=None, description="Who did it; needed in open mode only", examples=["ada"])


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a batch that is well formed: its place, who did it, and what."""

    index: int
    user_id: str
    done: Interaction


@dataclass(slots=True)
class Checked:
    """The rows that can be kept, and by index what is wrong with the others."""

    rows: list[Row] = field(default_factory=list)
    wrong: dict[int, list[FieldError]] = field(default_factory=dict)


def checked(action: NewInteraction) -> Interaction:
    """The action as the log keeps it. Raises ProblemError 422 with the field that is wrong."""
    if action.item_id is None and action.type not in NEED_NO_ITEM:
        raise _wrong("item_id", f"Expected the item that the {action.type} is about")
    try:
        return interaction_of(action)
    except ProfileInputInvalid as error:
        raise _wrong(error.field, str(error)) from error


def _wrong(name: str, message: str) -> ProblemError:
    return ProblemError(422, f"{name}: {message}", [FieldError(field=name, message=message, pointer=f"#/{name}")])


async def require_item(assistant: Assistant, done: Interaction) -> None:
    """Raises ProblemError 422 when the catalogue doesn't have the item that an action is about."""
    if await _unknown_items(assistant, [done]):
        raise _wrong("item_id", _unknown(done))


async def check_rows(assistant: Assistant, identity: Identity, sent: Sequence[Any], *, user_id: str | None) -> Checked:
    """Sort good rows from bad ones. `user_id` did what rows without one say."""
    found = Checked()
    for index, raw in enumerate(sent):
        try:
            found.rows.append(_row(index, raw, identity, user_id))
        except ValidationError as error:
            found.wrong[index] = [_at(index, one["loc"], one["msg"]) for one in error.errors()]
        except ProblemError as error:
            found.wrong[index] = [_at(index, (one.field,), one.message) for one in error.problem.errors]
    unknown = await _unknown_items(assistant, [row.done for row in found.rows])
    found.wrong |= {
        row.index: [_at(row.index, ("item_id",), _unknown(row.done))]
        for row in found.rows
        if row.done.item_id in unknown and row.done.type != "item_create"
    }
    found.rows = [row for row in found.rows if row.index not in found.wrong]
    return found


def _row(index: int, raw: Any, identity: Identity, user_id: str | None) -> Row:
    action = Action.model_validate(raw)
    return Row(index, authorised_user(identity, action.user_id or user_id), checked(action))


def _at(index: int, path: Sequence[str | int], message: str) -> FieldError:
    """An error in a row of a batch."""
    steps = [str(step) for step in path]
    pointer = "/".join(step.replace("~", "~0").replace("/", "~1") for step in ("interactions", str(index), *steps))
    name = ".".join(steps) or f"interactions[{index}]"
    return FieldError(field=name, message=message.removeprefix("Value error, "), pointer=f"#/{pointer}")


async def _unknown_items(assistant: Assistant, done: Sequence[Interaction]) -> set[str]:
    named = {one.item_id for one in done if one.item_id is not None and one.type != "item_create"}
    return named - (await assistant.recommender.catalogue.get(named)).keys()


def _unknown(done: Interaction) -> str:
    return f"Expected an item of the catalogue, got {(done.item_id or '')[:60]!r}"


async def act(assistant: Assistant, rows: Sequence[Row]) -> tuple[int, int]:
    """Record rows, each user's in one transaction; how many are new, and how many were there or came twice."""
    by_user: dict[str, dict[str, Interaction]] = defaultdict(dict)
    for row in rows:
        by_user[row.user_id].setdefault(row.done.key or _fingerprint(row.done), once(row.done))
    twice = len(rows) - sum(len(of) for of in by_user.values())
    recorded = [await assistant.recommender.act(user, list(of.values())) for user, of in by_user.items()]
    return sum(one.recorded for one in recorded), twice + sum(one.repeated for one in recorded)


def once(done: Interaction) -> Interaction:
    """The action with a key of its own where it says when it happened: reported again, it is the same."""
    return replace(done, key=_fingerprint(done)) if done.key is None and done.at is not None else done


def _fingerprint(done: Interaction) -> str:
    what: Mapping[str, Any] = {
        "type": done.type,
        "item_id": done.item_id,
        "rating": done.rating,
        "metadata": dict(done.metadata),
        "keywords": list(done.keywords),
        "at": done.at.astimezone(UTC).isoformat() if done.at else None,
    }
    return f"same:{hashlib.sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()}"
