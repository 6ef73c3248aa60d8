"""The confidence rises with every clue and stays a probability."""

from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from knowledge_base.confidence import BACKGROUND, Clues, clues_of, probability
from knowledge_base.fusion import Candidates, Evidence, gather

CLUES = st.builds(Clues, *[st.floats(0, 1)] * 4)


@given(CLUES, st.sampled_from(["lead", "cosine", "pairs"]), st.floats(0, 1))
def test_more_evidence_never_lowers_it(clues: Clues, name: str, value: float):
    more = replace(clues, **{name: max(value, getattr(clues, name))})
    assert 0 < probability(clues) <= probability(more) < 1


def test_nothing_found_is_no_confidence():
    nothing = gather([], [], [], np.empty((0, 2), np.float32))
    empty = np.empty(0)
    clues = clues_of(nothing, Evidence(empty, empty, empty), 0.1, lambda _: 1.0)
    assert probability(clues) < 0.02


def _found(documents: list[str], fused: list[float]) -> tuple[Candidates, Evidence]:
    scores = np.array(fused)
    count = len(documents)
    candidates = gather([str(n) for n in range(count)], documents, [0] * count, np.zeros((count, 2), np.float32))
    return candidates, Evidence(scores, scores, scores)


def test_the_lead_is_over_other_documents():
    candidates, evidence = _found(["a", "a", "b", "c"], [0.7, 0.6, 0.5, 0.3])
    clues = clues_of(candidates, evidence, 0.25, lambda at: 0.5 if list(at) == [0, 1] else 0.0)
    assert np.isclose(clues.lead, 0.7 - 0.4)
    assert (clues.cosine, clues.pairs, clues.length) == (0.7, 0.5, 0.25)


def test_a_lonely_document_must_stand_out_from_any_text():
    candidates, evidence = _found(["a"], [BACKGROUND])
    assert clues_of(candidates, evidence, 0.0, lambda _: 0.0).lead == 0
