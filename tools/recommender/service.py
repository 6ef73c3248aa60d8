"""START HERE for suggestions: what doorways and the turn ask for, and what they report back.

A list is made from three things that are replaced whole when they change: the shelf (the catalogue in memory), what was
trained from the log, and the user's state. Ranking runs in a thread; training in a process of its own.
"""

import asyncio
import time
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
from cachetools import LRUCache
from numpy.typing import NDArray
from sqlalchemy.ext.asyncio import AsyncEngine

from knowledge_base.passage import Document
from tools.background import Background
from tools.profile.model import Interaction, Profile, Recorded
from tools.profile.store import ProfileStore
from tools.recommender import trained as on_disk
from tools.recommender.cache import InProcess, Kept, ListCache
from tools.recommender.catalogue import CatalogueStore, Loaded
from tools.recommender.choosing import choose
from tools.recommender.errors import CursorInvalid
from tools.recommender.policy import Policy
from tools.recommender.ranking import ALPHA, Ranker, Scores, Wish
from tools.recommender.reasons import boosts_of, reasons_of
from tools.recommender.shelf import Shelf, make_shelf
from tools.recommender.shown import Shown, ShownLog
from tools.recommender.suggestion import Personalization, Suggestion, SuggestionList, packed, unpacked
from tools.recommender.titles import Match, find_title
from tools.recommender.training import train_beside
from tools.recommender.user_state import NEVER_AGAIN, UserState, read_actions, state_of
from tools.recommender.vectors import Embed, ItemVectors

CONVERSATION = "conversation"
"""Where offers beside an answer are shown."""
OFFERS = 2
USEFUL = 0.4
"""The cosine with the conversation from which a next step is worth offering."""
LOOKED_AT = 30.0
"""Seconds after which the catalogue and the disk are asked whether something changed."""
ASIDE = 0.05
"""Seconds by which a write waits that nobody waits for: the turn's own write goes first."""
PAGED = 500
"""How far a ranked catalogue can be paged through."""
CAROUSEL = 40


@dataclass(frozen=True, slots=True)
class Page:
    """A part of a ranked list, and the cursor of the next; None at the end."""

    listed: SuggestionList
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class LikeThis:
    """Items like one that was named: what the title was taken for, and the list."""

    query: str
    match: Match
    listed: SuggestionList


class Recommender:
    """Suggestions for users.

    Args:
        engine: A migrated database.
        profiles: Where preferences are read and actions recorded.
        folder: Where what was trained is kept.
        embed: Texts → (texts, dimensions) unit vectors; without it nothing is matched by meaning.
        seed: For tests: what is tried then repeats.
        clock: Seconds since 1970.
    """

    def __init__(
        self,
        engine: AsyncEngine,
        profiles: ProfileStore,
        *,
        folder: Path,
        policy: Policy | None = None,
        cache: ListCache | None = None,
        embed: Embed | None = None,
        seed: int | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._engine, self._profiles, self._folder = engine, profiles, folder
        self._policy = policy or Policy()
        self._cache = cache or InProcess(clock=clock)
        self._vectors = ItemVectors(folder, embed)
        self._draw = np.random.default_rng(seed)
        self._clock = clock
        profiles.changed = self.changed
        self.catalogue = CatalogueStore(engine)
        self.shown = ShownLog(engine)
        self._ranker: Ranker | None = None
        self._made_of: tuple[str, str | None] | None = None
        self._looked_at = 0.0
        self._changing = asyncio.Lock()
        self._making: dict[tuple[str, str], asyncio.Future[SuggestionList]] = {}
        self._acted: LRUCache[str, frozenset[str]] = LRUCache(20_000)
        self._background = Background()

    # The catalogue and what was learned

    async def open(self) -> None:
        """Read the catalogue and what was trained last."""
        await asyncio.to_thread(self._vectors.read)
        await self.refresh()

    async def close(self) -> None:
        """Wait for what is still being written, and let go of connections."""
        await self.idle()
        await self._cache.aclose()

    async def idle(self) -> None:
        """Wait for what is still being written."""
        await self._background.idle()

    async def refresh(self) -> None:
        """Take in changes of the catalogue and what was trained since; lists in the making end with the old."""
        async with self._changing:
            self._looked_at = self._clock()
            version = await self.catalogue.version(), await asyncio.to_thread(on_disk.current_version, self._folder)
            if version != self._made_of:
                await self._rebuild()
                self._made_of = version

    async def keep_articles(self, documents: Iterable[Document]) -> Loaded:
        """Make the catalogue's articles those of the knowledge base."""
        done = await self.catalogue.keep_articles(documents)
        await self.refresh()
        return done

    async def load(self, path: Path, *, facets: Mapping[str, str] | None = None, category: str = "article") -> Loaded:
        """Upsert items from a CSV or JSON lines file. Raises CatalogueUnreadable."""
        done = await self.catalogue.load(path, facets=facets, category=category)
        await self.refresh()
        return done

    async def retrain(self) -> str | None:
        """Learn from the log in another process and take it in; None when there is nothing to learn from yet."""
        version = await train_beside(self._engine, self._folder)
        await self.refresh()
        return version

    async def embed_items(self) -> int:
        """Make the vectors that are missing, and rank with them; how many there were."""
        shelf = (await self._ready()).shelf
        made = await self._vectors.make_missing(shelf.items)
        if made:
            async with self._changing:
                await self._rebuild()
        return made

    async def vector(self, text: str) -> NDArray[np.float32] | None:
        """(dimensions,) what a text means, for `query`; None where nothing embeds."""
        return await self._vectors.one(text)

    # Lists

    async def recommend(
        self,
        user_id: str,
        *,
        count: int = 10,
        category: str | None = None,
        near: tuple[float, float] | None = None,
        place: str = "for_you",
        log: bool = True,
    ) -> SuggestionList:
        """The best for a user; from the cache where it can be. A stranger gets what is popular and good."""
        await self._look()
        area = "" if near is None else f"{near[0]:.2f},{near[1]:.2f}"
        kind = f"{category or ''}|{area}|{count}"
        wish = Wish(count=count, category=category, near=near)
        listed = await self._kept(user_id, kind, wish) or await self._make_once(user_id, kind, wish)
        return await self._served(listed, place, log=log)

    async def about(
        self, user_id: str, query: NDArray[np.float32], *, count: int = 3, leave_out: Iterable[str] = ()
    ) -> SuggestionList:
        """What suits the user and what a conversation is about; for the tool `recommend_content`."""
        wish = Wish(count=count, query=query, leave_out=frozenset(leave_out))
        return await self._served(await self._make(user_id, wish), CONVERSATION, log=True)

    async def offers(
        self,
        user_id: str,
        query: NDArray[np.float32] | None,
        *,
        count: int = OFFERS,
        leave_out: Iterable[str] = (),
        complaint: bool = False,
        profile: Profile | None = None,
    ) -> SuggestionList:
        """At most `count` next steps after an answer, those that are close to what was asked; often none.

        What was offered before and left without an answer counts as ignored from now on. After two lists that were
        ignored, and in a reply to a complaint, nothing is offered. What is shown is to be `noted`.
        """
        ranker = await self._ready()
        near = _near(ranker.shelf, query) if query is not None and not complaint else frozenset()
        if await self._ignored(user_id) or not near:
            return self._empty(UserState(user_id))
        state = await self._state(user_id, profile)
        wish = Wish(
            count=min(count, OFFERS), query=query, leave_out=frozenset(leave_out), only=frozenset(near - state.met)
        )
        return await self._served(await self._make(user_id, wish, state=state), CONVERSATION, log=False)

    def noted(self, listed: SuggestionList) -> None:
        """Log offers that a reader really sees; `offers` leaves that to its caller, who may be too late with them."""
        if listed.suggestions and listed.personalization.logged:
            self._note(listed, CONVERSATION)

    async def carousels(self, user_id: str, *, count: int = 10) -> list[tuple[str, SuggestionList]]:
        """The list of a user by its leading reasons, for a page: (the reason's words, its items)."""
        listed = await self.recommend(user_id, count=CAROUSEL, log=False)
        rows: dict[str, list[Suggestion]] = {}
        for one in listed.suggestions:
            rows.setdefault(one.reasons[0].text, []).append(one)
        return [
            (f"{title[:1].upper()}{title[1:]}", replace(listed, suggestions=tuple(row[:count])))
            for title, row in rows.items()
        ]

    async def page(
        self, user_id: str, *, category: str | None = None, cursor: str | None = None, limit: int = 20
    ) -> Page:
        """The ranked catalogue in parts. Raises CursorInvalid."""
        start = _start(cursor)
        listed = await self.recommend(user_id, count=PAGED, category=category, log=False)
        part = listed.suggestions[start : start + limit]
        more = start + limit < len(listed.suggestions)
        return Page(replace(listed, suggestions=part), str(start + limit) if more else None)

    async def like(self, title: str, *, user_id: str | None = None, count: int = 10) -> LikeThis:
        """Items like the one that a title names, ranked for a user; what the words mean where it names none."""
        ranker = await self._ready()
        match = await asyncio.to_thread(find_title, ranker.shelf.items, title)
        query = await self.vector(title) if match.item is None else None
        wish = Wish(count=count, like=match.item.id if match.item else None, query=query)
        listed = await self._make(user_id or "", wish, stranger=user_id is None)
        return LikeThis(title, match, listed)

    async def rerank(self, user_id: str, item_ids: Sequence[str]) -> SuggestionList:
        """These items in the order that suits the user; what may not be shown is left out."""
        wish = Wish(count=len(item_ids), only=frozenset(item_ids))
        return await self._make(user_id, wish, explore=0.0)

    async def results(self, user_id: str, *, limit: int = 100) -> list[Shown]:
        """What was shown to a user and what became of it, the newest first."""
        return await self.shown.latest(user_id, limit=limit)

    # What users do

    async def act(self, user_id: str, done: Sequence[Interaction]) -> Recorded:
        """Record what a user did: the profile learns from it, the log of lists too, and their lists are made anew."""
        recorded = await self._profiles.record(user_id, done, facets_of=self.catalogue.facets_of)
        await self.shown.became(user_id, [(one.item_id, one.type) for one in done if one.item_id is not None])
        never = frozenset(one.item_id for one in done if one.item_id and one.type in NEVER_AGAIN)
        self._acted[user_id] = self._acted.get(user_id, frozenset()) | never
        await self.changed(user_id)
        return recorded

    async def changed(self, user_id: str) -> None:
        """The profile of a user changed in another way (a mute, an undo, a conversation): forget their lists."""
        await self._cache.drop(user_id)

    async def forget(self, user_id: str) -> None:
        """Drop what is held of a user beside the database, whose rows `ProfileStore.forget` removes."""
        self._acted.pop(user_id, None)
        await self.changed(user_id)

    # Inside

    async def _ready(self) -> Ranker:
        if self._ranker is None:
            await self.open()
        assert self._ranker is not None  # noqa: S101 - open() made it
        return self._ranker

    async def _look(self) -> None:
        """Have another process's changes taken in, without waiting for it."""
        await self._ready()
        if self._clock() - self._looked_at > LOOKED_AT:
            self._looked_at = self._clock()
            self._background.keep(self.refresh(), "taking in what changed in the catalogue")

    async def _rebuild(self) -> None:
        items = await self.catalogue.all()
        self._ranker = await asyncio.to_thread(self._ranker_of, items)

    def _ranker_of(self, items: list[Any]) -> Ranker:
        shelf = make_shelf(items, self._vectors.of(items))
        trained = on_disk.load(self._folder) or on_disk.untrained(tuple(shelf.index))
        return Ranker(shelf, trained.on(shelf.index), self._policy, now=self._clock())

    async def _state(self, user_id: str, profile: Profile | None = None) -> UserState:
        profile = profile or await self._profiles.read(user_id)
        state = state_of(profile, await read_actions(self._engine, user_id))
        return replace(state, never=state.never | self._acted.get(user_id, frozenset()))

    async def _make_once(self, user_id: str, kind: str, wish: Wish) -> SuggestionList:
        """Make and keep a list; who asks for it meanwhile waits for the same."""
        key = user_id, kind
        task = self._making.get(key)
        if task is None:
            task = self._background.keep(self._make_and_keep(user_id, kind, wish), "making a list")
            self._making[key] = task
            task.add_done_callback(lambda _task: self._making.pop(key, None))
        return await asyncio.shield(task)

    async def _make_and_keep(self, user_id: str, kind: str, wish: Wish) -> SuggestionList:
        generation = await self._cache.generation(user_id)
        listed = await self._make(user_id, wish)
        kept = Kept(self._clock(), packed(listed))
        seconds = self._policy.kept(wish.category)
        await self._cache.put(user_id, kind, kept, generation=generation, seconds=seconds)
        return listed

    async def _make(
        self,
        user_id: str,
        wish: Wish,
        *,
        explore: float | None = None,
        stranger: bool = False,
        state: UserState | None = None,
    ) -> SuggestionList:
        ranker = await self._ready()
        if state is None:
            state = UserState(user_id) if stranger else await self._state(user_id)
        chance = self._policy.explore if explore is None else explore
        return await asyncio.to_thread(self._listed, ranker, state, wish, chance)

    def _listed(self, ranker: Ranker, state: UserState, wish: Wish, explore: float) -> SuggestionList:
        scores = ranker.scores(state, wish, now=self._clock())
        choice = choose(ranker, scores, wish.count, explore=explore, draw=self._draw)
        suggestions = tuple(
            _suggestion(ranker, scores, state, place, position, probability)
            for position, (place, probability) in enumerate(zip(choice.places, choice.probabilities, strict=True), 1)
        )
        return replace(self._empty(state), suggestions=suggestions, personalization=_personalization(state, scores))

    def _empty(self, state: UserState) -> SuggestionList:
        made_at = datetime.fromtimestamp(self._clock(), UTC)
        return SuggestionList(uuid4().hex, state.user_id, (), Personalization(False, ALPHA, ALPHA), made_at)

    async def _kept(self, user_id: str, kind: str, wish: Wish) -> SuggestionList | None:
        """A list that was made before, without what may no longer be shown; a stale one is made anew meanwhile."""
        kept = await self._cache.get(user_id, kind)
        if kept is None:
            return None
        if self._clock() - kept.made_at > self._policy.kept(wish.category):
            self._background.keep(self._make_once(user_id, kind, wish), "making a list anew")
        return self._still_allowed(user_id, kept)

    def _still_allowed(self, user_id: str, kept: Kept) -> SuggestionList:
        assert self._ranker is not None  # noqa: S101 - _look() made it
        shelf, now = self._ranker.shelf, self._clock()
        never = self._acted.get(user_id, frozenset())

        def allowed(id: str) -> bool:
            place = shelf.index.get(id)
            return place is not None and bool(shelf.live[place]) and shelf.expires[place] > now and id not in never

        still = [one for one in kept.payload["suggestions"] if allowed(one["id"])]
        return unpacked(kept.payload, still, lambda id: shelf.items[shelf.index[id]])

    async def _served(self, listed: SuggestionList, place: str, *, log: bool) -> SuggestionList:
        listed = replace(listed, id=uuid4().hex)
        if log and listed.suggestions and listed.personalization.logged:
            self._note(listed, place)
        return listed

    async def _ignored(self, user_id: str) -> bool:
        """Note what was offered before and left without an answer; whether that makes two lists in a row."""
        last = await self.shown.latest(user_id, limit=2 * OFFERS, place=CONVERSATION)
        if any(one.outcome is None for one in last):
            self._background.keep(_aside(self._close(user_id)), "closing a list that was left alone")
        lists = list(dict.fromkeys(one.list_id for one in last))[:2]
        left_alone = [all(one.outcome in (None, "ignored") for one in last if one.list_id == id) for id in lists]
        return len(left_alone) == 2 and all(left_alone)

    async def _close(self, user_id: str) -> None:
        left = await self.shown.close(user_id, CONVERSATION)
        ignored = [Interaction("ignore", item_id=id) for id in left]
        await self._profiles.record(user_id, ignored, facets_of=self.catalogue.facets_of)

    def _note(self, listed: SuggestionList, place: str) -> None:
        self._background.keep(_aside(self.shown.add(listed, place)), "noting what was shown")


async def _aside(write: Coroutine[Any, Any, None]) -> None:
    await asyncio.sleep(ASIDE)
    await write


def _near(shelf: Shelf, query: NDArray[np.float32]) -> frozenset[str]:
    """The items that are close enough to what the conversation is about."""
    if shelf.vectors is None:
        return frozenset()
    return frozenset(shelf.items[place].id for place in np.flatnonzero(shelf.vectors @ query >= USEFUL))


def _suggestion(
    ranker: Ranker, scores: Scores, state: UserState, place: int, position: int, probability: float
) -> Suggestion:
    boosted = bool(scores.multiplier[place] != 1)
    return Suggestion(
        item=ranker.shelf.items[place],
        position=position,
        score=float(scores.base[place] * scores.multiplier[place]),
        base_score=float(scores.base[place]),
        boost_multiplier=float(scores.multiplier[place]),
        boost_details=boosts_of(ranker, state, place) if boosted else (),
        reasons=reasons_of(ranker, scores, state, place),
        probability=probability,
    )


def _personalization(state: UserState, scores: Scores) -> Personalization:
    return Personalization(
        applied=state.known > 0,
        original_alpha=ALPHA,
        personalized_alpha=scores.alpha if state.known else ALPHA,
        top=state.top or {},
        persona=state.persona,
        logged=state.learning,
    )


def _start(cursor: str | None) -> int:
    if cursor is None:
        return 0
    if not (cursor.isascii() and cursor.isdigit() and int(cursor) <= PAGED):
        raise CursorInvalid(f"Expected a next_cursor that a page of this list gave, got {cursor[:40]!r}.")
    return int(cursor)
