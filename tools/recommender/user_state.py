"""What the recommender knows of one user: what they liked, what they must never see again, and what they prefer."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sqlalchemy import and_, or_, select
from sqlalchemy.ext.asyncio import AsyncEngine

from tools.profile.model import Profile
from tools.profile.preferences import COUNTS_AGAINST_BELOW
from tools.profile.tables import interactions
from tools.recommender.training import LIKED_FROM, LIKES

HISTORY = 100
"""The last likes that count; older ones live on in the preferences."""
NEVER_AGAIN = ("finish", "dismiss")


@dataclass(frozen=True, slots=True)
class UserState:
    """One user at one moment.

    Attributes:
        liked: Item ids, oldest first.
        met: Items that they have opened, saved, rated, finished or dismissed.
        never: Of those, the ones that were finished, dismissed or rated low: a promise, not a preference.
        ignored: How often an item was offered and left.
        prefers: (facet, value), in lower case → score from -1 to 1.
        top: Facet → the value that they care for most, as the profile writes it.
        muted: (facet, value), in lower case.
        asked: The latest questions.
        learning: Whether the user lets us keep what they do.
    """

    user_id: str
    liked: tuple[str, ...] = ()
    met: frozenset[str] = frozenset()
    never: frozenset[str] = frozenset()
    ignored: Mapping[str, int] | None = None
    prefers: Mapping[tuple[str, str], float] | None = None
    top: Mapping[str, str] | None = None
    muted: frozenset[tuple[str, str]] = frozenset()
    persona: str | None = None
    asked: tuple[str, ...] = ()
    learning: bool = True

    @property
    def known(self) -> int:
        """How much is known: likes, and preferences that are worth the name."""
        return len(self.liked) + sum(abs(score) >= 0.1 for score in (self.prefers or {}).values())


@dataclass(frozen=True, slots=True)
class Action:
    """A type of interaction, an item, a rating."""

    type: str
    item_id: str
    rating: float | None = None


async def read_actions(engine: AsyncEngine, user_id: str) -> list[Action]:
    """The latest actions on items, and every one that a promise rests on; oldest first."""
    columns = interactions.c
    mine = and_(columns.user_id == user_id, columns.item_id.is_not(None))
    chosen = select(columns.id, columns.type, columns.item_id, columns.rating).where(mine)
    promises = or_(columns.type.in_(NEVER_AGAIN), columns.type == "rate")
    async with engine.connect() as connection:
        latest = (await connection.execute(chosen.order_by(columns.id.desc()).limit(5 * HISTORY))).all()
        kept = (await connection.execute(chosen.where(promises))).all() if len(latest) == 5 * HISTORY else []
    rows = {row.id: Action(row.type, row.item_id, row.rating) for row in (*kept, *latest)}
    return [rows[id] for id in sorted(rows)]


def state_of(profile: Profile, actions: Iterable[Action]) -> UserState:
    """A user's state from their profile and what they did, oldest first."""
    liked: dict[str, None] = {}
    met, ended, low = set[str](), set[str](), set[str]()
    ignored: dict[str, int] = {}
    for action in actions:
        if action.type == "ignore":
            ignored[action.item_id] = ignored.get(action.item_id, 0) + 1
        elif action.type != "unsave":
            met.add(action.item_id)
        if action.type in NEVER_AGAIN:
            ended.add(action.item_id)
        if action.rating is not None:  # the last rating is the one that counts
            (low.add if action.rating < COUNTS_AGAINST_BELOW else low.discard)(action.item_id)
        if _likes(action):
            liked.pop(action.item_id, None)
            liked[action.item_id] = None
        elif action.type == "dismiss" or action.item_id in low:
            liked.pop(action.item_id, None)
    return UserState(
        user_id=profile.user_id,
        liked=tuple(liked)[-HISTORY:],
        met=frozenset(met),
        never=frozenset(ended | low),
        ignored=ignored,
        prefers={_key(one.facet, one.value): one.score for one in profile.preferences},
        top={one.facet.casefold(): one.value for one in reversed(profile.preferences) if one.score > 0},
        muted=frozenset(_key(one.facet, one.value) for one in profile.muted),
        persona=profile.personas[0].name if profile.personas else None,
        asked=tuple(profile.recent_questions),
        learning=profile.learning,
    )


def _likes(action: Action) -> bool:
    return action.type in LIKES or (action.type == "rate" and action.rating is not None and action.rating >= LIKED_FROM)


def _key(facet: str, value: str) -> tuple[str, str]:
    return facet.casefold(), " ".join(value.split()).casefold()
