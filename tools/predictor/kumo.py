"""The third rung: KumoRFM, a foundation model for related tables, through its SDK (extra `kumo`) or not at all.

The service takes seconds, a turn has a fraction of one: the rung answers from what it fetched before, with its age,
and fetches in the background for users who have nothing fresh. What leaves this machine has pseudonyms for users and
items (a key made at the start, never stored) and no text: kinds of events, their times, numbers and truth values.

Habits of the SDK that this file lives with: no time limit of its own (a limit here, one fetch at a time); 429 and 500
raise (its own `retry` waits and repeats); an unknown user is a local KeyError (every user that is asked for is in the
table); the anchor is the newest row (the time is passed); one URL a process; terminal codes on stdout (a mute logger).
"""

import asyncio
import hashlib
import hmac
import logging
import math
import os
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from tools.breaker import CircuitBreaker
from tools.predictor.errors import NotReady, RungFailed
from tools.predictor.features import OPENED
from tools.predictor.history import History
from tools.predictor.model import ENGAGEMENT, Asked, Foreseen, Head, Source, wilson

log = logging.getLogger(__name__)

FRESH = 6 * 3600.0
"""Seconds for which a fetched prediction is used."""
SECONDS = 20.0
"""The most that a fetch may take, tries and waits included."""
RETRIES = 2
OTHERS = 500
"""Users beside the asked ones whose histories the model compares with."""
TRUST = 60.0
"""Cases that a fetched probability counts as much as; its own record is in the report."""
NEXT = "LIST_DISTINCT(events.item_id, 0, 30, days) RANK TOP 5"

Histories = Callable[[Sequence[str], int], Awaitable[Mapping[str, History]]]
"""Asked for the histories of these users, and of so many others."""


def installed() -> bool:
    """Whether the SDK is there."""
    return find_spec("kumoai") is not None


@dataclass(frozen=True, slots=True)
class _Fetched:
    foreseen: Foreseen
    at: float


class KumoRung:
    """KumoRFM behind a store of what it said.

    Args:
        histories: Gives the rows that are sent.
        api_key: `KUMO_API_KEY`.
        url: The service; None leaves it to the SDK.
        seconds, fresh: See `SECONDS`, `FRESH`.
    """

    source: Source = "kumo"

    def __init__(
        self,
        histories: Histories,
        *,
        api_key: str,
        url: str | None = None,
        seconds: float = SECONDS,
        fresh: float = FRESH,
        retries: int = RETRIES,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._histories, self._clock = histories, clock
        self._seconds, self._fresh = seconds, fresh
        self._sdk = _Sdk(api_key, url, retries)
        self._said: dict[str, _Fetched] = {}
        self._wanted: dict[str, None] = {}
        self._breaker = CircuitBreaker(failures=3, cooldown=300)
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="kumo")
        self._running: asyncio.Future[dict[str, Foreseen]] | None = None
        self._task: asyncio.Task[None] | None = None

    async def predict(self, asked: Sequence[Asked]) -> list[Foreseen]:
        """What was fetched for each. Raises NotReady, and fetches in the background, when one has nothing fresh."""
        now = self._clock()
        found = [self._said.get(one.user_id) for one in asked]
        fresh = [one for one in found if one is not None and now - one.at < self._fresh]
        if len(fresh) < len(asked):
            self._wanted |= {one.user_id: None for one in asked}
            self._fetch_soon()
            raise NotReady("nothing fresh is known of this user; it is being fetched")
        return [replace(one.foreseen, age=now - one.at) for one in fresh]

    def forget(self, user_id: str) -> None:
        """Drop what was said of this user."""
        self._said.pop(user_id, None)
        self._wanted.pop(user_id, None)

    async def aclose(self) -> None:
        """Stop fetching, without waiting for a service that hangs."""
        if self._task is not None:
            self._task.cancel()
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def idle(self) -> None:
        """Wait for the fetch that is on its way."""
        if self._task is not None:
            await asyncio.wait({self._task})

    def _fetch_soon(self) -> None:
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._fetch_all(), name="kumo")

    async def _fetch_all(self) -> None:
        while self._wanted:
            users = list(self._wanted)[:OTHERS]
            if not self._breaker.admit():
                return
            try:
                said = await self._fetch(users)
            except asyncio.CancelledError:
                self._breaker.dropped()
                raise
            except RungFailed as error:
                self._breaker.failed()
                log.warning("KumoRFM: %s", error)
                return
            self._breaker.succeeded()
            at = self._clock()
            self._said |= {user: _Fetched(foreseen, at) for user, foreseen in said.items()}
            for user in users:
                self._wanted.pop(user, None)

    async def _fetch(self, users: Sequence[str]) -> dict[str, Foreseen]:
        """Raises RungFailed; a call that hangs keeps its thread, and the next is refused until it ends."""
        if self._running is not None and not self._running.done():
            raise RungFailed("the last request has not come back yet")
        histories = await self._histories(users, OTHERS)
        loop = asyncio.get_running_loop()
        self._running = loop.run_in_executor(self._thread, self._sdk.ask, list(users), dict(histories), self._clock())
        done, _ = await asyncio.wait({self._running}, timeout=self._seconds)
        if not done:
            raise RungFailed(f"no answer within {self._seconds:.0f} seconds")
        try:
            return self._running.result()
        except RungFailed:
            raise
        except Exception as error:  # the SDK raises bare RuntimeError, ValueError, KeyError and those of requests
            raise RungFailed(f"{type(error).__name__}: {str(error)[:300]}") from error


class _Sdk:
    """The calls, one after the other in one thread."""

    def __init__(self, api_key: str, url: str | None, retries: int) -> None:
        self._api_key, self._url, self._retries = api_key, url, retries
        self._key = os.urandom(32)

    def ask(self, users: Sequence[str], histories: Mapping[str, History], now: float) -> dict[str, Foreseen]:
        """Engagement, and the next items where any item was ever touched, of these users at this time."""
        pandas, rfm = import_module("pandas"), import_module("kumoai.rfm")
        rfm.init(url=self._url, api_key=self._api_key, log_level="WARNING")
        names = {user: self._pseudonym(user) for user in (*users, *histories)}
        tables = tables_of(histories, names, now, self._pseudonym)
        model = rfm.KumoRFM(_graph(tables), verbose=_silent())
        anchor = pandas.Timestamp(now, unit="s")
        asked = [names[user] for user in users]
        with model.retry(self._retries):
            said = _probabilities(_predict(model, "COUNT(events.*, 0, 7, days) > 0", asked, anchor))
            ranked = _ranked(_predict(model, NEXT, asked, anchor)) if tables["items"] else {}
        items = {self._pseudonym(event.item_id): event.item_id for event in _with_items(histories)}
        return {
            user: _foreseen(said.get(names[user]), [items[one] for one in ranked.get(names[user], ()) if one in items])
            for user in users
        }

    def _pseudonym(self, name: str) -> str:
        return "p" + hmac.new(self._key, name.encode(), hashlib.sha256).hexdigest()[:16]


def tables_of(
    histories: Mapping[str, History], names: Mapping[str, str], now: float, pseudonym: Callable[[str], str]
) -> dict[str, list[dict[str, Any]]]:
    """Users, items, and events before `now`, as rows under pseudonyms; text of users and questions is left out."""
    users = [{"user_id": names[user], **_numbers(history)} for user, history in histories.items()]
    columns = dict.fromkeys(name for row in users for name in row)
    users += [{"user_id": name} for user, name in names.items() if user not in histories]
    events = [
        {"user_id": names[user], "type": event.type, "opened": event.type in OPENED, "at": event.at}
        | {"item_id": pseudonym(event.item_id) if event.item_id else None}
        for user, history in histories.items()
        for event in history.events
        if event.at < now
    ]
    return {
        "users": [{name: row.get(name) for name in columns or ["user_id"]} for row in users],
        "items": [{"item_id": name} for name in dict.fromkeys(row["item_id"] for row in events) if name],
        "events": [{"event_id": number, **event} for number, event in enumerate(events)],
    }


def _numbers(history: History) -> dict[str, float]:
    """The attributes that are numbers or truth values: a name or an address is neither."""
    attributes = history.attributes or {}
    return {f"a_{name}": float(v) for name, v in attributes.items() if isinstance(v, int | float) and math.isfinite(v)}


def _graph(tables: Mapping[str, list[dict[str, Any]]]) -> Any:
    pandas, rfm = import_module("pandas"), import_module("kumoai.rfm")
    if not tables["events"]:
        raise RungFailed("there are no events to learn from")
    events = pandas.DataFrame(tables["events"])
    if not tables["items"]:
        events = events.drop(columns="item_id")
    events["at"] = pandas.to_datetime(events["at"], unit="s")
    users = rfm.LocalTable(pandas.DataFrame(tables["users"]), "users", primary_key="user_id")
    log_table = rfm.LocalTable(events, "events", primary_key="event_id", time_column="at")
    edges = [("events", "user_id", "users")]
    if not tables["items"]:
        return rfm.Graph([users, log_table], edges=edges)
    items = rfm.LocalTable(pandas.DataFrame(tables["items"]), "items", primary_key="item_id")
    return rfm.Graph([users, items, log_table], edges=[*edges, ("events", "item_id", "items")])


def _predict(model: Any, what: str, asked: Sequence[str], anchor: Any) -> Any:
    query = f"PREDICT {what} FOR users.user_id IN {_listed(asked)}"
    return model.predict(query, indices=list(asked), anchor_time=anchor, verbose=_silent())


def _silent() -> Any:
    """A logger of the SDK that writes nothing; `verbose=False` still writes terminal codes to stdout."""
    logger = import_module("kumoai.utils.progress_logger").PlainProgressLogger

    class Silent(logger):  # type: ignore[misc, valid-type]
        def __enter__(self) -> "Silent":
            return self

        def __exit__(self, *_: object) -> None:
            """Nothing was begun."""

    return Silent("", verbose=False)


def _listed(names: Sequence[str]) -> str:
    return "(" + ", ".join(f"'{name}'" for name in names) + ")"


def _probabilities(answer: Any) -> dict[str, float]:
    if not {"ENTITY", "True_PROB"} <= set(answer.columns):
        raise RungFailed(f"expected the columns ENTITY and True_PROB, got {', '.join(map(str, answer.columns))}")
    return {str(name): float(p) for name, p in zip(answer["ENTITY"], answer["True_PROB"], strict=True)}


def _ranked(answer: Any) -> dict[str, list[str]]:
    """By user the items, the likeliest first."""
    if not {"ENTITY", "CLASS", "SCORE"} <= set(answer.columns):
        raise RungFailed(f"expected the columns ENTITY, CLASS and SCORE, got {', '.join(map(str, answer.columns))}")
    found: dict[str, list[str]] = {}
    for name, item in answer.sort_values("SCORE", ascending=False)[["ENTITY", "CLASS"]].itertuples(index=False):
        found.setdefault(str(name), []).append(str(item))
    return found


def _with_items(histories: Mapping[str, History]) -> Iterator[Any]:
    return (event for history in histories.values() for event in history.events if event.item_id)


def _foreseen(p: float | None, items: Sequence[str] = ()) -> Foreseen:
    if p is None or not 0 <= p <= 1:
        raise RungFailed(f"expected a probability for each user, got {p!r}")
    return Foreseen("kumo", "kumorfm", {ENGAGEMENT: Head(p, *wilson(p, TRUST))}, next_items=tuple(items))
