"""What people write in Slack arrives as plain text, and words of ours are never markup."""

import pytest
from hypothesis import given

from tests.ui.test_harmless import FORBIDDEN, PIECES
from ui.slack_bot.markup import escaped, told


@pytest.mark.parametrize(
    ("sent", "text"),
    [
        ("<@UBOT> how does escrow work?", "how does escrow work?"),
        ("hey <@UBOT>, ask <@U2|ada> in <#C1|general>", "hey, ask @ada in #general"),
        (
            "is <https://x.example/a?b=1&amp;c=2|our prices> right?",
            "is our prices (https://x.example/a?b=1&c=2) right?",
        ),
        ("see <https://x.example>", "see https://x.example"),
        ("a &lt; b &amp;&amp; c\n  <!here> end", "a < b && c\n  @here end"),
    ],
)
def test_what_people_write_is_plain_text(sent: str, text: str) -> None:
    assert told(sent, "UBOT") == text


@given(PIECES)
def test_words_for_slacks_own_markup_are_only_words(text: str) -> None:
    assert not set(escaped(text)) & set("<>")
    assert FORBIDDEN.search(escaped(text).replace("](", "").replace("![", "")) is None
