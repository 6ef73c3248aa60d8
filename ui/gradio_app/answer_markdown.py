"""Markdown from models, documents and people, as HTML that cannot run anything.

Raw HTML is shown as text, images become their alternative text (an image would be a request to somebody else's server),
links lead only to http, https and mail addresses, and `[1]` in an answer becomes a link that opens source 1.
"""

import re
from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from functools import cache
from html import escape
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.rules_core import StateCore
from markdown_it.token import Token
from markdown_it.utils import OptionsDict

from ui.gradio_app.icons import COPY

Env = MutableMapping[str, Any]

_SAFE_LINK = re.compile(r"(?:https?://|mailto:)", re.IGNORECASE)
_PIECE = re.compile("([ \\t]*\\[\\d{1,3}\\]|[\ue000\ue001])")
_MARKER = re.compile(r"[ \t]*\[(\d{1,3})\]")
_UNFINISHED_MARKER = re.compile(r"\[\d{0,3}\Z")
_START, _END = "\ue000", "\ue001"  # private use: they stand for the ends of the quoted words
_SENTINELS = str.maketrans("", "", _START + _END)
_BLOCK_PREFIX = re.compile(r"(?:[ \t]*(?:[-*+]|\d{1,9}[.)]|#{1,6}|>)[ \t]+|[ \t]*\|[ \t]*|[ \t\r\n]+)*[*_~]*")
_BLOCK_SUFFIX = re.compile(r"[\s|]*[*_~]*[\s|]*\Z")
_WITH_DIRECTION = {
    "paragraph_open",
    "heading_open",
    "bullet_list_open",
    "ordered_list_open",
    "th_open",
    "td_open",
    "blockquote_open",
}


def answer_html(text: str, titles: Mapping[int, str], *, streaming: bool = False) -> str:
    """An answer. `titles` names the sources by number: markers of other numbers stay plain text. While it is streaming,
    a marker whose end has not come yet is held back."""
    if streaming:
        text = _UNFINISHED_MARKER.sub("", text)
    return _rendered(text.translate(_SENTINELS), {"titles": titles})


def passage_html(text: str, quote: str) -> str:
    """A passage with the quoted words marked. A quote that is not found in it stands before it instead."""
    text, quote = text.translate(_SENTINELS), quote.translate(_SENTINELS)
    spans = _find(text, quote)
    if not spans:
        before = f'<blockquote dir="auto">{escape(quote)}</blockquote>' if quote.strip() else ""
        return before + _rendered(text, {})
    return _rendered(_with_sentinels(text, spans), {"marked": False})


def _rendered(text: str, env: Env) -> str:
    html: str = _parser().render(text, env)
    return html


def _find(text: str, quote: str) -> list[tuple[int, int]]:
    """Where the parts of a quote, which may leave words out with "…", stand in the text."""
    spans: list[tuple[int, int]] = []
    for part in quote.split("…"):
        words = [re.escape(word) for word in part.split()]
        match = re.compile(r"\s+".join(words)).search(text, spans[-1][1] if spans else 0) if words else None
        if words and match is None:
            return []
        if match:
            spans.append(match.span())
    return spans


def _with_sentinels(text: str, spans: Sequence[tuple[int, int]]) -> str:
    """The text with sentinels around the spans, set inside list markers, heading marks, table bars and emphasis, which
    they would keep from being recognised."""
    out, last = [], 0
    for span in spans:
        words = text[slice(*span)]
        start = span[0] + len(_BLOCK_PREFIX.match(words).group())  # type: ignore[union-attr]  # it matches nothing, too
        end = start + _BLOCK_SUFFIX.search(text[start : span[1]]).start()  # type: ignore[union-attr]
        out += [text[last:start], _START, text[start:end], _END]
        last = end
    return "".join([*out, text[last:]])


@cache
def _parser() -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])
    parser.disable("reference")  # "[1]: address" in a document must not redirect the marker [1]
    parser.core.ruler.before("text_join", "attune", _rewrite)
    for name, rule in _RULES.items():
        parser.add_render_rule(name, rule)
    return parser


def _rewrite(state: StateCore) -> None:
    for token in state.tokens:
        if token.type in _WITH_DIRECTION:
            token.attrSet("dir", "auto")
        if token.children is not None:
            token.children = list(_safe(token.children, state.env))
        elif token.content:
            token.content = _without_sentinels(token.content, state.env)


def _safe(tokens: Sequence[Token], env: Env) -> Iterator[Token]:
    """Inline tokens without unsafe links, with citations and marks as tokens of their own."""
    links: list[bool] = []
    for token in tokens:
        if token.type == "link_open":
            links.append(bool(_SAFE_LINK.match(str(token.attrGet("href")))))
            if not links[-1]:
                continue
            token.attrSet("target", "_blank")
            token.attrSet("rel", "noopener noreferrer nofollow")
        elif token.type == "link_close":
            if not links.pop():
                continue
        elif token.type == "text":
            yield from _pieces(token.content, env, cite=not links)
            continue
        elif token.content:
            token.content = _without_sentinels(token.content, env)
        yield token


def _pieces(text: str, env: Env, *, cite: bool) -> Iterator[Token]:
    titles: Mapping[int, str] = env.get("titles", {})
    for piece in _PIECE.split(text):
        marker = _MARKER.fullmatch(piece)
        if piece in (_START, _END):
            env["marked"] = piece == _START
        elif marker and cite and int(marker[1]) in titles:
            yield Token("citation", "", 0, content=str(int(marker[1])), meta={"title": titles[int(marker[1])]})
        elif piece:
            yield Token("marked" if env.get("marked") else "text", "", 0, content=piece)


def _without_sentinels(text: str, env: Env) -> str:
    for character in text:
        if character in (_START, _END):
            env["marked"] = character == _START
    return text.translate(_SENTINELS)


def _citation(_: RendererHTML, tokens: Sequence[Token], index: int, __: OptionsDict, ___: Env) -> str:
    number, title = tokens[index].content, escape(str(tokens[index].meta["title"]))
    return (  # a word joiner first: the marker stays on the line of the word that it belongs to
        f'\u2060<a href="#" class="cite" data-cite="{number}" title="{title}" '
        f'aria-label="Source {number}: {title}">{number}</a>'
    )


def _marked(_: RendererHTML, tokens: Sequence[Token], index: int, __: OptionsDict, ___: Env) -> str:
    return f"<mark>{escape(tokens[index].content)}</mark>"


def _image(_: RendererHTML, tokens: Sequence[Token], index: int, __: OptionsDict, ___: Env) -> str:
    return escape(tokens[index].content.translate(_SENTINELS))


def _code(_: RendererHTML, tokens: Sequence[Token], index: int, __: OptionsDict, ___: Env) -> str:
    token = tokens[index]
    language = escape(token.info.split()[0]) if token.info.strip() else "text"
    return (
        f'<div class="code"><div class="code-head"><span>{language}</span>'
        f'<button type="button" data-act="copy-code" aria-label="Copy code">{COPY}<span>Copy</span></button></div>'
        f'<pre tabindex="0" dir="ltr"><code>{escape(token.content)}</code></pre></div>\n'
    )


def _table_open(_: RendererHTML, __: Sequence[Token], ___: int, ____: OptionsDict, _____: Env) -> str:
    return '<div class="table" role="region" aria-label="Table" tabindex="0"><table>\n'


def _table_close(_: RendererHTML, __: Sequence[Token], ___: int, ____: OptionsDict, _____: Env) -> str:
    return "</table></div>\n"


_RULES = {
    "citation": _citation,
    "marked": _marked,
    "image": _image,
    "fence": _code,
    "code_block": _code,
    "table_open": _table_open,
    "table_close": _table_close,
}
