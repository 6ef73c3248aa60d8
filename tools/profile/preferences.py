"""How a preference moves: an exponential moving average that fades, once in SQL for writing and once in Python for
rebuilding; tests hold the two together.

    old' = old · ½^(age / half-life)
    new  = 0.8 · old' + 0.2 · target

The target is the signal's weight, with one correction to the plain average: a signal that is weaker than what is known
already says nothing new. A click on a favourite would otherwise take 0.90 down to 0.78, so something positive pulls
toward max(old', weight), and something negative toward min(old', weight).
"""

import math
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import ColumnElement, Float, case, func, literal
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncEngine

from tools.database import upsert
from tools.profile.model import RATING_MAX, Interaction
from tools.profile.tables import preferences

KEPT, MOVED = 0.8, 0.2
MOST_HALVINGS = 64.0
"""After so many half-lives nothing is left that anyone could see; going on would underflow."""

COUNTS_AGAINST_BELOW = 4.0
"""A rating under this is dislike: from −1 for a 0 up to just under nothing."""

PASSED_OVER = -0.05
"""What an offer that was left alone weighs. Nothing as weak as this turns a liking into a dislike."""

ACTION_WEIGHTS: dict[str, float] = {
    "finish": 1.0,
    "save": 0.6,
    "click": 0.3,
    "content_view": 0.3,
    "unsave": -0.3,
    "dismiss": -0.3,
    "ignore": PASSED_OVER,
}


def action_weight(interaction: Interaction) -> float:
    """What an action says about everything that its item is about; 0 where it says nothing."""
    if interaction.type != "rate":
        return ACTION_WEIGHTS.get(interaction.type, 0.0)
    rating = interaction.rating or 0.0
    if rating < COUNTS_AGAINST_BELOW:
        return (rating - COUNTS_AGAINST_BELOW) / COUNTS_AGAINST_BELOW
    return rating / RATING_MAX


@dataclass(frozen=True, slots=True)
class Standing:
    """A preference as it is kept: its score at the time (seconds since 1970) of its last signal."""

    score: float = 0.0
    evidence: int = 0
    seen_at: float = 0.0

    def moved(self, weight: float, at: float, half_life: timedelta) -> "Standing":
        """After one signal more. A signal that comes late fades neither itself nor the score."""
        if not self.evidence:
            return Standing(MOVED * weight, 1, at)
        old = faded(self.score, at - self.seen_at, half_life)
        target = max(old, weight) if weight >= 0 else min(old, weight)
        score = KEPT * old + MOVED * target
        if old >= 0 and weight >= PASSED_OVER:
            score = max(score, 0.0)
        return Standing(score, self.evidence + 1, max(self.seen_at, at))


def faded(score: float, age: float, half_life: timedelta) -> float:
    """A score after `age` seconds."""
    halvings = min(max(age / half_life.total_seconds(), 0.0), MOST_HALVINGS)
    return score * math.pow(0.5, halvings)


def faded_sql(score: ColumnElement[float], age: ColumnElement[float], half_life: timedelta) -> ColumnElement[float]:
    """`faded` in SQL."""
    halvings = age / literal(half_life.total_seconds(), Float)
    bounded = case((halvings < 0, literal(0.0)), (halvings > MOST_HALVINGS, literal(MOST_HALVINGS)), else_=halvings)
    return score * func.power(literal(0.5), bounded, type_=Float)


def move(engine: AsyncEngine, half_life: timedelta) -> sqlite.Insert | postgresql.Insert:
    """`Standing.moved` as one INSERT … ON CONFLICT for rows of `row`: nothing is read first, so nothing is lost between
    reading and writing. What a stranger's score would become, 0.2 · weight, is all that it needs of the signal."""
    statement = upsert(engine, preferences)
    known, new = preferences.c, statement.excluded
    old = faded_sql(known.score, new.seen_at - known.seen_at, half_life)
    pulled = case(
        (new.score >= 0, case((MOVED * old > new.score, MOVED * old), else_=new.score)),
        else_=case((MOVED * old < new.score, MOVED * old), else_=new.score),
    )
    score = KEPT * old + pulled
    too_weak_to_turn_it = (known.score >= 0) & (new.score >= MOVED * PASSED_OVER) & (score < 0)
    return statement.on_conflict_do_update(
        index_elements=[known.user_id, known.facet, known.value],
        set_={
            "score": case((too_weak_to_turn_it, 0.0), else_=score),
            "evidence": known.evidence + 1,
            "seen_at": case((new.seen_at > known.seen_at, new.seen_at), else_=known.seen_at),
        },
    )


def row(user_id: str, facet: str, value: str, weight: float, at: float) -> dict[str, Any]:
    """What `move` takes for one signal."""
    return {
        "user_id": user_id,
        "facet": facet,
        "value": value,
        "score": MOVED * weight,
        "evidence": 1,
        "seen_at": at,
    }
