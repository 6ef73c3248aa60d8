"""Rows that cannot be believed are named and left out; nothing is counted twice."""

from datetime import UTC, datetime
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tools.recommender.log import read_log

NOW = datetime(2026, 5, 1, tzinfo=UTC)
GOOD: dict[str, Any] = {"user": "u", "item": "a", "rating": 5, "ts": 1_700_000_000}


def read(*rows: dict[str, Any]):
    return read_log(enumerate(rows, 1), ["a", "b"], now=NOW)


def test_each_bad_row_is_named_and_the_others_are_kept():
    found = read(
        GOOD,
        GOOD | {"rating": float("nan")},
        GOOD | {"item": "unknown"},
        GOOD | {"ts": NOW.timestamp() + 86_400},
        GOOD | {"user": None},
        GOOD | {"item": "b", "ts": "2026-02-30"},
        GOOD | {"item": "b", "rating": "five"},
        GOOD | {"item": "b", "rating": 2.5},
    )
    assert [(row.row, row.field) for row in found.rejected] == [
        (2, "rating"),
        (3, "item"),
        (4, "ts"),
        (5, "user"),
        (6, "ts"),
        (7, "rating"),
    ]
    assert [found.log.items[item] for item in found.log.item] == ["a", "b"]
    assert found.log.liked.tolist() == [True, False]


def test_the_same_event_twice_counts_once():
    found = read(GOOD, dict(GOOD), GOOD | {"ts": 1_700_000_001})
    assert len(found.log) == 2
    assert found.repeated == 1


def test_times_and_columns_have_several_spellings():
    found = read(
        {"userId": 7, "movieId": "a", "timestamp": "2026-01-02T03:04:05+01:00"}, {"user_id": "7", "item_id": "b"}
    )
    assert not found.rejected
    assert found.log.users == ("7",)
    assert found.log.liked.all()


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from("uvw"), st.sampled_from("ab"), st.integers(0, 1_700_000_000)), max_size=30))
def test_events_come_in_order_of_user_and_time_and_none_is_lost(events: list[tuple[str, str, int]]):
    log = read(*({"user": user, "item": item, "ts": ts} for user, item, ts in events)).log
    got = [(log.users[u], log.items[i], t) for u, i, t in zip(log.user, log.item, log.time, strict=True)]
    assert sorted(got) == sorted(set(events))
    for user in range(len(log.users)):
        own = log.time[log.of(user)]
        assert (own[1:] >= own[:-1]).all()
