"""What may be quoted of sources."""

from agent.candidates import candidates
from tests.agent.quoting import source

ESCROW = source(
    "Escrow holds the client's money.\n\n## When is money released?\n\nThe client has 7 days to approve the work. "
    "If the client does nothing, the money is released automatically.\n\n## Limits\n\nA milestone is at least 50 euros."
)


def test_headings_are_no_candidates_but_known_to_what_stands_below_them():
    assert [(one.heading, one.position) for one in candidates([ESCROW])] == [
        ("Escrow", 0),
        ("When is money released?", 0),
        ("When is money released?", 1),
        ("Limits", 0),
    ]
