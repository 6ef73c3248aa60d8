"""Nothing that a model writes can call anybody or hide an address."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ui.harmless import BREAK, neutral, settled

PIECES = st.lists(
    st.sampled_from(
        [
            *"<>!@#[]()|`1 \n",
            *("channel", "here", "U1", "https://a.example/x", "javascript:", "mailto:a@b.c", "words"),
            *("<!channel>", "<@U1>", "![", "](", "[1]", BREAK),
        ]
    )
    | st.text(max_size=5),
    max_size=25,
).map("".join)
ADDRESSES = {1: "https://help.example/one"}
FORBIDDEN = re.compile(
    r"<[!@#]|<[a-z][a-z0-9+.\-]*:|@(?:channel|here|everyone|group)\b|!\[|\]\(\s*<?(?!https?://|mailto:)", re.IGNORECASE
)


@given(PIECES)
def test_nothing_active_is_left(text: str) -> None:
    assert FORBIDDEN.search(neutral(text, ADDRESSES)) is None


@given(PIECES)
def test_neutral_text_stays_as_it_is(text: str) -> None:
    once = neutral(text)
    assert neutral(once).replace(BREAK, "") == once.replace(BREAK, "")


@given(PIECES, PIECES)
def test_what_was_shown_of_an_unfinished_answer_is_how_the_whole_begins(said: str, rest: str) -> None:
    """… so that a stream need not be corrected; the two patterns that look back further are corrected at the end."""
    shown = neutral(settled(said), ADDRESSES)
    whole = neutral(said + rest, ADDRESSES)
    if not whole.startswith(shown):
        assert re.search(r"\[[^\]]*\n|\[[^\]]*\[|\n[^\[]*\]", said + rest) or BREAK in said + rest


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("Pay 5 % [1].", "Pay 5 % [[1]](https://help.example/one)."),
        ("Not a source [7].", "Not a source [7]."),
        ("`a < b` and List<int>", "`a < b` and List<int>"),
        ("[our guide](https://help.example)", "[our guide](https://help.example)"),
        ("[settings](settings.md)", "settings"),
        ("![a chart](https://x.example/p.png)", "a chart"),
        ("[pay](slack://user?id=U1)", "pay"),
        ("write to ada@example.com", "write to ada@example.com"),
    ],
)
def test_what_readers_see(written: str, shown: str) -> None:
    assert neutral(written, ADDRESSES) == shown


def test_a_source_with_an_odd_address_is_not_linked() -> None:
    odd = {1: "javascript:alert(1)", 2: "https://x.example/a)b", 3: "https://x.example/<a>"}
    assert neutral("[1][2][3]", odd) == "[1][2][3]"


@pytest.mark.parametrize(
    "unfinished", ["see [", "see [1", "see [1]", "see [a](https://x", "<!chan", "ask @her", "look!"]
)
def test_what_may_still_change_is_held_back(unfinished: str) -> None:
    assert settled(unfinished) == re.split(r"[\[<@!]", unfinished)[0]
