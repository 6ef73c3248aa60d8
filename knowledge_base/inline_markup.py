"""Inline Markdown as a reader sees it: without links, emphasis, images, tags and footnote marks."""

import re

_COMMENT = re.compile(r"<!--.*?(?:-->|\Z)", re.DOTALL)
_TARGET = r"(?:\((?:[^()\s]|\([^()]*\)|\s)*\)|\[[^\[\]]*\])"
_IMAGE = re.compile(r"!\[[^\]]*\]" + _TARGET)
_LINK = re.compile(r"(?<!\\)\[((?:[^\[\]]|\[[^\[\]]*\])*)\]" + _TARGET)
_REFERENCE = re.compile(r"\s?\[\^?\s*\d{1,3}\s*\]|\s?\[\^[^\]\s]+\]")
_AUTOLINK = re.compile(r"<((?:https?://|mailto:)[^\s<>]+)>")
_BREAK = re.compile(r"<br\s*/?>", re.IGNORECASE)
_TAG = re.compile(r"</?[A-Za-z][^<>]*>")
_STRONG = re.compile(r"(?<!\\)(\*\*\*|\*\*|~~)(?=\S)(.+?)(?<=\S)\1", re.DOTALL)
_STARS = re.compile(r"(?<![\w*\\])\*(?=[^\s*])([^*]+?)(?<=[^\s\\])\*(?![\w*])")
_UNDERSCORES = re.compile(r"(?<![\w\\])(__?)(?=[^\s_])(.+?)(?<=[^\s\\_])\1(?!\w)")
_STRAY = re.compile(  # half of a pair: what was emphasised went on beyond this sentence
    r"(?<![\\*\w])\*\*(?=\S)|(?<=[^\s\\*])\*\*(?!\w)|\A\*(?=[^\s*][^*]*\Z)|(?<=[.!?…])\*\Z"
)
_QUOTE_PREFIX = re.compile(r"(?m)^[ \t]*(?:>[ \t]?)+")
_CODE_SPAN = re.compile(r"(?<!`)(`+)(?!`)(.+?)(?<!`)\1(?!`)", re.DOTALL)
_ASIDE = re.compile("\x00(\\d+)\x00")


def clean(raw: str) -> str:
    """`raw` Markdown on one line, without links, images, emphasis, tags and footnote marks.

    A footnote mark such as [3] goes because it would read as a citation. Inline code stays, backticks included: it is
    there to be typed.
    """
    codes: list[str] = []

    def aside(match: re.Match[str]) -> str:
        codes.append(match.group())
        return f"\x00{len(codes) - 1}\x00"

    text = raw.replace("\x00", " ")
    if "`" in text:
        text = _CODE_SPAN.sub(aside, text).replace("`", "'")
    text = _without_markup(text)
    return " ".join(_ASIDE.sub(lambda match: codes[int(match[1])], text).split())


def _without_markup(text: str) -> str:
    if ">" in text:
        text = _QUOTE_PREFIX.sub("", text)
    if "<" in text:
        text = _TAG.sub("", _AUTOLINK.sub(r"\1", _BREAK.sub(" ", _COMMENT.sub("", text))))
    if "[" in text:
        text = _REFERENCE.sub("", _LINK.sub(r"\1", _IMAGE.sub("", text)))
    if "*" in text or "~~" in text:
        text = _STRAY.sub("", _STARS.sub(r"\1", _STRONG.sub(r"\2", _STRONG.sub(r"\2", text))))
    if "_" in text:
        text = _UNDERSCORES.sub(r"\2", text)
    return text.replace("&nbsp;", " ")
