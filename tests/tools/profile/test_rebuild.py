"""Whatever happened, in whatever order: what is read is what the ledger gives when it is read again from its start."""

import asyncio
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.tools.profile.conftest import Clock
from tools.database import open_database
from tools.profile.model import FactTold, Interaction, Lessons, Profile, Signal, TagSeen
from tools.profile.store import ProfileStore

VALUES = st.sampled_from(["Escrow", "Fees", "escrow"])
WEIGHTS = st.floats(-1, 1, allow_nan=False)
QUOTES = st.sampled_from(["", "one", "two"])
ITEMS = {"film": {"genre": ["Medical", "Drama"]}, "guide": {"topic": ["Escrow", "Fees"]}}

signals = st.builds(Signal, st.sampled_from(["topic", "genre"]), VALUES, WEIGHTS, QUOTES)
tags = st.builds(TagSeen, VALUES, st.floats(0, 1), QUOTES)
facts = st.builds(FactTold, st.sampled_from(["role", "tone"]), VALUES, QUOTES)
lessons = st.builds(Lessons, st.lists(signals, max_size=3), st.lists(tags, max_size=2), st.lists(facts, max_size=2))
actions = st.builds(
    Interaction,
    st.sampled_from(["finish", "save", "click", "unsave", "ignore", "dismiss", "search"]),
    st.sampled_from(["film", "guide", "gone"]),
    key=st.sampled_from([None, "k1", "k2"]),
) | st.builds(Interaction, st.just("rate"), st.sampled_from(["film", "guide"]), st.floats(0, 10))
steps = st.one_of(
    st.tuples(st.just("learn"), st.integers(0, 5), lessons),
    st.tuples(st.just("record"), st.lists(actions, min_size=1, max_size=3)),
    st.tuples(st.just("remember"), st.integers(0, 5), facts),
    st.tuples(st.just("undo"), st.integers(0, 30)),
    st.tuples(st.just("mute"), st.sampled_from(["topic", "tag", "role"]), VALUES),
    st.tuples(st.just("unmute"), st.sampled_from(["topic", "tag", "role"]), VALUES),
    st.tuples(st.just("add_tags"), st.lists(VALUES, max_size=2)),
    st.tuples(st.just("remove_tags"), st.integers(1, 4)),
    st.tuples(st.just("set_learning"), st.booleans()),
    st.tuples(st.just("reset")),
    st.tuples(st.just("sleep"), st.floats(0, 400)),
)


async def about(item_ids: Any) -> Any:
    return {one: ITEMS[one] for one in item_ids if one in ITEMS}


async def take(store: ProfileStore, engine: Any, clock: Clock, user: str, step: tuple[Any, ...]) -> None:
    name, *values = step
    if name == "learn":
        async with engine.begin() as connection:
            asked = Interaction("question", metadata={"text": "q"})
            await store.learn(connection, user, asked, values[1], message_id=f"m{values[0]}")
    elif name == "record":
        await store.record(user, values[0], facets_of=about)
    elif name == "remember":
        await store.remember(user, values[1], message_id=f"m{values[0]}")
    elif name == "undo":
        standing = await store.evidence(user)
        if standing:
            await store.undo(user, standing[values[0] % len(standing)].id)
    elif name == "remove_tags":
        await store.remove_tags(user, values)
    elif name == "sleep":
        clock.sleep(*values)
    else:
        await getattr(store, name)(user, *values)


def rounded(profile: Profile) -> Any:
    """SQL's arithmetic and Python's differ in the last digits."""
    scores = {(one.facet, one.value): pytest.approx(one.score, abs=1e-9) for one in profile.preferences}
    counted = {(one.facet, one.value, one.evidence, one.updated_at) for one in profile.preferences}
    rest = (
        profile.tags,
        profile.facts,
        profile.recent_questions,
        profile.interactions,
        profile.learning,
        profile.muted,
    )
    return scores, counted, rest


async def play(url: str, user: str, script: list[tuple[Any, ...]]) -> None:
    clock = Clock()
    async with open_database(url) as engine:
        store = ProfileStore(engine, clock=clock)
        for step in script:
            await take(store, engine, clock, user, step)
        before = await store.read(user)
        assert rounded(await store.rebuild(user)) == rounded(before)
        assert all(-1 <= one.score <= 1 for one in before.preferences)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(script=st.lists(steps, max_size=12))
def test_a_rebuild_gives_the_profile_that_is_read(script: list[tuple[Any, ...]], tmp_path: Path) -> None:
    asyncio.run(play(f"sqlite+aiosqlite:///{tmp_path / 'a.db'}", uuid4().hex, script))
