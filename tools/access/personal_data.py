"""Finds personal data and secrets in text and masks them: for logs, and before a model on another machine is asked.

Each kind has a pattern that is cheap and wide and, where the kind has a check of its own, that check: Luhn's digit for
cards (ISO/IEC 7812-1), the remainder of 97 for account numbers (ISO 13616), a parse for addresses. What fails its check
is left as it is, so that an order number is not taken for a card.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Literal

Kind = Literal["email", "card", "iban", "ip", "phone", "secret"]


@dataclass(frozen=True, slots=True)
class Found:
    """Where a text holds what."""

    kind: Kind
    start: int
    end: int


def find(text: str) -> list[Found]:
    """Every piece of personal data, from left to right; none overlaps another. Time is linear in the text's length."""
    taken = bytearray(len(text))
    found: list[Found] = []
    for kind, pattern, check in _KINDS:
        for match in pattern.finditer(text):
            group = match.lastindex or 0
            start, end = match.span(group)
            if check(match[group]) and not any(taken[start:end]):
                taken[start:end] = b"\1" * (end - start)
                found.append(Found(kind, start, end))
    return sorted(found, key=lambda one: one.start)


def mask(text: str, *, spare: Iterable[Kind] = ()) -> str:
    """The text with each piece replaced by its kind, as `[email]`; kinds in `spare` stay. Masking twice changes nothing
    more."""
    if len(text) < SHORTEST:
        return text
    return "".join(_pieces(text, frozenset(spare)))


def _pieces(text: str, spare: frozenset[Kind]) -> Iterator[str]:
    done = 0
    for found in find(text):
        if found.kind not in spare:
            yield text[done : found.start]
            yield f"[{found.kind}]"
            done = found.end
    yield text[done:]


def luhn(digits: str) -> bool:
    """Whether the last digit is the check digit of the others (ISO/IEC 7812-1, annex B)."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (2 if place % 2 else 1)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


def _is_card(text: str) -> bool:
    digits = "".join(filter(str.isdigit, text))
    return 13 <= len(digits) <= 19 and digits[0] in "23456" and len(set(digits)) > 1 and luhn(digits)


def _is_iban(text: str) -> bool:
    compact = text.replace(" ", "").upper()
    if not 15 <= len(compact) <= 34:
        return False
    turned = compact[4:] + compact[:4]
    return int("".join(str(int(character, 36)) for character in turned)) % 97 == 1


def _is_ip(text: str) -> bool:
    try:
        address = ip_address(text)
    except ValueError:
        return False
    if address.is_loopback or address.is_unspecified:
        return False
    return address.version == 4 or sum(character != ":" for character in text) >= FEWEST_OF_IPV6


def _is_phone(text: str) -> bool:
    digits = sum(map(str.isdigit, text))
    return (9 if text[0] in "+(0" else 10) <= digits <= 15 and not _DATE.search(text)


def _always(_: str) -> bool:
    return True


SHORTEST = 6
FEWEST_OF_IPV6 = 5  # digits; a::b is valid, and C++
_DATE = re.compile(r"(?:19|20)\d\d[-./ ][01]?\d[-./ ][0-3]?\d|[0-3]?\d[./][01]?\d[./](?:19|20)\d\d")
_BY_ITS_LOOK = r"""
    (?:sk|pk|rk)[-_][A-Za-z0-9_-]{16,}                      # OpenAI, Stripe and many who follow them
  | attune_[0-9a-f]{12}_[A-Za-z0-9_-]{43}                   # our own
  | gh[pousr]_[A-Za-z0-9]{20,} | github_pat_\w{20,}         # GitHub
  | xox[abeprs]-[A-Za-z0-9-]{10,} | xapp-[A-Za-z0-9-]{10,}  # Slack
  | (?:AKIA|ASIA)[A-Z0-9]{16}                               # AWS
  | AIza[A-Za-z0-9_-]{35}                                   # Google
  | glpat-[A-Za-z0-9_-]{20,} | npm_[A-Za-z0-9]{30,} | hf_[A-Za-z0-9]{20,}
  | eyJ[A-Za-z0-9_-]{5,}\.eyJ[A-Za-z0-9_-]{5,}\.[A-Za-z0-9_-]*  # a JSON Web Token
"""
_AFTER_ITS_NAME = r"""
    (?i:\b(?:bearer\s+|(?:api[_-]?key|access[_-]?token|auth[_-]?token|secret|password|passwd|pwd)["']?\s*[=:]\s*["']?))
    ([A-Za-z0-9._~+/!@#$%^&*-]{8,})
"""
# In the order in which a doubt is decided: a card is no phone number.
_KINDS: tuple[tuple[Kind, re.Pattern[str], Callable[[str], bool]], ...] = (
    ("secret", re.compile(rf"(?<![A-Za-z0-9_])(?:{_BY_ITS_LOOK})", re.VERBOSE), _always),
    ("secret", re.compile(_AFTER_ITS_NAME, re.VERBOSE), _always),
    (
        "email",
        re.compile(
            r"(?<![\w.+%-])[\w.+%-]{1,64}@(?:[A-Za-z0-9À-ɏ](?:[A-Za-z0-9À-ɏ-]{0,61}[A-Za-z0-9À-ɏ])?\.){1,8}[A-Za-zÀ-ɏ]{2,24}(?!\w)"
        ),
        _always,
    ),
    (
        "iban",
        re.compile(r"(?<![A-Za-z0-9])[A-Za-z]{2}\d{2}(?: ?[A-Za-z0-9]{4}){2,7}(?: ?[A-Za-z0-9]{1,3})?(?![A-Za-z0-9])"),
        _is_iban,
    ),
    ("card", re.compile(r"(?<![\w.-])\d(?:[ -]?\d){12,18}(?![\w-])"), _is_card),
    (
        "ip",
        re.compile(r"(?<![\w:.])(?:[0-9A-Fa-f]{0,4}:){2,7}(?:(?:\d{1,3}\.){3}\d{1,3}|[0-9A-Fa-f]{1,4})?(?![\w:]|\.\d)"),
        _is_ip,
    ),
    ("ip", re.compile(r"(?<![\w.])\d{1,3}(?:\.\d{1,3}){3}(?![\w]|\.\d)"), _is_ip),
    (
        "phone",
        re.compile(r"(?<![\w./:-])(?:\+|\(0?|0)?\(?\d{1,4}(?:[ ./()-]{0,2}\d{1,5}){2,6}(?![\w]|[.:/-]\d)"),
        _is_phone,
    ),
)
