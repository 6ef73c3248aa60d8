"""Which item a title means, when people write it from memory."""

import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from tools.recommender.model import Item

CLOSE = 0.8
COMPARED = 20_000
"""How many titles are compared letter by letter; more would take longer than anybody waits."""
_YEAR = re.compile(r"\s*\(\d{4}\)$")


@dataclass(frozen=True, slots=True)
class Match:
    """The item that a title was taken for, and how: the same, a part of the title, close to it, or none."""

    item: Item | None
    how: Literal["exact", "part", "close", "none"]


def find_title(items: Sequence[Item], title: str) -> Match:
    """The item whose title is this, begins with or holds it, or is written nearly so."""
    wanted = _plain(title)
    if not wanted:
        return Match(None, "none")
    titles = [_plain(item.title) for item in items]
    same = [place for place, one in enumerate(titles) if wanted in (one, _YEAR.sub("", one))]
    if same:
        return Match(items[same[0]], "exact")
    part = [place for place, one in enumerate(titles) if wanted in one]
    if part:
        return Match(
            items[min(part, key=lambda place: (not titles[place].startswith(wanted), len(titles[place])))], "part"
        )
    close = difflib.get_close_matches(wanted, titles[:COMPARED], n=1, cutoff=CLOSE)
    return Match(items[titles.index(close[0])], "close") if close else Match(None, "none")


def _plain(title: str) -> str:
    return " ".join(title.casefold().split())
