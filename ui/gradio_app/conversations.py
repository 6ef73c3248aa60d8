"""The conversations of the sidebar as HTML: grouped by day, as the reader's clock counts days."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from html import escape
from urllib.parse import urlencode

from agent.assistant import Conversation
from ui.gradio_app import icons


def conversations_html(
    conversations: Sequence[Conversation], current: str | None, *, now: datetime, utc_offset: timedelta
) -> str:
    """The list, the latest first. `utc_offset` is what the reader's clock is ahead of UTC."""
    if not conversations:
        return '<p class="none">Your conversations will be listed here.</p>'
    today = (now.astimezone(UTC) + utc_offset).date()
    early = [one for one in conversations if (one.updated_at.astimezone(UTC) + utc_offset).date() < today]
    late = [one for one in conversations if one not in early]
    return _group("Today", late, current) + _group("Earlier", early, current)


def _group(label: str, conversations: Iterable[Conversation], current: str | None) -> str:
    items = "".join(_item(one, one.id == current) for one in conversations)
    return f"<h2>{label}</h2><ul>{items}</ul>" if items else ""


def _item(conversation: Conversation, current: bool) -> str:
    title, id_ = escape(conversation.title or "Untitled"), escape(conversation.id)
    here = ' aria-current="page"' if current else ""
    return (
        f'<li><a href="?{escape(urlencode({"c": conversation.id}))}" data-open="{id_}" title="{title}"{here}>'
        f'<span dir="auto">{title}</span></a>'
        f'<button type="button" class="ghost" data-delete="{id_}" data-title="{title}" '
        f'aria-label="Delete conversation: {title}">{icons.DELETE}</button></li>'
    )
