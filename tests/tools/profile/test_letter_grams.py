"""How alike texts are spelt."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tools.profile.letter_grams import LetterGrams

TEXTS = ["error E-1042 on upload", "error E-2077 on upload", "how do refunds work", ""]


def test_a_text_is_most_like_itself() -> None:
    alike = LetterGrams(TEXTS).among_themselves()
    assert np.allclose(np.diag(alike)[:3], 1)
    assert alike[0, 1] > alike[0, 2]
    assert not alike[3].any()


def test_the_rare_word_decides() -> None:
    first, second, *_ = LetterGrams(TEXTS).against("what does E-2077 mean")
    assert second > first


def test_endings_hardly_matter() -> None:
    assert LetterGrams(TEXTS).against("refunding")[2] > 0.3


@given(st.text(max_size=200))
def test_every_text_has_cosines_within_their_bounds(text: str) -> None:
    found = LetterGrams(TEXTS).against(text)
    assert found.shape == (4,)
    assert ((found >= 0) & (found <= 1 + 1e-9)).all()
