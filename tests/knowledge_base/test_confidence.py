"""The confidence rises with every clue and stays a probability."""

from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from knowledge_base.confidence import BACKGROUND, Clues, clues_of, probability, said_of_titles
from knowledge_base.fusion import Candidates, Evidence, gather
from knowledge_base.words import Held

CLUES = st.builds(Clues, *[st.floats(0, 1)] * 6)


@given(CLUES, st.sampled_from(["lead", "cosine", "words", "gathered", "title"]), st.floats(0, 1))
def test_more_evidence_never_lowers_it(clues: Clues, name: str, value: float):
    more = replace(clues, **{name: max(value, getattr(clues, name))})
    assert 0 < probability(clues) <= probability(more) < 1


def _held(places: list[list[bool]], worth: list[float], passages: int) -> Held:
    return Held(np.array(places, np.bool_).reshape(len(worth), passages), np.array(worth))


def test_nothing_found_is_no_confidence():
    nothing = gather([], [], [], np.empty((0, 2), np.float32))
    empty, none = np.empty(0), _held([], [], 0)
    assert probability(clues_of(nothing, Evidence(empty, empty, empty, none), none, {}, 0.5)) < 0.02


def _found(documents: list[str], fused: list[float], held: Held | None = None) -> tuple[Candidates, Evidence]:
    scores = np.array(fused)
    count = len(documents)
    candidates = gather([str(n) for n in range(count)], documents, [0] * count, np.zeros((count, 2), np.float32))
    return candidates, Evidence(scores, scores, scores, held or _held([], [], count))


def test_the_lead_is_over_other_documents():
    candidates, evidence = _found(["a", "a", "b", "c"], [0.7, 0.6, 0.5, 0.3])
    none = _held([], [], 4)
    clues = clues_of(candidates, evidence, none, {"a": 0.75, "b": 1.0, "c": 1.0}, 0.25)
    assert np.isclose(clues.lead, 0.7 - 0.4)
    assert (clues.cosine, clues.words, clues.gathered, clues.title, clues.said) == (0.7, 0, 0, 0.75, 0.25)


def test_a_lonely_document_must_stand_out_from_any_text():
    candidates, evidence = _found(["a"], [BACKGROUND])
    none = _held([], [], 1)
    assert clues_of(candidates, evidence, none, {"a": 0.0}, 0.0).lead == 0


def test_a_document_s_passages_hold_words_and_pairs_together():
    held = _held([[True, False, False], [False, True, True], [False, False, True], [False] * 3], [1, 2, 3, 6], 3)
    candidates, evidence = _found(["a", "a", "b"], [0.7, 0.6, 0.5], held)
    clues = clues_of(candidates, evidence, held, {"a": 0.0, "b": 0.0}, 0.0)
    assert np.isclose(clues.words, 3 / 12)  # of all
    assert np.isclose(clues.gathered, 3 / 6)  # of those that stand anywhere


def test_what_was_said_counts_for_the_document_that_gathers_it_and_against_all_others():
    alone = Clues(lead=0.2, cosine=0.5, words=0.5, gathered=0.9, title=0.5, said=0.0)
    scattered = replace(alone, gathered=0.4, said=0.8)
    assert probability(scattered) < probability(alone) < probability(replace(alone, said=0.8))


def test_what_all_titles_say_counts_less_than_what_one_says():
    titles = {"fees": frozenset({"fee", "help"}), "teams": frozenset({"team", "help"}), "untitled": frozenset[str]()}
    said = said_of_titles(titles, {"fee", "pay"})
    assert 0.5 < said["fees"] < 1
    assert (said["teams"], said["untitled"]) == (0, 0)
    assert said_of_titles(titles, {"help"})["fees"] < 0.5
