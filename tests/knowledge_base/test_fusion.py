"""Fused scores lie in 0..1, grow with either half, and tell documents apart."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from knowledge_base.fusion import by_document, fuse, gather

EAST, NORTH = np.array([1, 0], np.float32), np.array([0, 1], np.float32)


def test_vectors_and_words_both_count():
    vectors = np.array([EAST, NORTH, EAST, NORTH])
    candidates = gather("abcd", ["a", "b", "c", "d"], [0, 1, 2, -1], vectors)
    evidence = fuse(candidates, EAST, np.array([0.8, 0.8, 0.0]))
    assert [candidates.ids[at] for at in evidence.order()] == ["a", "c", "b", "d"]
    assert evidence.words.tolist() == [0.8, 0.8, 0.0, 0.0]
    assert evidence.fused[3] == 0


def test_a_document_whose_other_passages_fit_goes_first():
    vectors = np.array([EAST, NORTH, EAST, EAST])
    candidates = gather("abcd", ["mixed", "mixed", "clear", "clear"], [-1] * 4, vectors)
    fused = fuse(candidates, EAST, np.zeros(1)).fused
    assert fused[2] > fused[0]
    assert by_document(candidates, fused) == {"mixed": fused[0], "clear": fused[2]}


def test_the_more_a_query_says_the_more_its_words_decide():
    candidates = gather("ab", ["a", "b"], [0, 1], np.array([EAST, NORTH]))
    words = np.array([0.0, 0.9])
    assert fuse(candidates, EAST, words, 0.0).order().tolist() == [0, 1]
    assert fuse(candidates, EAST, words, 1.0).order().tolist() == [1, 0]


def test_no_candidates_is_no_error():
    candidates = gather([], [], [], np.empty((0, 2), np.float32))
    assert fuse(candidates, EAST, np.zeros(1)).order().tolist() == []


@given(st.lists(st.tuples(st.floats(0, 6.3), st.floats(0, 1)), min_size=1, max_size=20))
def test_scores_stay_in_range(given_rows: list[tuple[float, float]]):
    vectors = np.array([[np.cos(angle), np.sin(angle)] for angle, _ in given_rows], np.float32)
    count = len(given_rows)
    candidates = gather([str(n) for n in range(count)], ["d"] * count, list(range(count)), vectors)
    fused = fuse(candidates, EAST, np.array([word for _, word in given_rows])).fused
    assert ((fused >= 0) & (fused <= 1 + 1e-6)).all()
