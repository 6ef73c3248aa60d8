"""An answer as Markdown in which nothing can call anybody or mislead.

Slack and Discord read `<!channel>`, `<@U1>`, `<#C1>` and Slack also `<address|words>` in what a bot writes, and a model
may have been told to write them. A zero-width space behind the sign leaves the words readable and makes them nothing
but words.
"""

import re
from collections.abc import Mapping

BREAK = "\u200b"

_ACTIVE = re.compile(r"<(?=[!@#]|[a-z][a-z0-9+.\-]*:)", re.IGNORECASE)
CALL = re.compile(r"@(?=(?:channel|here|everyone|group)\b)", re.IGNORECASE)
# What is repeated is never given back (`*+`) and has an end: text may be thousands of brackets that nothing closes.
_IMAGE = re.compile(r"!\[([^\]\n]{0,1000}+)\](?:\([^)\n]{0,3000}+\))?")
_LINK = re.compile(r"\[([^\[\]\n]*+)\]\(\s{0,100}+([^)\s]{0,3000}+)[^)\n]{0,1000}+\)")
_SAFE_ADDRESS = re.compile(r"(?:https?://|mailto:)[^\s<>|]+", re.IGNORECASE)
_UNSAFE_LINK = re.compile(r"\](?=\(\s*<?(?!https?://|mailto:))", re.IGNORECASE)
_MARKER = re.compile(r"\[(\d{1,3})\](?!\()")
LONGEST_UNSETTLED = 1_400  # characters; more than the pattern below can match
_UNSETTLED = re.compile(r"(?:!?\[[^\]\n]{0,300}(?:\](?:\([^)\n]{0,1000})?)?|!|<[^\s<>]{0,40}|@\w{0,10})\Z")


def neutral(text: str, addresses: Mapping[int, str] | None = None) -> str:
    """An answer that calls nobody, loads nothing and links only to web and mail addresses.

    `addresses` are those of the sources by number: the marker [1] becomes a link to its source.
    """
    text = _IMAGE.sub(r"\1", text.replace(BREAK, ""))
    text = _UNSAFE_LINK.sub(f"]{BREAK}", _LINK.sub(_link, text)).replace("![", f"!{BREAK}[")
    text = _MARKER.sub(lambda match: _cited(int(match[1]), addresses or {}), text)
    return CALL.sub(f"@{BREAK}", _ACTIVE.sub(f"<{BREAK}", text))


def _link(match: re.Match[str]) -> str:
    return match[0] if _SAFE_ADDRESS.fullmatch(match[2]) else match[1]


def _cited(number: int, addresses: Mapping[int, str]) -> str:
    address = addresses.get(number, "")
    return f"[[{number}]]({address})" if _SAFE_ADDRESS.fullmatch(address) and ")" not in address else f"[{number}]"


def settled(text: str) -> str:
    """The part of an unfinished answer whose `neutral` form what comes next cannot change."""
    match = _UNSETTLED.search(text, max(0, len(text) - LONGEST_UNSETTLED))
    return text[: match.start()] if match else text
