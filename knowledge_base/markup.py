"""Takes out of Markdown and MDX the markup that a reader never sees, and keeps what a reader would read.

Links become their text, images their description when it says something, comments and scripts go; headings, lists,
tables and code stay. What is inside code is left alone.
"""

import re
from collections.abc import Iterator

_FLAGS = re.MULTILINE | re.DOTALL

# Every scanner finds code first, so that what looks like markup inside code is passed over with it. Possessive
# quantifiers and bounded lengths keep the scanners from going back over long texts.
_FENCE = r"""
    (?P<fence> ^[ \t>]*+ (?:(?:[-*+]|\d{1,9}[.)])[ \t]+)?  (?P<mark>`{3,}+(?=[^`\n]*$)|~{3,}+) [^\n]*+ \n
        (?: .*? ^[ \t>]* (?P=mark)[`~]*[ \t]*$ | .* ) )
"""
_SPAN = r"""
    | (?P<span> (?<!`)(?P<tick>`{1,8})(?!`) (?:(?!\n[ \t]*\n).){1,4000}? (?<!`)(?P=tick)(?!`) )
"""
_MARKUP = re.compile(
    _FENCE
    + _SPAN
    + r"""
    | (?P<comment> <!--.*?(?:-->|\Z) | \{/\* (?:(?!\{/\*).)*? \*/\} )
    | (?P<embedded> <(?P<element>script|style|svg|iframe)\b[^>]*+> (?:(?!<(?P=element)\b).)*? </(?P=element)\s*> )
    | (?P<tag> <(?P<closing>/?) (?P<name>[A-Za-z][\w.:-]*+)
        (?P<attributes> (?: [\s/] (?: [^<>{}"'] | "[^"]{0,2000}" | '[^']{0,2000}'
            | \{ (?:[^{}] | \{ (?:[^{}] | \{[^{}]*+\} )*+ \} )*+ \} )*+ )? ) > )
    | (?P<fragment> </?> )
    | (?P<image> !\[ (?P<alt>[^\[\]]{0,1000}) \]
        (?: \( [^()\n]{0,2000} (?:\([^()\n]{0,200}\)[^()\n]{0,500})? \) | \[[^\[\]\n]{0,200}\] ) )
    """,
    _FLAGS | re.VERBOSE,
)
_LINK = re.compile(
    _FENCE
    + _SPAN
    + r"""
    | (?P<definition> ^[ ]{0,3}\[(?!\^)[^\[\]\n]{1,200}\]:[ \t]*\S++
        (?:[ \t]+(?:"[^"\n]*"|'[^'\n]*'|\([^()\n]*\)))?[ \t]*$\n? )
    | (?P<footnote> ^[ ]{0,3}\[\^[^\[\]\n]{1,100}\]:[ \t]* | \[\^[^\[\]\n]{1,100}\] )
    | (?P<link> (?<![\\!]) \[ (?P<text> (?:[^\[\]\\] | \\. | \[[^\[\]]{0,500}\] ){1,1000}+ ) \]
        (?: \( \s* (?:<[^<>\n]{0,2000}> | (?:[^()\s\\] | \\. | \([^()\n]{0,500}\) ){0,2000}+ )
            (?: \s+ (?:"[^"]{0,500}" | '[^']{0,500}') )? \s* \)
          | \[[^\[\]\n]{0,200}\] ) )
    | < (?P<address> (?:https?://|mailto:)[^<>\s]{1,2000} | [^<>\s@]{1,200}@[^<>\s@]{1,200} ) >
    """,
    _FLAGS | re.VERBOSE,
)
_EXPRESSION = re.compile(
    _FENCE
    + _SPAN
    + r"""
    | (?P<anchor> \{\#[^\s{}]+\} )
    | \{ \s* (?P<quote>["'`]) (?P<text>[^"'`{}]*) (?P=quote) \s* \}
    | (?P<expression> \{ (?:[^{}] | \{ (?:[^{}] | \{[^{}]*+\} )*+ \} )*+ \} )
    """,
    _FLAGS | re.VERBOSE,
)
_ATTRIBUTE = re.compile(r"""([\w:-]+)\s*=\s*(?:"([^"]*)"|'([^']*)'|\{\s*["'`]([^"'`{}]*)["'`]\s*\})""")

_BLOCK_ELEMENT = re.compile(
    "address|article|aside|blockquote|center|dd|details|dialog|div|dl|dt|fieldset|figcaption|figure|footer|form|h[1-6]"
    "|header|li|main|nav|ol|p|picture|section|summary|table|tbody|tfoot|thead|tr|ul|video",
    re.IGNORECASE,
)
_INLINE_ELEMENT = re.compile(
    "a|abbr|audio|b|bd[io]|big|button|cite|code|data|del|dfn|em|embed|font|i|iframe|input|ins|kbd|label|link|mark|meta"
    "|noscript|pre|q|s|samp|script|select|small|source|span|strike|strong|style|su[bp]|svg|textarea|time|track|tt|u|var"
    "|wbr",
    re.IGNORECASE,
)
_LABELS = ("label", "title", "summary")  # what a component shows above its children
_WORDS = ("mod", "k", "keys", "label", "title", "text", "name", "value")  # what a component without children may show
_KEYS = frozenset({"Key", "Kbd", "Shortcut"})

_FILE_NAME = re.compile(r"[\w.-]+\.(?:png|jpe?g|gif|svg|webp|avif|bmp)", re.IGNORECASE)
_FENCE_LINE = re.compile(r"^[ \t>]*(?:(?:[-*+]|\d{1,9}[.)])[ \t]+)?(`{3,}+(?=[^`\n]*$)|~{3,}+)")
_BLANK_LINES = re.compile(r"\n(?:[ \t]*\n){2,}")
_DIRECTIVE = re.compile(r"^(?P<indent>[ \t>]*):{3,}[ \t]*(?:[\w-]+)?[ \t]*(?P<title>.*?)[ \t]*$")
_ADMONITION = re.compile(
    r"^[ \t]*(?:!!!|\?\?\?\+?|===[!+]?(?=[ \t]+\"))[ \t]+[\w -]*?[ \t]*(?:\"(?P<title>[^\"]*)\")?[ \t]*$"
)

_MODULE_LINE = re.compile(r"^import[ \t]+(?:[\w*{][^'\"\n]*[ \t]from[ \t]*)?['\"][^'\"\n]+['\"];?[ \t]*$")
_MODULE = re.compile(
    r"^(?:import[ \t]*(?:['\"]|[\w*{][^'\"\n]*from[ \t]*['\"]|[^'\"\n]*\{[^}'\"\n]*$)"
    r"|export[ \t]+(?:default|const|let|var|function|class|async|\*|\{))"
)


def plain_markdown(text: str, *, mdx: bool = False) -> str:
    """Markdown without components, raw HTML, comments, images and link targets.

    `mdx` also takes out modules and expressions, which are ordinary text in plain Markdown.
    """
    text = _without_modules(text, mdx=mdx)
    text = "\n".join(_without_containers(text))
    text = _MARKUP.sub(_read_markup, text)
    if mdx:
        text = _EXPRESSION.sub(_read_expression, text)
    text = _LINK.sub(_read_link, text)
    return tidy(text)


def tidy(text: str) -> str:
    """At most one blank line between blocks, none around them, and a newline at the end of what is not empty."""
    text = _BLANK_LINES.sub("\n\n", text).strip()
    return f"{text}\n" if text else ""


def without_code(text: str) -> str:
    """The text without fenced code."""
    return "\n".join(line for line, is_code in _lines(text) if not is_code)


# Whole lines


def _lines(text: str) -> Iterator[tuple[str, bool]]:
    """Each line, and whether it belongs to a fenced code block."""
    mark = ""
    for line in text.split("\n"):
        fence = _FENCE_LINE.match(line)
        if mark:
            yield line, True
            if fence and fence[1].startswith(mark) and not line.strip(" \t>`~"):
                mark = ""
        else:
            mark = fence[1] if fence else ""
            yield line, bool(fence)


def _without_modules(text: str, *, mdx: bool) -> str:
    """Without the statements of MDX; in plain Markdown only without imports that fill a line."""
    kept: list[str] = []
    depth = 0  # of brackets that a statement has opened
    for line, is_code in _lines(text):
        if not depth and (is_code or not (_MODULE if mdx else _MODULE_LINE).match(line)):
            kept.append(line)
            continue
        depth = max(0, depth + sum(map(line.count, "{[(")) - sum(map(line.count, "}])")))
    return "\n".join(kept)


def _without_containers(text: str) -> Iterator[str]:
    """Without the fences of `:::note` and `!!! note`; titles become bold lines, text comes to the margin."""
    indents: list[int] = []  # of the MkDocs blocks that are open
    for line, is_code in _lines(text):
        indent = len(line) - len(line.lstrip(" \t"))
        while line.strip() and indents and indent < indents[-1] + 4:
            indents.pop()
        block = None if is_code else _ADMONITION.match(line) or _DIRECTIVE.match(line)
        if block is None:
            yield line[min(4 * len(indents), indent) :]
            continue
        if block.re is _ADMONITION:
            indents.append(indent)
        title = (block["title"] or "").strip("[]")
        yield f"\n**{title}**\n" if title else ""


# Inside lines


def _read_markup(match: re.Match[str]) -> str:
    if match["fence"] or match["span"]:
        return match[0]
    if match["image"]:
        return meaningful_alt(match["alt"])
    if match["tag"]:
        return _read_tag(match)
    return ""


def _read_tag(match: re.Match[str]) -> str:
    name, attributes = match["name"], match["attributes"] or ""
    if name[0].isupper():
        return _read_component(name, attributes, opening=not match["closing"])
    if name.lower() == "img":
        return meaningful_alt(_attributes(attributes).get("alt", ""))
    if name.lower() in {"br", "hr"}:
        return "\n"
    if name.lower() in {"td", "th"}:
        return " " if match["closing"] else ""
    if _BLOCK_ELEMENT.fullmatch(name):
        return "\n\n"
    return "" if _INLINE_ELEMENT.fullmatch(name) else match[0]  # <your-domain> is a placeholder


def _read_component(name: str, attributes: str, *, opening: bool) -> str:
    """A component's children stay where they are; around them, what it would show of its attributes."""
    if not opening:
        return "\n\n" if "\n" in attributes or name not in _KEYS else ""
    values = _attributes(attributes)
    if attributes.rstrip().endswith("/"):
        words = [values[key] for key in _WORDS if values.get(key)]
        return "+".join(part for word in words for part in word.split()) if name in _KEYS else " ".join(words)
    label = next((values[key] for key in _LABELS if values.get(key)), "")
    return f"\n\n**{label}**\n\n" if label else ""


def _attributes(source: str) -> dict[str, str]:
    return {key: one or two or three for key, one, two, three in _ATTRIBUTE.findall(source)}


def _read_expression(match: re.Match[str]) -> str:
    if match["expression"]:
        return ""
    return match["text"] if match["quote"] else match[0]


def _read_link(match: re.Match[str]) -> str:
    if match["link"]:
        return match["text"]
    if match["address"]:
        return match["address"].removeprefix("mailto:")
    return "" if match["definition"] or match["footnote"] else match[0]


def meaningful_alt(alt: str) -> str:
    """The description of an image when it is one: at least two words, and not the name of a file."""
    alt = " ".join(alt.split())
    return alt if len(alt.split()) > 1 and not _FILE_NAME.search(alt) else ""
