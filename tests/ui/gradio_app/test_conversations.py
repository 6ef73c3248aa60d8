"""The list of conversations, by the reader's own days."""

from datetime import UTC, datetime, timedelta

import pytest

from agent.assistant import Conversation
from ui.gradio_app.conversations import conversations_html

NOW = datetime(2026, 3, 10, 1, 0, tzinfo=UTC)


def conversation(id_: str, updated: datetime, title: str = "Title") -> Conversation:
    return Conversation(id=id_, title=title, created_at=updated, updated_at=updated, exchanges=1, last_message_id="m")


@pytest.mark.parametrize(
    ("hours_ahead", "hours_ago", "group"), [(0, 0.5, "Today"), (0, 2, "Earlier"), (2, 2, "Today"), (-5, 2, "Today")]
)
def test_today_is_where_the_reader_is(hours_ahead: int, hours_ago: float, group: str) -> None:
    listed = [conversation("a", NOW - timedelta(hours=hours_ago))]
    html = conversations_html(listed, None, now=NOW, utc_offset=timedelta(hours=hours_ahead))
    assert f"<h2>{group}</h2>" in html
    assert html.count("<h2>") == 1


def test_the_open_one_is_marked() -> None:
    listed = [conversation("a", NOW), conversation("b", NOW)]
    html = conversations_html(listed, "b", now=NOW, utc_offset=timedelta())
    assert html.count("aria-current") == 1
    assert html.index('data-open="b"') < html.index("aria-current")


def test_titles_and_ids_are_escaped() -> None:
    html = conversations_html([conversation('"><x', NOW, '"><script>')], None, now=NOW, utc_offset=timedelta())
    assert "<script>" not in html
    assert "<x" not in html
    assert 'href="?c=%22%3E%3Cx"' in html


def test_an_empty_list_says_what_will_be_there() -> None:
    assert "will be listed here" in conversations_html([], None, now=NOW, utc_offset=timedelta())
