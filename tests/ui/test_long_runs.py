"""What anybody can write to a bot takes no longer than its length: thousands of brackets that nothing closes, of spaces
between two words, of signs. A bot serves everybody from one loop."""

import time
from collections.abc import Callable

import pytest

from ui.harmless import neutral, settled
from ui.slack_bot.markup import told
from ui.threads import asked_privately

LONGEST = 20_000
SECONDS = 2.0  # on a busy machine; each took from ten seconds to minutes
PIECES = [" ", "\n", ",", "[", "![", "[a](", "[a]( ", "](", "<", "<@", "@", "!", "answer ", "please "]
READERS: list[Callable[[str], object]] = [neutral, settled, asked_privately, lambda text: told(text, "UBOT")]


@pytest.mark.parametrize("reader", READERS, ids=["neutral", "settled", "asked_privately", "told"])
@pytest.mark.parametrize("piece", PIECES)
def test_a_long_run_is_read_at_once(reader: Callable[[str], object], piece: str) -> None:
    run = (piece * LONGEST)[:LONGEST]
    started = time.process_time()
    for text in (run, f"{run}x", f"x{run}x"):
        reader(text)
    assert time.process_time() - started < SECONDS


@pytest.mark.parametrize(
    ("text", "question"),
    [
        ("How does it work?", None),
        ("answer me privately: how does it work?", "how does it work?"),
        ("How does it work? Please answer privately.", "How does it work?"),
        ("Tell me, answer me privately, how it works.", "Tell me how it works."),
        ("Answer privately. Answer me privately!", ""),
    ],
)
def test_what_is_asked_in_private_is_the_rest_of_the_message(text: str, question: str | None) -> None:
    assert asked_privately(text) == question
