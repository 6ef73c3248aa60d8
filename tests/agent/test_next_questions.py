"""Questions that are offered after an answer."""

import pytest

from agent.next_questions import as_question, follow_ups
from tests.agent.quoting import source


@pytest.mark.parametrize(
    ("heading", "question"),
    [
        ("Reset your password", "How do I reset my password?"),
        ("How to export data", "How do I export data?"),
        ("Who may approve a payment", "Who may approve a payment?"),
        ("2. Send a request", "How do I send a request?"),
        ("Is it free?", "Is it free?"),
        ("Team roles", "Team roles"),
        ("How escrow protects a payment", "Explain how escrow protects a payment"),
    ],
)
def test_a_heading_becomes_a_question(heading, question):
    assert as_question(heading) == question


def test_follow_ups_leave_out_what_was_asked_and_what_tells_nothing():
    sources = [
        source("x.", 1, heading="Fund a milestone"),
        source("y.", 2, heading="Change a milestone"),
        source("z.", 3, "b.md", heading="Overview"),
    ]
    offered = follow_ups("What is a refund?", sources, [1], ["How do I change a milestone?"])
    assert offered == []
    assert follow_ups("What is a refund?", sources, [1], []) == ["How do I change a milestone?"]
