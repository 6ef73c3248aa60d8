"""The small print under an answer: what was used of the profile, and what was noted."""

from dataclasses import replace

import pytest

from agent.events import Learnt, NextStep, Used
from tests.fakes import reply
from ui.gradio_app.exchange import parts
from ui.gradio_app.receipt import noted_html, receipt_html
from ui.gradio_app.shown import Shown

ESCROW = Used(
    kind="preference", facet="topic", value="Escrow", entry="You care about Escrow", effect="Its passage comes first"
)
RISK = Used(
    kind="prediction", facet="recommended_action", value="offer_human", entry="This may stay open", effect="Kept short"
)


def learnt(facet: str, value: str, kind: str = "preference", weight: float = 0.5) -> Learnt:
    return Learnt.model_validate({"kind": kind, "facet": facet, "value": value, "quote": "q", "weight": weight})


def test_nothing_used_leaves_no_line() -> None:
    assert receipt_html([]) == ""
    assert noted_html([]) == ""


def test_each_entry_shows_its_effect_and_can_be_refused() -> None:
    html = receipt_html([ESCROW, ESCROW.model_copy(update={"value": "Fees", "entry": "You care about Fees"})])
    assert "and 1 more" in html
    assert html.count("Its passage comes first") == 2
    assert 'data-facet="topic" data-value="Fees"' in html
    assert 'aria-label="Not this: You care about Escrow"' in html
    assert "Answer without my profile" in html


def test_a_prediction_is_shown_but_is_no_entry_to_mute() -> None:
    html = receipt_html([RISK])
    assert "This may stay open" in html
    assert "not-this" not in html


@pytest.mark.parametrize(
    ("learned", "words"),
    [
        ([learnt("topic", "Escrow"), learnt("tag", "Escrow", "tag")], "Noted: you asked about Escrow<"),
        ([learnt("topic", "Escrow"), learnt("topic", "Fees")], "Noted: you asked about Escrow and Fees<"),
        ([learnt("topic", "Taxes", weight=-0.3)], "Noted: you don’t care for Taxes<"),
        ([learnt("genre", "Medical")], "Noted: you like Medical<"),
        ([learnt("role", "designer", "fact"), learnt("topic", "Fees")], "you asked about Fees; role: designer<"),
        ([learnt("tag", "Pays by invoice", "tag")], "Noted: tag Pays by invoice<"),
    ],
)
def test_what_was_noted_is_said_in_words(learned: list[Learnt], words: str) -> None:
    assert words in noted_html(learned)
    assert 'data-act="unlearn"' in noted_html(learned)


def test_nothing_that_is_shown_is_markup() -> None:
    bad = '<img onerror="x">'
    html = receipt_html([Used(kind="fact", facet=bad, value=bad, entry=bad, effect=bad)]) + noted_html(
        [learnt("topic", bad)]
    )
    assert "<img" not in html
    assert 'onerror="' not in html


def test_an_answer_without_the_profile_says_so() -> None:
    shown = Shown("How?", personal=False)
    assert "without your profile" not in parts(shown)["receipt"]
    assert "Answered without your profile" in parts(replace(shown, reply=reply()))["receipt"]


def test_next_steps_can_be_opened_and_refused_but_lead_to_no_script() -> None:
    step = NextStep(
        item_id="a", title="Fees", url="https://help.example/fees", explanation="Because.", match="+3 % match"
    )
    bad = step.model_copy(update={"item_id": "b", "title": "<b>", "url": "javascript:alert(1)"})
    html = parts(Shown("How?", reply=reply(next_steps=[step, bad])))["next"]
    assert 'href="https://help.example/fees"' in html
    assert "+3 % match" in html
    assert html.count('data-kind="dismiss"') == 2
    assert "javascript" not in html
    assert "<b>" not in html
