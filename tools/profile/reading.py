"""A profile in one query.

Six selects joined by UNION ALL cost one trip to the database instead of six; on SQLite, whose driver works in another
thread, the trips are what takes the time. The columns carry what the part of each row says that they do.
"""

import json
from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import bindparam, text
from sqlalchemy.types import Boolean, Float, Integer, String

from tools.database import UtcDateTime
from tools.profile.model import TAG_FACET, Fact, Muted, Persona, Preference, Profile, Tag, key_of
from tools.profile.preferences import MOST_HALVINGS

RECENT_QUESTIONS = 5
MOST_PREFERENCES = 500
"""The strongest that a read returns: far more than a reply or a ranking can use, and a bound for a read's time."""

PROFILE = (
    text(
        """
        SELECT 'tag' AS part, user_tags.name AS a, user_tags.source AS b, category AS c, confidence AS x,
               confidence AS at, user_tags.id AS id, interactions AS n, manual AS yes, user_tags.updated_at AS time
          FROM user_tags LEFT JOIN taxonomy ON taxonomy.name_key = user_tags.name_key AND taxonomy.is_active
         WHERE user_id = :user_id
        UNION ALL
        SELECT 'fact', slot, value, quote, NULL, NULL, evidence_id, NULL, NULL, told_at
          FROM facts WHERE user_id = :user_id
        UNION ALL
        SELECT 'muted', facet, value, value_key, NULL, NULL, NULL, NULL, NULL, NULL
          FROM mutes WHERE user_id = :user_id
        UNION ALL
        SELECT 'profile', NULL, NULL, NULL, NULL, NULL, NULL, interactions, learning, NULL
          FROM profiles WHERE user_id = :user_id
        UNION ALL
        SELECT 'question', asked, NULL, NULL, NULL, NULL, id, NULL, NULL, NULL
          FROM (SELECT id, CAST(metadata AS TEXT) AS asked FROM interactions
                 WHERE user_id = :user_id AND type = 'question' ORDER BY id DESC LIMIT :questions) AS recent
        UNION ALL
        SELECT 'preference', facet, value, NULL, score, seen_at, NULL, evidence, NULL, NULL
          FROM (SELECT facet, value, evidence, seen_at, score * power(0.5, CASE
                       WHEN seen_at > :now THEN 0.0
                       WHEN :now - seen_at > :longest THEN :most_halvings
                       ELSE (:now - seen_at) / :half_life END) AS score
                  FROM preferences WHERE user_id = :user_id) AS today
        """
    )
    .bindparams(*(bindparam(name, type_=Float) for name in ("now", "longest", "most_halvings", "half_life")))
    .columns(
        part=String, a=String, b=String, c=String, x=Float, at=Float, id=Integer, n=Integer, yes=Boolean,
        time=UtcDateTime,
    )
)  # fmt: skip


def parameters(user_id: str, at: datetime, half_life: float) -> dict[str, Any]:
    """What PROFILE asks for; the half-life in seconds."""
    return {
        "user_id": user_id,
        "now": at.timestamp(),
        "half_life": half_life,
        "longest": MOST_HALVINGS * half_life,
        "most_halvings": MOST_HALVINGS,
        "questions": RECENT_QUESTIONS,
    }


def profile_of(
    user_id: str, rows: Sequence[Any], personas: Callable[[Sequence[Preference]], tuple[Persona, ...]]
) -> Profile:
    """The profile from the rows of PROFILE, without what the user muted."""
    parts: dict[str, list[Any]] = defaultdict(list)
    for row in rows:
        parts[row[0]].append(row)
    muted = {(row[1], row[3]) for row in parts["muted"]}
    preferences = _preferences(parts["preference"], muted)
    _, _, _, _, _, _, _, interactions, learning, _ = (parts["profile"] or [(None,) * 7 + (0, True, None)])[0]
    return Profile(
        user_id=user_id,
        preferences=preferences,
        tags=_tags(parts["tag"], muted),
        facts=_facts(parts["fact"], muted),
        personas=personas(preferences),
        recent_questions=tuple(_questions(parts["question"])),
        interactions=interactions,
        learning=learning,
        muted=tuple(sorted((Muted(row[1], row[2]) for row in parts["muted"]), key=lambda one: (one.facet, one.value))),
    )


def _preferences(rows: Sequence[Any], muted: set[tuple[str, str]]) -> tuple[Preference, ...]:
    rows = sorted(rows, key=lambda row: (-row[4], row[1], row[2]))
    if len(rows) > MOST_PREFERENCES:
        rows = sorted(sorted(rows, key=lambda row: -abs(row[4]))[:MOST_PREFERENCES], key=lambda row: -row[4])
    kept = rows if not muted else [row for row in rows if (row[1], key_of(row[2])) not in muted]
    return tuple(
        Preference(facet, value, score, evidence, datetime.fromtimestamp(at, UTC))
        for _, facet, value, _, score, at, _, evidence, _, _ in kept
    )


def _tags(rows: Sequence[Any], muted: set[tuple[str, str]]) -> tuple[Tag, ...]:
    tags = (
        Tag(id, name, bool(manual), source, confidence, seen, category, time)
        for _, name, source, category, confidence, _, id, seen, manual, time in rows
        if (TAG_FACET, key_of(name)) not in muted
    )
    return tuple(sorted(tags, key=lambda tag: (-tag.confidence, -tag.interactions, tag.name)))


def _facts(rows: Sequence[Any], muted: set[tuple[str, str]]) -> tuple[Fact, ...]:
    facts = (
        Fact(slot, value, quote, evidence_id, time)
        for _, slot, value, quote, _, _, evidence_id, _, _, time in rows
        if (slot, key_of(value)) not in muted
    )
    return tuple(sorted(facts, key=lambda fact: fact.slot))


def _questions(rows: Sequence[Any]) -> list[str]:
    """The newest first; one that was asked again is there once."""
    texts = (json.loads(row[1]).get("text") for row in sorted(rows, key=lambda row: -row[6]))
    return list(dict.fromkeys(text for text in texts if isinstance(text, str) and text))
