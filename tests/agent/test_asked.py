"""What a question asks for, beside what the trees say: headings, tables, steps, definitions, amounts."""

from collections.abc import Mapping, Sequence

import numpy as np
import pytest
from hypothesis import given as for_all
from hypothesis import strategies as st

from agent.asked import asks, gives, stands_alone, weighed, words
from agent.candidates import Candidate, candidates
from agent.clauses import clauses
from agent.compose import compose
from agent.relevance_features import Floats
from knowledge_base.passage import Utterance
from tests.agent import quoting
from tools.sources import Found, Source

PLANS = """| | Starter | Team |
| --- | --- | --- |
| Price | €0 | €49 |
| Seats | 2 | 10 |
| Posts | 3 | 15 |
"""


def source(text: str, number: int = 1, heading: str = "Job posts", title: str = "Job posts") -> Source:
    return quoting.source(text, number, document=title, heading=heading, title=title)


class Trees:
    """Find every unit equally likely, but what begins with certain words."""

    def __init__(self, likely: Mapping[str, float] | None = None) -> None:
        self.likely = likely or {}

    def __call__(self, question: str, history: Sequence[Utterance], given: Sequence[Candidate]) -> list[Floats]:
        return [np.full(len(clauses(one.unit)), self._of(one.unit.text)) for one in given]

    def _of(self, text: str) -> float:
        return next((value for opening, value in self.likely.items() if text.startswith(opening)), 0.05)


def answer(question: str, *sources: Source, likely: Mapping[str, float] | None = None) -> str:
    return compose(question, (), Found(question, 0.9, True, sources), relevance=Trees(likely)).text


def weights(question: str, text: str) -> list[float]:
    given = candidates([source(text)])
    return weighed(question, question, given, [0.05] * len(given), alone=True)


def test_who_asks_how_gets_the_steps_and_not_the_praise_above_them():
    praise = "Good posts are short on adjectives."
    text = f"{praise}\n\n## Publish\n\n1. Open the page of posts.\n2. Click **Publish**.\n"
    said = answer("How do I write a job post?", source(text, title="Write a job post"), likely={"Good": 0.1})
    assert said.endswith("1. Open the page of posts [1].\n2. Click Publish [1].")


def test_who_asks_what_a_thing_is_gets_its_definition():
    text = "Escrow costs nothing extra. Many like escrow. Escrow is a holding account for money."
    assert "Escrow is a holding account for money [1]." in answer("What is escrow?", source(text))
    assert "Many" not in answer("What is escrow?", source(text))


def test_a_definition_is_found_behind_its_short_form():
    text = "Ask your provider about SSO. Single sign-on (SSO) lets members use their company account."
    asked, defined = weights("What is SSO and which plan includes it?", text)
    assert defined > 2 * asked


def test_a_heading_that_names_what_is_asked_speaks_for_what_stands_below_it():
    text = "## Deposits\n\nOne week is held.\n\n## Password\n\nTwelve characters are needed.\n"
    assert answer("What about my password?", source(text, heading="")) == "Twelve characters are needed [1]."


def test_an_amount_wins_over_a_likelier_sentence_where_a_price_is_asked_for():
    text = "The Team plan is liked by many. The Team plan is €49 a month."
    assert "€49" in answer("How much is the Team plan?", source(text), likely={"The Team plan is liked": 0.1})


def test_keys_win_where_a_shortcut_is_asked_for():
    named, pressed = weights("Which shortcut selects all beds?", "All beds can be selected. Press Ctrl+B for all beds.")
    assert pressed > 2 * named


def test_what_goes_on_with_what_fits_fits_as_well():
    text = "Compost feeds. It takes a year.\n\n## Hens\n\nThey lay eggs."
    fits, goes_on, other = weights("What does compost do?", text)
    assert 2 * other < goes_on < fits


def test_who_asks_what_a_setting_means_gets_the_item_that_opens_with_it():
    text = "- Depth: In centimetres, from the top.\n- Width: The depth of a row across.\n"
    depth, width = weights("What does the depth setting do?", text)
    assert depth > 2 * width


def test_a_caption_gives_way_to_a_sentence():
    caption, sentence = weights("How deep are the beds?", "Depth of the beds\n\nThe beds are a foot in depth.\n")
    assert sentence > 1.5 * caption


def test_who_asks_how_is_told_what_to_click():
    praise, click = weights("How do I dig a bed?", "Many people dig a bed. Click the spade to dig a bed.")
    assert click > praise


def test_the_steps_of_something_else_are_not_what_is_asked_for():
    text = "## Dig a bed\n\n1. Take a spade.\n\n## Feed hens\n\n1. Take some corn.\n"
    dig, feed = weights("How do I dig a bed?", text)
    assert dig > 20 * feed


def test_the_steps_below_the_heading_that_answers_are_how_it_is_done():
    above = source("Beds are dug in spring with a spade.", heading="Dig beds")
    below = source("1. Take a spade.\n2. Turn the earth.\n", 2, heading="Dig beds")
    said = answer("How do I dig beds?", above, below, likely={"Beds": 0.5, "": 0.001})
    assert said.endswith("1. Take a spade [2].\n2. Turn the earth [2].")


def test_a_length_inside_a_name_is_not_a_time():
    text = "Vetting opens the 10-hour trial to you. Vetting takes 5–8 business days."
    opens, takes = weights("How long does vetting take?", text)
    assert takes > 2 * opens


def test_a_comparison_gives_the_whole_table():
    said = answer("Compare the plans", source(PLANS, heading="Compare the plans"))
    assert [row in said for row in ("€49", "Seats", "Posts")] == [True] * 3


def test_code_in_the_language_asked_for_is_shown_below_its_heading_and_citation():
    text = "## PHP\n\n```php\ncheck();\n```\n\n## Python\n\n```python\ncheck()\n```\n"
    said = answer("How do I check a signature in python?", source(text, heading=""))
    assert said == "Python [1]:\n\n```python\ncheck()\n```"


def test_code_that_goes_on_in_another_passage_is_given_whole():
    first = source("## Python\n\n```python\nimport hmac\n```", 1, heading="")
    second = source("## Python\n\n```python\ncheck()\n```", 2, heading="")
    said = answer("Show me the check in python", first, second)
    assert said.index("import hmac") < said.index("check()")


def test_an_announcement_without_what_it_announces_is_not_said():
    text = "This is the difference between the plans:\n\nEach plan has seats for members."
    assert answer("What is the difference between the plans?", source(text)) == "Each plan has seats for members [1]."


def test_a_sentence_that_only_points_elsewhere_gives_way():
    text = "Vetting is described in [Get vetted](vetted.md). Developers are vetted in four steps."
    assert "Get vetted" not in answer("How do you vet developers?", source(text))


def test_vetting_and_vet_are_one_word_and_addresses_are_none():
    assert words("Vetting") == words("vet")
    assert words("Open https://app.example/sso/login now") == words("Open now")


@pytest.mark.parametrize(
    ("question", "heading", "same"),
    [
        ("Is a freelancer an employee of ours?", "Is a freelancer an employee?", True),
        ("What fees do you charge?", "When is the fee charged?", False),
        ("When is a fee charged?", "When is the fee charged?", True),
        ("What is the fee?", "The fee", False),
    ],
)
def test_a_heading_asks_the_same_or_not(question, heading, same):
    assert asks(question, heading) is same


def test_whether_sources_give_what_is_asked_for():
    free, priced = source("Vetting is voluntary."), source("A boost costs €29.")
    assert gives("what does it cost?", [free, priced])
    assert not gives("what does it cost?", [free])
    assert gives("how do I start?", [free])
    assert not gives("how do I start?", [])


SAID = (Utterance("user", "What is escrow?"), Utterance("assistant", "Escrow is a holding account for money [1]."))


def test_a_question_goes_on_where_the_search_needed_the_conversation():
    given = candidates([source("A plan has ten seats.")])
    assert stands_alone("And for teams?", (), "And for teams?", given)
    assert not stands_alone("And for teams?", SAID, "escrow: And for teams?", given)


def test_a_new_subject_stands_alone_and_what_was_just_answered_does_not():
    question = "How many seats does a plan have?"
    assert stands_alone(question, SAID, question, candidates([source("A plan has ten seats.")]))
    assert not stands_alone(question, SAID, question, candidates([source("Escrow is a holding account for money.")]))


texts = st.lists(
    st.sampled_from(["The fee is €5.", "## Fees", "1. Pay the fee.\n2. Wait.", PLANS, "- a fee;", "```py\nfee()\n```"]),
    min_size=1,
    max_size=6,
)


@for_all(texts, st.sampled_from(["How do I pay the fee?", "compare plans", "What is a fee?", "?"]), st.booleans())
def test_what_is_weighed_stays_a_probability(blocks, question, alone):
    given = candidates([source("\n\n".join(blocks))])
    if given:
        likely = weighed(question, question, given, [0.3] * len(given), alone=alone)
        assert len(likely) == len(given)
        assert all(0 <= one <= 1 for one in likely)


ROLES = """A workspace knows roles.

## Roles in one sentence

- **Owner:** answers for everything.
- **Finance:** pays and sees invoices.

## Change a role

Nobody can raise a person's own rights.

- Ask an Owner.
"""


@pytest.mark.parametrize("question", ["what roles are there?", "Which roles do you have?", "list all the roles"])
def test_who_asks_for_all_of_something_gets_what_stands_under_its_name(question: str):
    said = answer(question, source(ROLES, heading="", title="Teams"), likely={"A workspace": 0.3, "Nobody": 0.2})
    assert "Owner: answers for everything [1]" in said
    assert "Finance: pays and sees invoices [1]" in said


@pytest.mark.parametrize("question", ["what are roles?", "who may change a role?", "what rights are there?"])
def test_who_asks_something_else_of_it_does_not(question: str):
    said = answer(question, source(ROLES, heading="", title="Teams"), likely={"A workspace": 0.3, "Nobody": 0.2})
    assert "Finance: pays" not in said
