"""Where the sentences of a paragraph end: not after every full stop."""

import re
from collections.abc import Iterator

RUN_IN_CHARS = 60
"""A bold opening that is shorter is a head of what follows it."""

_BOUNDARY = re.compile(r"(?:[.!?…]+[\"'”’»)\]*_]*(?:\s*\[\d{1,3}\])*\s+|[。！？]+[」』”’）]*\s*)")
_OPAQUE = re.compile(r"(?<!`)(`+)(?!`).+?(?<!`)\1(?!`)|\[[^\[\]\n]*\]\([^()\s]*\)", re.DOTALL)
_LAST_WORD = re.compile(r"[\w.’'-]*$")
_DOTTED = re.compile(r"(?:[^\W\d_]\.)+[^\W\d_]$")
_NEVER_LAST = frozenset(
    [
        "mr",
        "mrs",
        "ms",
        "dr",
        "prof",
        "st",
        "vs",
        "approx",
        "eg",
        "ie",
        "cf",
        "resp",
        "incl",
        "ca",
        "viz",
        "gen",
        "gov",
        "sen",
        "messrs",
    ]
)
_BEFORE_NUMBER = frozenset(
    [
        "no",
        "nos",
        "nr",
        "art",
        "sec",
        "fig",
        "figs",
        "p",
        "pp",
        "vol",
        "ch",
        "eq",
        "max",
        "min",
        "tel",
        "ext",
        "jan",
        "feb",
        "mar",
        "apr",
        "jun",
        "jul",
        "aug",
        "sep",
        "sept",
        "oct",
        "nov",
        "dec",
    ]
)
_CLOCK = frozenset({"a.m", "p.m"})
_AFTER_CLOCK = re.compile(r"(?:[A-Z]{2,4}\b|Eastern|Central|Pacific|Mountain|[A-Z][a-z]+day)")
_STARTER = re.compile(
    r"(?:The|An?|You|Your|If|We|It|This|That|These|Those|They|In|For|To|When|Once|After|Before|However|There|Then|Please|See|Do)\b"
)


def sentence_spans(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """The spans of the sentences in `text[start:end]`, without the blanks around them."""
    opaque = [match.span() for match in _OPAQUE.finditer(text, start, end)] if _may_hide(text, start, end) else []
    begin = start
    for match in _BOUNDARY.finditer(text, start, end):
        hidden = any(a < match.start() < b for a, b in opaque)
        if not hidden and match.end() < end and _is_boundary(text, begin, match):
            yield from trimmed(text, begin, match.end())
            begin = match.end()
    yield from trimmed(text, begin, end)


def _may_hide(text: str, start: int, end: int) -> bool:
    return text.find("`", start, end) >= 0 or text.find("](", start, end) >= 0


def trimmed(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """The span `text[start:end]` without the blanks around it; nothing where it is all blank."""
    while start < end and text[start].isspace():
        start += 1
    while start < end and text[end - 1].isspace():
        end -= 1
    if start < end:
        yield start, end


def _is_boundary(text: str, begin: int, match: re.Match[str]) -> bool:
    following = text[match.end() :][:24]
    if following[:1].islower() or following[:1] in ",;:)":
        return False
    if "*" in match.group() and text.startswith("**", begin) and match.start() - begin < RUN_IN_CHARS:
        return False  # "**Fund.** The client pays …": a run-in head belongs to what follows
    if match.group()[:1] in ".…" and text[begin : match.start()][-1:].isspace() and following[:1] == "(":
        return False  # "the ... (more) menu": dots that stand for something, and an aside on it
    if match.group()[0] != "." or match.group()[:2] == "..":
        return True
    before = _LAST_WORD.search(text, max(begin, match.start() - 30), match.start())
    is_alone = before is None or not text[begin : before.start()].strip()
    return _may_end(before.group() if before else "", following, is_alone=is_alone)


def _may_end(word: str, following: str, *, is_alone: bool) -> bool:
    """Whether the full stop after `word` ends a sentence when `following` comes next."""
    low = word.lower().lstrip("('")
    if low in _NEVER_LAST or (low in _BEFORE_NUMBER and following[:1].isdigit()):
        return False
    if low in _CLOCK:
        return not _AFTER_CLOCK.match(following)
    if _DOTTED.match(low):
        return low not in ("e.g", "i.e") and bool(_STARTER.match(following))
    if len(word) == 1 and word.isupper() and word != "I":
        return bool(_STARTER.match(following))
    return not (is_alone and low.replace(".", "").isdigit())
