"""The confidence rises with every clue and stays a probability."""

from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from knowledge_base.confidence import BACKGROUND, Clues, clues_of, probability, said_of_titles, shared_by_document
from knowledge_base.fusion import Candidates, Evidence, gather

CLUES = st.builds(Clues, *[st.floats(0, 1)] * 6)


@given(CLUES, st.sampled_from(["lead", "cosine", "pairs", "own_pairs", "title"]), st.floats(0, 1))
def test_more_evidence_never_lowers_it(clues: Clues, name: str, value: float):
    more = replace(clues, **{name: max(value, getattr(clues, name))})
    assert 0 < probability(clues) <= probability(more) < 1


def test_nothing_found_is_no_confidence():
    nothing = gather([], [], [], np.empty((0, 2), np.float32))
    empty = np.empty(0)
    clues = clues_of(nothing, Evidence(empty, empty, empty), 0.1, {}, {})
    assert probability(clues) < 0.02


def _found(documents: list[str], fused: list[float]) -> tuple[Candidates, Evidence]:
    scores = np.array(fused)
    count = len(documents)
    candidates = gather([str(n) for n in range(count)], documents, [0] * count, np.zeros((count, 2), np.float32))
    return candidates, Evidence(scores, scores, scores)


def test_the_lead_is_over_other_documents():
    candidates, evidence = _found(["a", "a", "b", "c"], [0.7, 0.6, 0.5, 0.3])
    shared, titles = {"a": 0.5, "b": 0.4, "c": 0.2}, {"a": 0.75, "b": 1.0, "c": 1.0}
    clues = clues_of(candidates, evidence, 0.25, shared, titles)
    assert np.isclose(clues.lead, 0.7 - 0.4)
    assert np.isclose(clues.own_pairs, 0.5 - 0.3)
    assert (clues.cosine, clues.pairs, clues.title, clues.length) == (0.7, 0.5, 0.75, 0.25)


def test_a_lonely_document_must_stand_out_from_any_text():
    candidates, evidence = _found(["a"], [BACKGROUND])
    clues = clues_of(candidates, evidence, 0.0, {"a": 0.3}, {"a": 0.0})
    assert (clues.lead, clues.own_pairs) == (0, 0.3)


def test_a_document_s_passages_hold_pairs_together():
    held = np.array([[True, False, False], [False, True, True], [False, False, False]])
    shared = shared_by_document(["a", "a", "b"], held, np.array([1.0, 2.0, 1.0]))
    assert shared == {"a": 0.75, "b": 0.5}
    assert shared_by_document(["a"], np.zeros((0, 1), np.bool_), np.empty(0)) == {"a": 0.0}


def test_what_all_titles_say_counts_less_than_what_one_says():
    titles = {"fees": frozenset({"fee", "help"}), "teams": frozenset({"team", "help"}), "untitled": frozenset[str]()}
    said = said_of_titles(titles, {"fee", "pay"})
    assert 0.5 < said["fees"] < 1
    assert (said["teams"], said["untitled"]) == (0, 0)
    assert said_of_titles(titles, {"help"})["fees"] < 0.5
