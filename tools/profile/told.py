"""Facts that users tell about themselves: conservative patterns on whole clauses, and the check of a model's quotes.

A pattern must fit a clause from its first word, so that "she thinks I'm a designer" or "I'm no designer" fit none.
What is a role, a language, a tone is data (told.yaml). English only: in other languages only the wish to be
answered in them is understood, and everything else is left to the user's own hand.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, cast
from zoneinfo import available_timezones

import yaml

from tools.profile.model import SLOTS, FactTold, Slot, key_of
from tools.profile.sensitive import is_sensitive, tells_child
from tools.profile.speech import Clause, Speech, own_speech

DATA = Path(__file__).parent / "told.yaml"
LARGEST_COMPANY = 5_000_000  # people
QUOTE_WORDS = 2  # fewer prove nothing
PAYMENT = "payment"  # not a slot: it becomes a tag
MANNERS = ("language", "tone", "length")  # how to answer: what a user may ask for


@dataclass(frozen=True, slots=True)
class _Pattern:
    """A clause that tells something of a slot (or of how the user pays); None as value: the one that it names."""

    slot: str
    clause: re.Pattern[str]
    value: str | None


@dataclass(frozen=True, slots=True)
class Told:
    """What a message tells of its user.

    Attributes:
        facts: The last for each slot, each with its sentence as quote.
        payments: How they pay, such as "invoice", each with its quote.
        subject: The clauses that may be about something else than the user; sensitive ones are not among them.
    """

    facts: tuple[FactTold, ...] = ()
    payments: tuple[tuple[str, str], ...] = ()
    subject: tuple[Clause, ...] = ()


def read_told(speech: Speech) -> Told:
    """What the user said about themselves; nothing when they seem to be a child or speak of one's age."""
    facts: dict[str, FactTold] = {}
    payments: list[tuple[str, str]] = []
    subject: list[Clause] = []
    for clause in _learnable(speech):
        told = dict(_told(clause))
        facts.update({slot: FactTold(cast(Slot, slot), told[slot], clause.sentence) for slot in told if slot in SLOTS})
        if PAYMENT in told:
            payments.append((told[PAYMENT], clause.sentence))
        if clause.about and told.keys() <= {PAYMENT}:
            subject.append(clause)
    return Told(tuple(facts.values()), tuple(payments), tuple(subject))


def verified(
    slot: Slot, value: str, quote: str, message: str, *, replies: Sequence[str] = (), max_words: int = 60
) -> bool:
    """Whether a model may store this fact: the quote stands in the user's own words, and the value in the quote.

    Case and white space may differ, nothing else. False for what is quoted from others, conditional, turned down or
    sensitive, for values that give rights, and for a value that the quote doesn't hold.
    """
    words = _words(quote)
    if not QUOTE_WORDS <= len(words) <= max_words or is_sensitive(f"{quote} {value}"):
        return False
    speech = own_speech(message, replies=replies)
    told = [clause for clause in _learnable(speech) if _touches(clause, words)]
    if not told or not _holds(" ".join(clause.sentence for clause in told), words):
        return False
    return any(
        key_of(said) == key_of(value) for clause in told for known, said in _told(clause) if known == slot
    ) or _says(slot, value, words, told)


def _says(slot: Slot, value: str, quote: Sequence[str], told: Sequence[Clause]) -> bool:
    """No pattern knows it, but it is said in so many words, by the user, of the user."""
    if not all(clause.claims for clause in told) or not _OF_THEMSELVES.search(" ".join(quote)):
        return False
    if _NEGATION.search(" ".join(clause.sentence for clause in told)):
        return False
    if slot == "role" and _RIGHTS.search(value):
        return False
    return bool(_words(value)) and _holds(" ".join(quote), _words(value))


_OF_THEMSELVES = re.compile(r"\b(?:i|my|me|we|our|us|mine)\b", re.IGNORECASE)
_NEGATION = re.compile(r"\b(?:not|no|never|nor|neither|without|hardly|n't|\w+n't|none|nobody|nothing)\b", re.IGNORECASE)
_RIGHTS = re.compile(
    r"\b(?:admin\w*|owner|root|moderator|superuser|staff|employee|support agent|operator|vip|premium|verified|system|"
    r"developer mode|god|boss of (?:this|the)|privileged|trusted|unlimited)\b",
    re.IGNORECASE,
)


def _learnable(speech: Speech) -> Iterator[Clause]:
    if any(map(tells_child, speech.sentences)):
        return
    sensitive = {sentence: is_sensitive(sentence) for sentence in speech.sentences}
    for clause in speech.clauses:
        if not clause.against and not sensitive[clause.sentence]:
            yield clause


def _told(clause: Clause) -> Iterator[tuple[str, str]]:
    """Slots with their values. A question tells nothing, unless it is a polite request ("can you keep it short?")."""
    text = clause.text.strip(" .!?;,").replace(",", "")
    for pattern in _patterns():
        if not clause.claims and not (pattern.slot in MANNERS and _REQUEST.match(text)):
            continue
        if (match := pattern.clause.match(text)) and (value := pattern.value or _value(match)):
            yield pattern.slot, value


_REQUEST = re.compile(r"(?:please |kindly )?(?:can|could|would) you\b", re.IGNORECASE)


def _touches(clause: Clause, quote: Sequence[str]) -> bool:
    """The quote lies in the clause, or the clause in the quote."""
    own = _words(clause.text)
    return _holds(" ".join(quote), own) or _holds(" ".join(own), quote)


def _holds(text: str, words: Sequence[str]) -> bool:
    return f" {' '.join(words)} " in f" {' '.join(_words(text))} "


def _words(text: str) -> list[str]:
    return re.findall(r"[\w']+", text.replace("’", "'").casefold())


# The patterns


@cache
def _data() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(DATA.read_text("utf-8"))
    return found


@cache
def _listed(name: str) -> Mapping[str, str]:
    """Each word of these lists, with the value it stands for."""
    return {word: value for value, words in _data()[name].items() for word in words}


def _any(words: Iterable[str]) -> str:
    """One of these, the longest that fits."""
    return "|".join(re.escape(word) for word in sorted(words, key=len, reverse=True))


@cache
def _patterns() -> tuple[_Pattern, ...]:
    """As told.yaml gives them, with their parts filled in."""
    data = _data()
    parts = {**data["parts"], **{name: f"(?P<{name}>{form})" for name, form in _value_forms(data).items()}}
    return tuple(
        _Pattern(one["slot"], re.compile(_filled(f"<opening>(?:{clause})", parts), re.IGNORECASE), one.get("value"))
        for one in data["patterns"]
        for clause in one["clauses"]
    )


def _value_forms(data: Mapping[str, Any]) -> dict[str, str]:
    return {
        "role": f"(?:(?:{_any(data['role_modifiers'])}) )*(?:{_any(data['roles'])})",
        "language": _any(data["languages"]),
        "tone": _any(_listed("tones")),
        "length": _any(_listed("lengths")),
        "count": rf"\d[\d,.]*|{_any(_NUMBERS)}",
        "zone": r"(?:utc|gmt) ?[+-] ?\d{1,2}(?::?\d\d)?|[a-z]+/[a-z_/]+|[a-z]{2,5}",
        "payment": _any(data["payments"]),
    }


def _filled(clause: str, parts: Mapping[str, str]) -> str:
    """Parts may hold parts; a name of a group, as in (?P<role>…), is none."""
    while (filled := re.sub(r"(?<!\?P)<(\w+)>", lambda match: parts[match[1]], clause)) != clause:
        clause = filled
    return clause


def _value(match: re.Match[str]) -> str | None:
    """What the clause names, in one spelling; None when it is no value after all."""
    name, said = next((name, said) for name, said in match.groupdict().items() if said is not None)
    return _MEANINGS[name](" ".join(said.lower().split()))


def _count(said: str) -> str | None:
    if said in _NUMBERS:
        return str(_NUMBERS[said])
    number = int(re.sub(r"[,.]", "", said)[:12])
    return str(number) if 1 <= number <= LARGEST_COMPANY else None


def _zone(said: str) -> str | None:
    name = said.replace(" ", "").upper()
    if name in _ABBREVIATIONS or re.fullmatch(r"(?:UTC|GMT)[+-](?:0?\d|1[0-4])(?::?[0-5]\d)?", name):
        return name
    return _zones().get(name.casefold())


_MEANINGS: Mapping[str, Callable[[str], str | None]] = {
    "role": str,
    "language": str.capitalize,
    "tone": lambda said: _listed("tones")[said],
    "length": lambda said: _listed("lengths")[said],
    "count": _count,
    "zone": _zone,
    "payment": str,
}
_NUMBERS = {
    **{word: at for at, word in enumerate(["one", "two", "three", "four", "five", "six", "seven", "eight", "nine"], 1)},
    **{"ten": 10, "eleven": 11, "twelve": 12, "a dozen": 12, "fifteen": 15, "twenty": 20, "thirty": 30, "forty": 40},
    **{"fifty": 50, "a hundred": 100, "one hundred": 100, "two hundred": 200},
}
_ABBREVIATIONS = frozenset(
    {
        *("UTC", "GMT", "CET", "CEST", "EET", "EEST", "WET", "WEST", "BST", "MSK", "EST", "EDT", "CST", "CDT", "MST"),
        *("MDT", "PST", "PDT", "AKST", "HST", "PKT", "JST", "KST", "SGT", "HKT", "AEST", "AEDT", "ACST", "AWST"),
        *("NZST", "NZDT", "BRT", "SAST"),
    }
)


@cache
def _zones() -> Mapping[str, str]:
    return {name.casefold(): name for name in available_timezones() if "/" in name}
