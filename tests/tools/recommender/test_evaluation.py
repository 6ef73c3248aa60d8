"""The two splits, the measures, and a blend that is never worse than the best of its baselines."""

import json
from pathlib import Path

import numpy as np
import pytest

from tests.tools.recommender.data import catalogue_of_films, tasteful_log
from tools.recommender.errors import LogTooSmall, RecommenderError
from tools.recommender.evaluation import Parts, cut, evaluate, measure, read_evaluation_files, split_named
from tools.recommender.log import Log


def log_of(times: list[tuple[int, int, float, bool]]) -> Log:
    user, item, time, liked = zip(*times, strict=True)
    return Log(
        tuple(f"u{one}" for one in range(max(user) + 1)),
        tuple(f"i{one}" for one in range(max(item) + 1)),
        np.array(user, np.int32),
        np.array(item, np.int32),
        np.array(liked),
        np.array(time, np.float64),
    )


def test_by_user_the_last_part_of_the_likes_is_the_test():
    parts = cut(log_of([(0, item, float(item), True) for item in range(10)]), "user", 0.2)
    assert parts.wanted[0].tolist() == [8, 9]
    assert parts.train.item.tolist() == list(range(8))
    assert parts.moments.tolist() == [7.0]


def test_low_ratings_are_known_only_if_they_came_before_the_cut():
    events = [(0, item, float(item), True) for item in range(10)]
    early, late = (0, 10, 3.5, False), (0, 11, 8.5, False)
    parts = cut(log_of([*events[:4], early, *events[4:9], late, events[9]]), "user", 0.2)
    assert 10 in parts.train.item
    assert 11 not in parts.train.item


def test_by_time_everything_after_one_moment_is_the_test():
    events = [(user, item, float(10 * item + user), True) for user in range(2) for item in range(10)]
    parts = cut(log_of(events), "time", 0.2)
    assert parts.train.time.max() == 71.0
    assert [wanted.tolist() for wanted in parts.wanted] == [[8, 9], [8, 9]]


def test_measures_follow_their_definitions():
    log = log_of([(0, 0, 0.0, True), (0, 19, 1.0, True)])
    parts = Parts(log, np.array([0]), np.array([0.0]), (np.array([3, 5], np.int32),))
    found = measure(np.array([[3, 1, 2, 4, 5, 6, 7, 8, 9, 10]]), parts)
    assert found.ndcg == pytest.approx((1 + 1 / np.log2(6)) / (1 + 1 / np.log2(3)))
    assert (found.recall, found.coverage) == (1.0, 0.5)


@pytest.mark.parametrize("split", ["user", "time"])
def test_the_blend_is_as_good_as_the_best_baseline_and_lists_nothing_that_was_seen(split):
    log = tasteful_log()
    if split == "time":  # everybody at the same time
        time = np.array([log.time[at] - 1000 * log.user[at] for at in range(len(log))])
        log = Log(log.users, log.items, log.user, log.item, log.liked, time)
    found = evaluate(log, catalogue_of_films(), split=split, holdout=0.2)
    best = max(measured.ndcg for name, measured in found.measured.items() if name != "Attune")
    assert found.measured["Attune"].ndcg >= best - 0.05  # few users: what chance alone moves
    assert found.measured["Attune"].ndcg > 1.2 * found.measured["popularity"].ndcg
    seen = {(log.users[u], log.items[i]) for u, i in zip(found.parts.train.user, found.parts.train.item, strict=True)}
    assert not any((user, item) in seen for user, items in found.runs() for item in items)


def test_a_log_that_is_too_small_says_so():
    with pytest.raises(LogTooSmall, match="longer log"):
        cut(log_of([(0, 0, 0.0, True)]), "user", 0.2)
    with pytest.raises(RecommenderError, match="--split"):
        split_named("random")


def test_files_are_read_with_their_facets_and_bad_rows(tmp_path: Path):
    items, events = tmp_path / "items.jsonl", tmp_path / "events.jsonl"
    items.write_text('{"id": 1, "title": "A", "genres": ["x", "y"]}\n{"title": "no id"}\n{"id": 2, "title": "B"}\n')
    events.write_text("\n".join(json.dumps({"user": "u", "item": item, "ts": 5}) for item in (1, 2, 3)))
    read, catalogue, found = read_evaluation_files(items, events)
    assert [row.row for row in found.rejected] == [2]
    assert [str(row) for row in read.rejected] == ["row 3: item: Expected an item of the catalogue, got '3'."]
    assert set(catalogue.facets.columns) == {("genre", "x"), ("genre", "y")}
