"""Personas come from what a user prefers, by rules in data, and say why."""

from datetime import UTC, datetime

from tools.profile.model import Preference
from tools.profile.personas import MOST_PERSONAS, load_rules, personas_of

RULES = load_rules()


def preference(facet: str, value: str, score: float, evidence: int = 5) -> Preference:
    return Preference(facet, value, score, evidence, datetime(2026, 11, 1, tzinfo=UTC))


def test_topics_that_belong_together_make_a_persona_with_its_reasons():
    found = personas_of(RULES, [preference("topic", "Escrow", 0.3, 4), preference("topic", "invoices", 0.1, 1)])
    assert [one.name for one in found] == ["Payments Specialist"]
    assert found[0].reasons == ("topic Escrow: 0.30, seen 4 times", "topic invoices: 0.10, seen once")


def test_a_genre_makes_a_fan():
    assert [one.name for one in personas_of(RULES, [preference("genre", "Medical", 0.4)])] == ["Medical Fan"]


def test_too_little_evidence_a_dislike_or_nothing_makes_none():
    assert personas_of(RULES, [preference("genre", "Medical", 0.9, 1)]) == ()
    assert personas_of(RULES, [preference("genre", "Medical", -0.9)]) == ()
    assert personas_of(RULES, [preference("colour", "Red", 0.9)]) == ()
    assert personas_of(RULES, []) == ()


def test_the_strongest_come_first_and_not_too_many():
    found = personas_of(RULES, [preference("genre", f"G{number}", 0.3 + number / 100) for number in range(9)])
    assert [one.name for one in found] == ["G8 Fan", "G7 Fan", "G6 Fan"][:MOST_PERSONAS]
