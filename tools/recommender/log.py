"""The log of what users did to items, as columns: what the models are trained and measured on.

A million rows are held as five arrays, in order of user and time. Rows that cannot be believed (a rating that is no
number, an item that the catalogue doesn't have, a time in the future) are left out and named; the same event twice is
counted once.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tools.recommender.errors import RowRejected
from tools.recommender.model import RejectedRow

CLOCKS_DIFFER = 300.0
"""Seconds by which an event may lie ahead of our clock."""
ALIASES: Mapping[str, tuple[str, ...]] = {
    "user": ("user", "user_id", "userId"),
    "item": ("item", "item_id", "itemId", "movieId"),
    "rating": ("rating",),
    "ts": ("ts", "timestamp", "time", "created_at"),
}


@dataclass(frozen=True, slots=True)
class Log:
    """Events in order of user and time.

    Attributes:
        users, items: The ids; `user` and `item` (events,) point into them.
        liked: (events,) whether the event speaks for the item: no rating, or one that is high enough.
        time: (events,) seconds since 1970.
    """

    users: tuple[str, ...]
    items: tuple[str, ...]
    user: NDArray[np.int32]
    item: NDArray[np.int32]
    liked: NDArray[np.bool_]
    time: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.user)

    def where(self, keep: NDArray[Any]) -> "Log":
        """The events that `keep` (a mask or an order) selects; the axes stay the same."""
        return Log(self.users, self.items, self.user[keep], self.item[keep], self.liked[keep], self.time[keep])

    def of(self, user: int) -> slice:
        """Where the events of one user lie."""
        low, high = np.searchsorted(self.user, (user, user + 1))
        return slice(int(low), int(high))


@dataclass(frozen=True, slots=True)
class LogRead:
    """A log, the rows that were left out, and how many rows said again what another had said."""

    log: Log
    rejected: tuple[RejectedRow, ...]
    repeated: int


def read_log(
    rows: Iterable[tuple[int, Mapping[str, Any] | RejectedRow]],
    items: Sequence[str],
    *,
    now: datetime | None = None,
    liked_from: float = 4.0,
) -> LogRead:
    """Columns from numbered rows of {user, item, rating?, ts?}; `ts` in seconds since 1970 or as ISO 8601.

    A rating of `liked_from` or more, or none at all, speaks for the item.
    """
    latest = (now or datetime.now(UTC)).timestamp() + CLOCKS_DIFFER
    known = {id: index for index, id in enumerate(items)}
    users: dict[str, int] = {}
    events: list[tuple[int, int, bool, float]] = []
    rejected: list[RejectedRow] = []
    for number, row in rows:
        if isinstance(row, RejectedRow):
            rejected.append(row)
            continue
        try:
            events.append(_event(row, known, users, latest, liked_from))
        except RowRejected as error:
            rejected.append(RejectedRow(number, error.field, str(error)))
    log = _in_order(tuple(users), tuple(items), tuple(zip(*events, strict=True)) or ((), (), (), ()))
    unique = log.where(_first_of_each(log))
    return LogRead(unique, tuple(rejected), len(log) - len(unique))


def _event(
    row: Mapping[str, Any], known: Mapping[str, int], users: dict[str, int], latest: float, liked_from: float
) -> tuple[int, int, bool, float]:
    user, item = _id(row, "user"), _id(row, "item")
    if item not in known:
        raise RowRejected("item", f"Expected an item of the catalogue, got {item[:60]!r}.")
    rating, time = _rating(_field(row, "rating")), _time(_field(row, "ts"), latest)
    return users.setdefault(user, len(users)), known[item], rating is None or rating >= liked_from, time


def _field(row: Mapping[str, Any], name: str) -> Any:
    return next((row[alias] for alias in ALIASES[name] if alias in row), None)


def _id(row: Mapping[str, Any], name: str) -> str:
    value = _field(row, name)
    if value is None or isinstance(value, (bool, list, dict)) or not 1 <= len(str(value)) <= 200:
        raise RowRejected(name, f"Expected an id of 1 to 200 characters, got {str(value)[:60]!r}.")
    return str(value)


def _rating(value: Any) -> float | None:
    if value is None or value == "":
        return None
    number = _number("rating", value)
    if not math.isfinite(number):
        raise RowRejected("rating", f"Expected a number, got {value!r}.")
    return number


def _time(value: Any, latest: float) -> float:
    if value is None or value == "":
        return 0.0
    seconds = _seconds(value)
    if not 0 <= seconds <= latest:
        raise RowRejected("ts", f"Expected a time between 1970 and now, got {value!r}.")
    return seconds


def _seconds(value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):  # not a number, so perhaps a date
        return _timestamp(str(value))


def _timestamp(text: str) -> float:
    try:
        time = datetime.fromisoformat(text)
    except ValueError as error:
        raise RowRejected("ts", f"Expected seconds since 1970 or ISO 8601, got {text[:60]!r}.") from error
    return (time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp()


def _number(name: str, value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError) as error:
        raise RowRejected(name, f"Expected a number, got {str(value)[:60]!r}.") from error


def _in_order(users: tuple[str, ...], items: tuple[str, ...], columns: Sequence[Sequence[Any]]) -> Log:
    user, item, liked, time = columns
    log = Log(
        users,
        items,
        np.asarray(user, np.int32),
        np.asarray(item, np.int32),
        np.asarray(liked, np.bool_),
        np.asarray(time, np.float64),
    )
    return log.where(np.lexsort((log.time, log.user)))


def _first_of_each(log: Log) -> NDArray[np.int64]:
    """Where each (user, item, time) stands first."""
    order = np.lexsort((log.time, log.item, log.user))
    user, item, time = log.user[order], log.item[order], log.time[order]
    new = np.ones(len(order), np.bool_)
    new[1:] = (user[1:] != user[:-1]) | (item[1:] != item[:-1]) | (time[1:] != time[:-1])
    return np.sort(order[new])
