"""What a user notices: the promises, the reasons, the cache, the log, and that facets matter."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import func, insert, select
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.tools.recommender.data import GENRES, catalogue_of_films, films, tasteful_log
from tools.profile.model import Interaction
from tools.profile.store import ProfileStore
from tools.profile.tables import interactions
from tools.recommender.errors import CursorInvalid
from tools.recommender.policy import Policy
from tools.recommender.service import CONVERSATION, Recommender
from tools.recommender.trained import load, save, train

NOW = datetime(2026, 6, 1, tzinfo=UTC)


class Clock:
    def __init__(self) -> None:
        self.now = NOW.timestamp()

    def __call__(self) -> float:
        return self.now


async def embed(texts: Sequence[str]) -> np.ndarray:
    """One dimension a genre: the meaning of a text is the genres that it names, and one that all share a little."""
    vectors = np.array([[float(genre in text) for genre in GENRES] + [0.1] for text in texts], np.float32)
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.float32)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def recommender(engine: AsyncEngine, tmp_path: Path, clock: Clock) -> AsyncIterator[Recommender]:
    made = Recommender(
        engine,
        ProfileStore(engine),
        folder=tmp_path / "models",
        policy=Policy(explore=0),
        embed=embed,
        seed=0,
        clock=clock,
    )
    await made.catalogue.put(films(), source="test")
    yield made
    await made.close()


async def likes(recommender: Recommender, user: str, *numbers: int) -> None:
    await recommender.act(user, [Interaction("finish", item_id=f"f{number}") for number in numbers])


def ids(listed) -> list[str]:
    return [one.item.id for one in listed.suggestions]


async def test_a_stranger_gets_what_is_popular_in_plain_order(recommender: Recommender):
    listed = await recommender.recommend("stranger", count=5)
    assert ids(listed) == ["f0", "f1", "f2", "f3", "f4"]
    assert "begin with" in listed.suggestions[0].explanation
    assert not listed.personalization.applied


async def test_an_empty_catalogue_gives_an_empty_list(engine: AsyncEngine, tmp_path: Path):
    assert not (await Recommender(engine, ProfileStore(engine), folder=tmp_path).recommend("u")).suggestions


async def test_opposite_histories_share_at_most_three_of_ten(recommender: Recommender):
    await likes(recommender, "a", *range(0, 40, 4))
    await likes(recommender, "b", *range(1, 40, 4))
    mine, theirs = await recommender.recommend("a"), await recommender.recommend("b")
    assert len(set(ids(mine)) & set(ids(theirs))) <= 3
    best = mine.suggestions[0]
    assert best.score == pytest.approx(best.base_score * best.boost_multiplier, rel=1e-5)
    assert best.boost_multiplier == pytest.approx(1 + sum(boost.boost for boost in best.boost_details), abs=1e-3)
    assert best.boost_details[0].value == "Medical"
    assert best.match.startswith("+")
    assert mine.personalization.as_json()["top_genre"] == "Medical"


async def test_reasons_name_what_the_user_did(recommender: Recommender):
    await likes(recommender, "a", 0, 4, 8)
    reasons = [reason for one in (await recommender.recommend("a")).suggestions for reason in one.reasons]
    assert {"preference", "content"} & {reason.kind for reason in reasons}
    assert any("Medical" in reason.text for reason in reasons)
    assert not any(reason.kind == "people" for reason in reasons), "nothing was learned from other people yet"


@pytest.mark.parametrize(
    "done",
    [
        Interaction("finish", item_id="f0"),
        Interaction("dismiss", item_id="f0"),
        Interaction("rate", item_id="f0", rating=2),
    ],
)
async def test_what_was_finished_dismissed_or_rated_low_never_comes_again(recommender: Recommender, done: Interaction):
    assert "f0" in ids(await recommender.recommend("u"))
    await recommender.act("u", [done])
    assert "f0" not in ids(await recommender.recommend("u"))
    assert "f0" not in ids(await recommender.rerank("u", ["f0", "f1"]))


async def test_what_expired_or_was_switched_off_leaves_lists_that_were_made_before(
    recommender: Recommender, clock: Clock
):
    first, second, third = films(3)
    soon = datetime.fromtimestamp(clock.now + 60, UTC)
    await recommender.catalogue.put([replace(first, expires=soon), second, third], source="test")
    assert ids(await recommender.recommend("u", count=3)) == ["f0", "f1", "f2"]
    clock.now += 61
    assert ids(await recommender.recommend("u", count=3)) == ["f1", "f2"]
    await recommender.catalogue.put([replace(second, active=False), replace(third, superseded_by="f9")], source="test")
    await recommender.refresh()
    assert ids(await recommender.recommend("u", count=3)) == []


async def test_a_muted_topic_is_not_suggested(recommender: Recommender):
    await recommender._profiles.mute("u", "genre", "Medical")
    await recommender.changed("u")
    listed = await recommender.recommend("u")
    assert listed.suggestions
    assert all("Medical" not in one.item.facets["genre"] for one in listed.suggestions)


async def test_a_stale_list_is_served_while_a_new_one_is_made(recommender: Recommender, clock: Clock):
    await recommender.recommend("u", count=3, category="movie")
    clock.now += 1801
    late = replace(films(1)[0], id="late", title="Late", popularity=1e9)
    await recommender.catalogue.put([late], source="test")
    await recommender.refresh()
    assert "late" not in ids(await recommender.recommend("u", count=3, category="movie"))
    await recommender.close()
    assert "late" in ids(await recommender.recommend("u", count=3, category="movie"))


async def test_the_log_says_what_was_shown_and_what_became_of_it(recommender: Recommender):
    listed = await recommender.recommend("u", count=3)
    await recommender.close()
    await recommender.act("u", [Interaction("save", item_id="f1"), Interaction("click", item_id="f1")])
    shown = {one.item_id: one for one in await recommender.results("u")}
    assert [shown[id].position for id in ids(listed)] == [1, 2, 3]
    assert (shown["f1"].outcome, shown["f0"].outcome, shown["f0"].probability) == ("saved", None, 1.0)


async def test_offers_stop_after_two_that_were_ignored_and_in_complaints(recommender: Recommender):
    await recommender.refresh()
    await recommender.embed_items()
    query = await recommender.vector("Western")
    assert query is not None
    assert not (await recommender.offers("u", query, complaint=True)).suggestions
    for _ in range(2):
        listed = await recommender.offers("u", query)
        recommender.noted(listed)
        assert 1 <= len(listed.suggestions) <= 2
        assert all(one.item.facets["genre"] == ("Western",) for one in listed.suggestions)
        await recommender.close()
    assert not (await recommender.offers("u", query)).suggestions
    await recommender.close()
    assert {one.outcome for one in await recommender.shown.latest("u", place=CONVERSATION)} == {"ignored"}


async def test_pages_cover_the_catalogue_once(recommender: Recommender):
    seen, cursor = list[str](), None
    while True:
        page = await recommender.page("u", category="movie", cursor=cursor, limit=30)
        seen += ids(page.listed)
        cursor = page.next_cursor
        if cursor is None:
            break
    assert sorted(seen) == sorted(film.id for film in films())
    with pytest.raises(CursorInvalid):
        await recommender.page("u", cursor="-1")


async def test_a_title_finds_others_like_it(recommender: Recommender):
    found = await recommender.like("film 5", count=5)
    assert found.match.item is not None
    assert (found.match.item.id, found.match.how) == ("f5", "exact")
    assert "f5" not in ids(found.listed)
    for one in found.listed.suggestions[:3]:
        assert one.item.facets["genre"] == ("Western",) or one.item.facets["actor"] == ("Actor 5",)


async def test_near_duplicates_collapse(recommender: Recommender):
    await recommender.catalogue.put([replace(films(1)[0], id="copy", title="FILM 0!")], source="test")
    assert len({"f0", "copy"} & set(ids(await recommender.recommend("u", count=20)))) == 1


async def test_training_runs_beside_and_its_reasons_name_people(recommender: Recommender, engine: AsyncEngine):
    log = tasteful_log()
    rows = [
        {
            "user_id": log.users[user],
            "type": "save",
            "item_id": log.items[item],
            "metadata": {},
            "keywords": [],
            "created_at": datetime.fromtimestamp(time, UTC),
            "idempotency_key": f"k{number}",
        }
        for number, (user, item, time) in enumerate(zip(log.user, log.item, log.time, strict=True))
    ]
    async with engine.begin() as connection:
        await connection.execute(insert(interactions), rows)
    assert await recommender.retrain() is not None
    await likes(recommender, "a", 0, 4, 8)
    reasons = [reason for one in (await recommender.recommend("a")).suggestions for reason in one.reasons]
    assert any("people who watched that" in reason.text for reason in reasons)


async def test_the_same_event_reported_twice_is_counted_once(recommender: Recommender, engine: AsyncEngine):
    done = Interaction("save", item_id="f3", key="once", at=NOW - timedelta(days=1))
    await asyncio.gather(recommender.act("u", [done]), recommender.act("u", [done]))
    async with engine.connect() as connection:
        assert (await connection.execute(select(func.count()).select_from(interactions))).scalar() == 1


def test_a_trained_version_is_read_as_it_was_written_and_old_ones_go(tmp_path: Path):
    trained = train(tasteful_log(), catalogue_of_films())
    for number in range(4):
        save(replace(trained, version=f"v{number}"), tmp_path)
    read = load(tmp_path)
    assert read is not None
    assert read.version == "v3"
    assert read.items == trained.items
    np.testing.assert_array_equal(read.weights.ease.toarray(), trained.weights.ease.toarray())
    assert len(list(tmp_path.glob("*.npz"))) == 2
    moved = read.on({"f1": 0, "new": 1, "f0": 2})
    assert moved.weights.ease[[0]].toarray()[0, 2] == trained.weights.ease.toarray()[1, 0]
