"""Values say which field cannot be kept, before anything is written."""

from datetime import datetime

import pytest

from tools.profile.errors import ProfileInputInvalid
from tools.profile.model import QUOTE_CHARS, FactTold, Interaction, Profile, Signal, TagSeen


@pytest.mark.parametrize(
    ("make", "field"),
    [
        (lambda: Interaction("rate", "a"), "rating"),
        (lambda: Interaction("rate", "a", float("nan")), "rating"),
        (lambda: Interaction("rate", "a", 11), "rating"),
        (lambda: Interaction("stare", "a"), "type"),  # type: ignore[arg-type]
        (lambda: Interaction("click", ""), "item_id"),
        (lambda: Interaction("click", "a", key="k" * 500), "key"),
        (lambda: Interaction("click", "a", metadata={"a": object()}), "metadata"),
        (lambda: Interaction("click", "a", metadata={"a": float("inf")}), "metadata"),
        (lambda: Interaction("click", "a", at=datetime(2026, 11, 1)), "at"),
        (lambda: Signal("", "a", 0.5), "facet"),
        (lambda: Signal("topic", "a" * 201, 0.5), "value"),
        (lambda: Signal("topic", "a", 1.5), "weight"),
        (lambda: TagSeen("a", -0.1), "confidence"),
        (lambda: TagSeen("a", 0.1, source="rumour"), "source"),  # type: ignore[arg-type]
        (lambda: FactTold("shoe_size", "42"), "slot"),  # type: ignore[arg-type]
        (lambda: FactTold("role", " \n "), "value"),
    ],
)
def test_a_value_that_cannot_be_kept_names_its_field(make, field):
    with pytest.raises(ProfileInputInvalid) as refused:
        make()
    assert refused.value.field == field


def test_texts_are_cleaned_and_long_quotes_cut():
    signal = Signal("topic", "  Two \n words\0 ", 0.5, "said  " * 5000)
    assert signal.value == "Two words"
    assert len(signal.quote) <= QUOTE_CHARS + 1
    assert "  " not in signal.quote


def test_an_empty_profile_knows_no_fact():
    assert Profile("ada").fact("role") is None
