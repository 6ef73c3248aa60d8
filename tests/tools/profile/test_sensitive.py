"""What is never inferred about anyone."""

import pytest

from tools.profile.sensitive import categories, is_sensitive, tells_child


@pytest.mark.parametrize(
    ("text", "category"),
    [
        ("I have diabetes", "health"),
        ("Ich bin schwanger", "health"),
        ("Je suis malade", "health"),
        ("tengo una discapacidad", "health"),
        ("ho una malattia", "health"),
        ("tenho uma doença", "health"),
        ("ik ben ziek", "health"),
        ("I pray at the mosque", "religion"),
        ("soy católico", "religion"),
        ("I am a socialist", "politics"),
        ("I'm bisexual", "sexuality"),
        ("je suis lesbienne", "sexuality"),
        ("as a refugee", "ethnicity"),
        ("I'm in a trade union", "union membership"),
        ("meine Gewerkschaft", "union membership"),
        ("my daughter needs this", "a child"),
        ("mijn zoon wil dit", "a child"),
    ],
)
def test_sensitive_things_are_recognised_in_several_languages(text: str, category: str) -> None:
    assert category in categories(text)
    assert is_sensitive(text)


@pytest.mark.parametrize(
    "text",
    [
        "How does escrow work?",
        "Is there a health check endpoint?",
        "We have a race condition in our code",
        "I pay from a credit union",
        "How do third party apps connect?",
        "Where do I find my child account?",
        "Custody of the funds",
        "I'm 34 years old",
        "I'm 12 hours behind",
    ],
)
def test_what_only_looks_sensitive_is_not(text: str) -> None:
    assert not is_sensitive(text)


@pytest.mark.parametrize("text", ["I'm 13 and want to sell", "I am only 16.", "Ich bin 15 Jahre alt", "my 9-year-old"])
def test_a_childs_age_is_recognised(text: str) -> None:
    assert tells_child(text)


@pytest.mark.parametrize("name", ["Mental health", "Religion", "Health insurance", "Politics"])
def test_names_of_topics_are_compared_too(name: str) -> None:
    assert is_sensitive(name)
