"""The log of predictions: what was foreseen, from which features, and later what came of it."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncEngine

from tools.database import now
from tools.predictor.features import Asking, Features
from tools.predictor.history import History
from tools.predictor.model import ENGAGEMENT, RISK, Foreseen, Head
from tools.predictor.outcomes import at_risk, engaged
from tools.predictor.policy import Decision
from tools.predictor.tables import predictions

OUTCOME = {ENGAGEMENT: predictions.c.engaged, RISK: predictions.c.at_risk}
SCORE = {ENGAGEMENT: predictions.c.engagement, RISK: predictions.c.risk}


@dataclass(frozen=True, slots=True)
class Logged:
    """A prediction to be kept. The question is kept as its words in alphabetical order, no more."""

    user_id: str
    asking: Asking
    features: Features
    foreseen: Foreseen | None
    decision: Decision
    message_id: str | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """A prediction of one head with what came of it."""

    source: str
    version: str
    head: str
    probability: float
    happened: bool
    action: str
    at: datetime


class PredictionLog:
    """Predictions in a database."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def add(self, logged: Sequence[Logged]) -> None:
        """Keep these predictions."""
        if logged:
            async with self._engine.begin() as connection:
                await connection.execute(insert(predictions), [_row(one) for one in logged])

    async def waiting(self, *, limit: int = 1000) -> list[str]:
        """Users with predictions whose outcome is open, the longest waiting first."""
        query = (
            select(predictions.c.user_id)
            .where(predictions.c.settled_at.is_(None))
            .group_by(predictions.c.user_id)
            .order_by(func.min(predictions.c.created_at))
            .limit(limit)
        )
        async with self._engine.connect() as connection:
            return list((await connection.execute(query)).scalars())

    async def settle(self, history: History, *, at: datetime | None = None) -> int:
        """Write down the outcomes of this user's predictions that are known by now; returns how many were settled."""
        time = at or now()
        query = select(predictions).where(predictions.c.user_id == history.user_id, predictions.c.settled_at.is_(None))
        settled = 0
        async with self._engine.begin() as connection:
            for row in (await connection.execute(query)).mappings().all():
                found = _outcome(history, dict(row), time)
                if found != (row["engaged"], row["at_risk"]):
                    done = None not in found
                    settled += done
                    values = {"engaged": found[0], "at_risk": found[1], "settled_at": time if done else None}
                    await connection.execute(update(predictions).where(predictions.c.id == row["id"]).values(**values))
        return settled

    async def outcomes(self, *, since: timedelta = timedelta(days=365), version: str | None = None) -> list[Outcome]:
        """Predictions whose outcome is known, the earliest first."""
        query = select(predictions).where(predictions.c.created_at >= now() - since).order_by(predictions.c.created_at)
        if version is not None:
            query = query.where(predictions.c.version == version)
        async with self._engine.connect() as connection:
            rows = (await connection.execute(query)).mappings().all()
        return [
            Outcome(
                row["source"],
                row["version"],
                head,
                row[SCORE[head].name],
                bool(row[OUTCOME[head].name]),
                row["action"],
                row["created_at"],
            )
            for row in rows
            for head in OUTCOME
            if row[SCORE[head].name] is not None and row[OUTCOME[head].name] is not None
        ]

    async def withdraw(self, user_id: str, message_ids: Collection[str]) -> None:
        """Remove the predictions for answers that the user took back."""
        theirs = predictions.c.user_id == user_id, predictions.c.message_id.in_(message_ids)
        async with self._engine.begin() as connection:
            await connection.execute(delete(predictions).where(*theirs))


def _row(one: Logged) -> dict[str, Any]:
    foreseen, heads = one.foreseen, one.foreseen.heads if one.foreseen else {}
    return {
        "user_id": one.user_id,
        "message_id": one.message_id,
        "source": foreseen.source if foreseen else "none",
        "version": foreseen.version if foreseen else "",
        "age": foreseen.age if foreseen else 0.0,
        "heads": {name: [head.probability, head.low, head.high] for name, head in heads.items()},
        "features": dict(one.features),
        "question_key": " ".join(sorted(one.asking.words)),
        "action": one.decision.action,
        "action_without": one.decision.without,
        "score": one.decision.score,
        "engagement": _probability(heads.get(ENGAGEMENT)),
        "risk": _probability(heads.get(RISK)),
        "engaged": None,
        "at_risk": None,
        "created_at": datetime.fromtimestamp(one.asking.at, UTC),
        "settled_at": None,
    }


def _probability(head: Head | None) -> float | None:
    return head.probability if head else None


def _outcome(history: History, row: dict[str, Any], time: datetime) -> tuple[int | None, int | None]:
    asking = Asking(row["created_at"].timestamp(), frozenset(str(row["question_key"]).split()))
    found = engaged(history, asking, time.timestamp())
    risk = at_risk(history, asking, time.timestamp(), key=row["message_id"] or "")
    return None if found is None else int(found), None if risk is None else int(risk)
