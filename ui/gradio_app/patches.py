"""What the server tells the page to change. static/transcript.js applies it; a patch that is older than what is shown,
as Gradio repeats the last one when a turn ends, is passed over there."""

import time
from collections.abc import Sequence
from html import escape
from typing import NotRequired, TypedDict

from ui.gradio_app import icons
from ui.gradio_app.exchange import parts, status
from ui.gradio_app.shown import Shown


class ExchangePatch(TypedDict):
    """One exchange: its parts replace those that differ."""

    key: str
    parts: dict[str, str]


class Patch(TypedDict):
    """A change of the transcript. A patch with `whole` replaces everything; another adds or changes one exchange."""

    revision: int
    whole: bool
    running: bool
    status: str
    exchanges: list[ExchangePatch]
    conversation: NotRequired[str | None]  # what is open; its id goes into the address
    remember: NotRequired[bool]  # whether the browser's back button shall lead back from here
    drop_from: NotRequired[str | None]  # remove this exchange and all after it first
    earlier: NotRequired[int]  # exchanges before these that are not shown
    welcome: NotRequired[str]  # what stands in an empty transcript
    complaint: NotRequired[str]  # why a message was not taken


def opened(
    conversation_id: str | None,
    exchanges: Sequence[Shown],
    *,
    earlier: int = 0,
    welcome: str = "",
    remember: bool = False,
) -> Patch:
    """A conversation with its latest exchanges, or the empty page."""
    return Patch(
        revision=revision(),
        whole=True,
        running=False,
        status="",
        exchanges=[ExchangePatch(key=one.message_id, parts=parts(one)) for one in exchanges],
        conversation=conversation_id,
        remember=remember,
        earlier=earlier,
        welcome=welcome,
    )


def changed(shown: Shown, *, drop_from: str | None = None) -> Patch:
    """The last exchange, as far as it has come."""
    patch = Patch(
        revision=revision(),
        whole=False,
        running=not shown.finished,
        status=status(shown),
        exchanges=[ExchangePatch(key=shown.message_id, parts=parts(shown))],
        drop_from=drop_from,
    )
    if shown.conversation_id is not None:
        patch["conversation"] = shown.conversation_id
    return patch


def refused(reason: str, *, running: bool = False) -> Patch:
    """Nothing changes but the line that says why the message was not taken."""
    return Patch(revision=revision(), whole=False, running=running, status="", exchanges=[], complaint=reason)


def welcome_html(title: str, starters: Sequence[str]) -> str:
    """The empty page: what this is, and good first questions."""
    cards = "".join(
        f'<li><button type="button" data-act="ask" data-text="{escape(text)}"><span dir="auto">{escape(text)}</span>'
        f"{icons.NEXT}</button></li>"
        for text in starters[:4]
    )
    questions = f'<section><h2>Good first questions</h2><ul class="cards">{cards}</ul></section>' if cards else ""
    return (
        f'<div class="welcome">{icons.MARK}<h1>{escape(title)}</h1>'
        "<p>Ask a question in your own words. The answer is put together from the documents, and shows the "
        f"passages that it rests on.</p>{questions}</div>"
    )


def trouble_html(title: str, reason: str) -> str:
    """What stands in place of everything when the assistant cannot be reached."""
    return (
        f'<div class="welcome" role="alert">{icons.MARK}<h1>{escape(title)}</h1><p>{escape(reason)}</p>'
        f'<button type="button" class="button" data-act="reload">{icons.RETRY}Try again</button></div>'
    )


def revision() -> int:
    """Grows with every patch, also over restarts of the server, and when its clock is set back; microseconds, which
    JavaScript holds exactly."""
    return (_STARTED + time.monotonic_ns()) // 1_000


_STARTED = time.time_ns() - time.monotonic_ns()
