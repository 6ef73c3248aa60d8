"""Slack's own markup: what people wrote as plain text, and words for it in which nothing is markup."""

import html
import re

from ui.harmless import BREAK, CALL

_TOLD = re.compile(r"<([^<>]+)>")


def escaped(text: str) -> str:
    """Words for Slack's own markup (`mrkdwn`): none of it is read as such."""
    for sign, entity in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;")):
        text = text.replace(sign, entity)
    return CALL.sub(f"@{BREAK}", text)


def told(text: str, bot_user_id: str) -> str:
    """What a person wrote to the bot, as plain text: its mention gone, references as words, entities as signs."""
    without_us = re.sub(rf"(?<![ \t])[ \t]*<@{re.escape(bot_user_id)}(?:\|[^<>]*)?>", "", text)
    return html.unescape(_TOLD.sub(_reference, without_us)).strip()


def _reference(match: re.Match[str]) -> str:
    target, _, label = match[1].partition("|")
    if target.startswith("#"):
        return f"#{label or target[1:]}"
    if target.startswith(("@", "!")):
        return f"@{label.removeprefix('@') or target[1:]}"
    return f"{label} ({target})" if label and label not in target else target
