"""Repeated passages are shown once."""

import numpy as np

from knowledge_base.repetition import copied, distinct

TEXT = "Escrow is a holding account between client and freelancer. The client pays in before work starts."


def _same_direction(count: int) -> np.ndarray:
    return np.tile(np.array([1, 0], np.float32), (count, 1))


def test_copies_and_near_copies_are_left_out_and_the_first_stays():
    texts = [
        TEXT,
        TEXT,
        TEXT.upper() + "!",
        TEXT + " Really.",
        "Five roles exist in a workspace of yours.",
    ]
    assert list(distinct(texts, _same_direction(5), [1, 0, 2, 3, 4])) == [1, 4]


def test_texts_that_only_mean_the_same_stay():
    texts = [TEXT, "Money waits with us until the job is approved, so neither side can take it out alone."]
    assert list(distinct(texts, _same_direction(2), [0, 1])) == [0, 1]


def test_short_texts_are_compared_whole():
    assert list(distinct(["Ten.", "Ten.", "Forty."], _same_direction(3), [0, 1, 2])) == [0, 2]


def test_the_same_words_far_apart_in_meaning_are_not_compared():
    vectors = np.array([[1, 0], [0, 1]], np.float32)
    assert list(distinct([TEXT, TEXT], vectors, [0, 1])) == [0, 1]


def test_a_text_is_copied_where_another_holds_half_of_it():
    others = ["Something else.", f"News of today. {TEXT} Read on."]
    texts = {
        "same": TEXT,
        "half": TEXT + " " + "Then there is more, " * 3,
        "new": "The office opens at nine in winter.",
    }
    assert copied(texts, others) == {"same", "half"}
    assert copied(texts, []) == set()
