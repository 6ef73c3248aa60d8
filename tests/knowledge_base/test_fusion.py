"""Fused scores lie in 0..1, grow with either half, and tell documents apart."""

from collections.abc import Sequence

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from knowledge_base.fusion import by_document, fuse, gather
from knowledge_base.words import Held

EAST, NORTH = np.array([1, 0], np.float32), np.array([0, 1], np.float32)


def none_held(count: int) -> Held:
    return Held(np.zeros((0, count), np.bool_), np.zeros(0))


def held(*places: Sequence[int]) -> Held:
    """Words of the same worth, each with the candidates that hold it."""
    return Held(np.array(places, np.bool_), np.ones(len(places)))


def test_vectors_and_words_both_count():
    vectors = np.array([EAST, NORTH, EAST, NORTH])
    candidates = gather("abcd", ["a", "b", "c", "d"], [0, 1, 2, -1], vectors)
    evidence = fuse(candidates, EAST, np.array([0.8, 0.8, 0.0]), none_held(4))
    assert [candidates.ids[at] for at in evidence.order()] == ["a", "c", "b", "d"]
    assert evidence.words.tolist() == [0.8, 0.8, 0.0, 0.0]
    assert evidence.fused[3] == 0


def test_a_document_whose_other_passages_fit_goes_first():
    vectors = np.array([EAST, NORTH, EAST, EAST])
    candidates = gather("abcd", ["mixed", "mixed", "clear", "clear"], [-1] * 4, vectors)
    fused = fuse(candidates, EAST, np.zeros(1), none_held(4)).fused
    assert fused[2] > fused[0]
    assert by_document(candidates, fused) == {"mixed": fused[0], "clear": fused[2]}


def test_a_document_that_holds_the_words_in_several_places_goes_first():
    candidates = gather("abcd", ["same", "both", "same", "both"], range(4), np.array([EAST] * 4))
    evidence = fuse(candidates, EAST, np.full(4, 0.5), held([1, 1, 1, 0], [0, 0, 0, 1]))
    assert evidence.fused[1] == evidence.fused[3] > evidence.fused[0] == evidence.fused[2]


def test_words_that_are_worth_more_count_more():
    candidates = gather("ab", ["a", "b"], [0, 1], np.array([EAST, EAST]))
    rare_and_common = Held(np.array([[1, 0], [0, 1]], np.bool_), np.array([3.0, 1.0]))
    assert fuse(candidates, EAST, np.full(2, 0.5), rare_and_common).order().tolist() == [0, 1]


def test_the_more_a_query_says_the_more_its_words_decide():
    candidates = gather("ab", ["a", "b"], [0, 1], np.array([EAST, NORTH]))
    words = np.array([0.0, 0.9])
    assert fuse(candidates, EAST, words, none_held(2), 0.0).order().tolist() == [0, 1]
    assert fuse(candidates, EAST, words, none_held(2), 1.0).order().tolist() == [1, 0]


def test_no_candidates_is_no_error():
    candidates = gather([], [], [], np.empty((0, 2), np.float32))
    assert fuse(candidates, EAST, np.zeros(1), none_held(0)).order().tolist() == []


@given(
    st.lists(st.tuples(st.floats(0, 6.3), st.floats(0, 1), st.booleans(), st.booleans()), min_size=1, max_size=20),
    st.floats(0, 1),
)
def test_scores_stay_in_range(rows: list[tuple[float, float, bool, bool]], length: float):
    vectors = np.array([[np.cos(angle), np.sin(angle)] for angle, _, _, _ in rows], np.float32)
    candidates = gather([str(n) for n in range(len(rows))], ["d"] * len(rows), list(range(len(rows))), vectors)
    holding = held([one for _, _, one, _ in rows], [other for _, _, _, other in rows])
    fused = fuse(candidates, EAST, np.array([word for _, word, _, _ in rows]), holding, length).fused
    assert ((fused >= 0) & (fused <= 1 + 1e-6)).all()
