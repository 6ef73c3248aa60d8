"""In which order the rows of "For you" stand."""

from datetime import UTC, datetime

from tools.recommender.model import Item
from tools.recommender.suggestion import Personalization, Reason, Suggestion, SuggestionList
from ui.gradio_app.for_you import Row
from ui.gradio_app.suggestions import REST, in_order

PLAIN = Personalization(applied=True, original_alpha=0.5, personalized_alpha=0.5)


def row(kind: str, text: str) -> Row:
    one = Suggestion(Item(kind, kind), 1, 0.5, 0.5, 1.0, (), (Reason(kind, text, 0.5),), 1.0)
    return text, SuggestionList("list", "ada", (one,), PLAIN, datetime.now(UTC))


def test_what_is_for_the_reader_comes_first_and_what_has_no_reason_last() -> None:
    rows = [
        row("catalogue", "It is in the catalogue"),
        row("new", "It is new"),
        row("preference", "Because of your interest in Escrow"),
        row("popular", "Many liked it"),
        row("people", "Because you read this"),
    ]
    assert [words for words, _ in in_order(rows)] == [
        "Because of your interest in Escrow",
        "Because you read this",
        "It is new",
        "Many liked it",
        REST,
    ]
