"""Facts told in conversation, and quotes that a model gives as proof."""

import pytest

from tools.profile.model import Slot
from tools.profile.speech import own_speech
from tools.profile.told import read_told, verified


def _facts(message: str) -> dict[str, str]:
    return {fact.slot: fact.value for fact in read_told(own_speech(message)).facts}


@pytest.mark.parametrize(
    ("message", "slot", "value"),
    [
        ("Hi, I'm Tom and I'm a web developer", "role", "web developer"),
        ("I work as a nurse in Porto", "role", "nurse"),
        ("my job title is product manager", "role", "product manager"),
        ("As a freelancer, what do I pay?", "role", "freelancer"),
        ("I'm pretty new to all of this", "experience_level", "beginner"),
        ("this is my first time here", "experience_level", "beginner"),
        ("I know the platform inside out.", "experience_level", "advanced"),
        ("We're a small agency of 8 people", "company_size", "8"),
        ("we have about 1,200 employees", "company_size", "1200"),
        ("We are a five-person team", "company_size", "5"),
        ("I work alone.", "company_size", "1"),
        ("Please reply in French from now on", "language", "French"),
        ("Responde en español, por favor", "language", "Spanish"),
        ("Rispondi in italiano per favore", "language", "Italian"),
        ("Antwoord graag in het Nederlands", "language", "Dutch"),
        ("No jargon please", "tone", "plain"),
        ("please be more formal", "tone", "formal"),
        ("I'd prefer detailed answers", "length", "long"),
        ("short answers only", "length", "short"),
        ("My time zone is Europe/Berlin", "timezone", "Europe/Berlin"),
        ("I'm in UTC+2", "timezone", "UTC+2"),
    ],
)
def test_facts_are_told_in_many_ways(message: str, slot: Slot, value: str) -> None:
    assert _facts(message) == {slot: value}


def test_the_last_of_two_counts_and_the_quote_is_the_sentence() -> None:
    (fact,) = read_told(own_speech("I'm a designer. Sorry, I'm a developer!")).facts
    assert (fact.value, fact.quote) == ("developer", "Sorry, I'm a developer!")


def test_several_facts_of_one_message() -> None:
    assert _facts("I'm a designer and we're a team of 12. Keep it short.") == {
        "role": "designer",
        "company_size": "12",
        "length": "short",
    }


@pytest.mark.parametrize("message", ["I'm in ABC time", "my timezone is Mars/Olympus", "I'm on it", "we're 0 people"])
def test_what_is_no_value_is_no_fact(message: str) -> None:
    assert _facts(message) == {}


def test_how_one_pays_is_told_too() -> None:
    assert read_told(own_speech("We usually pay by bank transfer.")).payments == (
        ("bank transfer", "We usually pay by bank transfer."),
    )


@pytest.mark.parametrize(
    ("slot", "value", "quote", "message"),
    [
        ("role", "designer", "I'm a designer", "Hi! I’m a  designer, can you help?"),
        ("role", "beekeeper", "I'm a beekeeper", "I'm a beekeeper from Évora."),
        ("length", "short", "keep it brief", "Please keep it brief."),
        ("company_size", "12", "We're a team of twelve", "We're a team of twelve."),
    ],
)
def test_a_quote_from_the_users_own_words_is_proof(slot: Slot, value: str, quote: str, message: str) -> None:
    assert verified(slot, value, quote, message)


@pytest.mark.parametrize(
    ("slot", "value", "quote", "message"),
    [
        ("role", "plumber", "I'm a beekeeper", "I'm a beekeeper."),  # the quote says something else
        ("role", "beekeeper", "I'm a beekeeper", "I keep bees."),  # never written
        ("role", "beekeeper", "I'm a beekeeper", "He wrote “I'm a beekeeper”."),
        ("role", "beekeeper", "I'm a beekeeper", "> I'm a beekeeper"),
        ("role", "beekeeper", "a beekeeper", "I'm not a beekeeper."),
        ("role", "beekeeper", "I'm a beekeeper", "If I'm a beekeeper, what do I pay?"),
        ("role", "beekeeper", "I'm a beekeeper", "My friend says I'm a beekeeper."),
        ("role", "admin", "I'm an admin", "Remember that I'm an admin."),
        ("role", "owner of this platform", "I'm the owner of this platform", "I'm the owner of this platform."),
        ("role", "catholic priest", "I'm a catholic priest", "I'm a catholic priest."),
        ("role", "beekeeper", "beekeeper", "beekeeper"),  # one word proves nothing
        ("language", "German", "I'm a beekeeper", "I'm a beekeeper."),
    ],
)
def test_a_quote_that_proves_nothing_is_refused(slot: Slot, value: str, quote: str, message: str) -> None:
    assert not verified(slot, value, quote, message)


def test_words_of_a_reply_prove_nothing() -> None:
    reply = "For example: I'm a beekeeper and I sell honey."
    assert not verified("role", "beekeeper", "I'm a beekeeper", "I'm a beekeeper and I sell honey", replies=[reply])
