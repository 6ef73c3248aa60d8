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
        ("Team roles", "Explain team roles"),
        ("API errors and retries", "Explain API errors and retries"),
        ("OpenID Connect", "Explain OpenID Connect"),
        ("Creating a Rule", "How do I create a Rule?"),
        ("Resetting Your Password", "How do I reset my Password?"),
        ("Deleting or merging payees", "Explain deleting or merging payees"),
        ("Scheduled transactions", "Explain scheduled transactions"),
        ("How escrow protects a payment", "Explain how escrow protects a payment"),
        ("The Month Ahead Strategy", "Explain the Month Ahead Strategy"),
        ("A break instead of closing", "Explain a break instead of closing"),
        ("The refund differs from what I paid", "The refund differs from what I paid"),
    ],
)
def test_a_heading_becomes_a_question(heading, question):
    assert as_question(heading) == question


def test_a_heading_that_says_too_little_gives_way_to_its_article():
    sources = [source("x.", 1, heading="Limits", title="Get paid out"), source("y.", 2, "b.md", heading="Is it free?")]
    assert follow_ups("What is a refund?", sources, [], []) == ["How do I get paid out?", "Is it free?"]


def test_follow_ups_leave_out_what_was_asked_and_what_tells_nothing():
    sources = [
        source("x.", 1, heading="Fund a milestone"),
        source("y.", 2, heading="Change a milestone"),
        source("z.", 3, "b.md", heading="Overview"),
    ]
    offered = follow_ups("What is a refund?", sources, [1], ["How do I change a milestone?"])
    assert offered == []
    assert follow_ups("What is a refund?", sources, [1], []) == ["How do I change a milestone?"]
