"""Markdown to quotable units, and which sentences need a citation."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from knowledge_base.sentences import claim_bearing, units


def shown(text: str) -> list[str]:
    return [unit.text for unit in units(text)]


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("Dr. Lee came. She left.", ["Dr. Lee came.", "She left."]),
        ("Use a fork, e.g. A or B. Then stop.", ["Use a fork, e.g. A or B.", "Then stop."]),
        ("It moved to the U.S. Army base.", ["It moved to the U.S. Army base."]),
        ("It moved to the U.S. You may follow.", ["It moved to the U.S.", "You may follow."]),
        (
            "Open at 9 a.m. Monday. Closed at 5 p.m. You may call.",
            ["Open at 9 a.m. Monday.", "Closed at 5 p.m.", "You may call."],
        ),
        (
            "Version v1.2 costs €4.50. See www.a.example. Done.",
            ["Version v1.2 costs €4.50.", "See www.a.example.", "Done."],
        ),
        ("Read No. 5 first. No. Not that.", ["Read No. 5 first.", "No.", "Not that."]),
        ("Wait… Really?! Yes.", ["Wait…", "Really?!", "Yes."]),
        ('He said "stop." Then he left.', ['He said "stop."', "Then he left."]),
        ("Call `a. B` now. Then [this. That](x) too.", ["Call `a. B` now.", "Then this. That too."]),
        ("**Fund.** The client pays. Then wait.", ["Fund. The client pays.", "Then wait."]),
        ("これは文です。次の文です。", ["これは文です。", "次の文です。"]),
        ("Open the ... (more) menu. Then wait...", ["Open the ... (more) menu.", "Then wait..."]),
        ("2.1. Small plots", ["2.1. Small plots"]),
        (
            "A line that is wrapped by hand and goes on\nbelow it. Next.",
            ["A line that is wrapped by hand and goes on below it.", "Next."],
        ),
    ],
)
def test_sentences(text, sentences):
    assert shown(text) == sentences


def test_a_list_keeps_markers_and_its_lead_in():
    found = units("To export:\n\n1. Open **Files**. Wait.\n2. Click *Export*:\n   - as CSV\n   - as PDF\n")
    assert [(unit.kind, unit.marker, unit.depth, unit.text) for unit in found] == [
        ("sentence", "", 0, "To export:"),
        ("item", "1.", 0, "Open Files."),
        ("item", "", 0, "Wait."),
        ("item", "2.", 0, "Click Export:"),
        ("item", "-", 1, "as CSV"),
        ("item", "-", 1, "as PDF"),
    ]
    assert [unit.lead_in for unit in found] == [None, 0, 0, 0, 3, 3]
    assert [unit.item for unit in found] == [-1, 0, 0, 1, 2, 3]


def test_a_definition_opens_with_its_term():
    found = units(
        "Settings are:\n\n**Depth**\n:   How deep it\n    digs. Mind the roots.\n\n    More on that.\n\n"
        "Width\n:   Anything.\n:   Or nothing.\n"
    )
    assert [(unit.kind, unit.marker, unit.item, unit.lead_in, unit.text) for unit in found] == [
        ("sentence", "", -1, None, "Settings are:"),
        ("item", "-", 0, 0, "Depth: How deep it digs."),
        ("item", "", 0, 0, "Mind the roots."),
        ("item", "", 0, 0, "More on that."),
        ("item", "-", 1, 0, "Width: Anything."),
        ("item", "", 1, 0, "Or nothing."),
    ]


def test_a_term_announces_the_list_that_defines_it():
    found = units("Soil\n:   - clay\n    - sand\n\nTools\n:   Spade\n    :   Digs.\n")
    assert [(unit.marker, unit.depth, unit.lead_in, unit.text) for unit in found] == [
        ("-", 0, None, "Soil:"),
        ("-", 1, 0, "clay"),
        ("-", 1, 0, "sand"),
        ("-", 0, None, "Tools:"),
        ("-", 1, 3, "Spade: Digs."),
    ]


def test_an_item_that_was_cut_off_above_is_no_code():
    assert [unit.kind for unit in units("    of the beds that were\n    dug (last year.)\n")] == ["sentence"]
    assert [unit.kind for unit in units("    dig(beds)\n    rest()\n")] == ["code"]


def test_a_table_row_names_its_columns():
    found = units("| Plan | Price |\n| --- | --- |\n| Team | €49 `a|b` |\n| Free | |\n")
    assert [(unit.kind, unit.text) for unit in found] == [
        ("row", "Plan: Team; Price: €49 `a|b`"),
        ("row", "Plan: Free"),
    ]


def test_a_column_of_names_opens_the_row():
    assert shown("| | Hourly |\n|---|---|\n| Review | 3 days |") == ["Review – Hourly: 3 days"]


def test_the_name_of_a_column_ends_at_its_colon():
    assert shown("| Item | Example: Team plan |\n|---|---|\n| Fee | €60 |") == ["Item: Fee; Example: €60"]


def test_rows_cut_from_a_table_have_no_names():
    assert shown("| Team | €49 |\n| Free | €0 |") == ["Team; €49", "Free; €0"]


def test_code_is_whole_and_introduced():
    text = "Run this. It works:\n\n```sh\na. B\n# c\n```\nAfter."
    found = units(text)
    assert [unit.kind for unit in found] == ["sentence", "sentence", "code", "sentence"]
    assert found[2].text == "```sh\na. B\n# c\n```"
    assert found[2].lead_in == 1


def test_code_that_was_cut_is_closed():
    assert shown("```\nx = 1") == ["```\nx = 1\n```"]


@pytest.mark.parametrize(
    "text",
    [
        "## How fees work {#fees}\nText here.",
        "How fees work\n---\nText here.",
        "**How fees work**\n\nText here.",
        "How fees work \nText here. " + "And a long line that no one has wrapped by hand goes on. " * 4,
        "How fees work\nText here.",
    ],
)
def test_headings(text):
    assert [(unit.kind, unit.text) for unit in units(text)][:2] == [
        ("heading", "How fees work"),
        ("sentence", "Text here."),
    ]


def test_markup_is_no_unit():
    text = ":::tip\nKeep this.\n:::\n\nimport A from 'b'\n\n<Tabs>\n\n---\n\n![x](y.png)\n\n> Quoted\n> text.\n\n[a]: http://b\n"
    assert shown(text) == ["Keep this.", "Quoted text."]


words = st.text("abcXYZ019éß", min_size=1, max_size=8)
markdown = st.text("ab AB1.!?:;,'\"()[]*_`#>|-+~\\\n\t<&é。", max_size=200)


@given(markdown)
def test_units_lie_in_order_and_do_not_overlap(text):
    end = 0
    for unit in units(text):
        assert end <= unit.start < unit.end <= len(text)
        assert text[unit.start : unit.end].strip()
        assert unit.lead_in is None or unit.lead_in < len(units(text))
        end = unit.end


@given(st.lists(st.lists(words, min_size=1, max_size=12), min_size=1, max_size=6), st.sampled_from([" ", "\n", "\n\n"]))
def test_prose_is_kept_whole(sentences, gap):
    text = gap.join("The " + " ".join(sentence) + " end." for sentence in sentences)
    assert re.sub(r"\s+", "", "".join(text[unit.start : unit.end] for unit in units(text))) == re.sub(r"\s+", "", text)
    assert len(units(text)) == len(sentences)


def test_emphasis_around_several_sentences_leaves_no_stars():
    assert [unit.text for unit in units("*Who did it? Since when?* The log tells.")] == [
        "Who did it?",
        "Since when?",
        "The log tells.",
    ]


@pytest.mark.parametrize(
    ("sentence", "expected"),
    [
        ("Invoices are sent on Monday [1].", True),
        ("- Click **Save** twice [2]", True),
        ("To pay an invoice [1]:", False),
        ("Do you want more?", False),
        ("```\nrm -r x y z\n```", False),
        ("Health care", False),
        ("1. Yes.", False),
    ],
)
def test_claim_bearing(sentence, expected):
    assert claim_bearing(sentence) is expected
