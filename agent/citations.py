"""Citation markers and unsafe markup in an answer, checked while it streams.

A model may cite what was never retrieved, and a passage may talk it into showing an image whose address tells somebody
else what the user said. Both are dealt with here, on the text, before any doorway sees it:

- `[n]` stays when passage n was retrieved and goes, with the space before it, when not. `[1, 2]`, `[1-3]`, `[^1]` and
  `【1】` become `[1]` and its like. Numbers of four digits and more, as in `[2024]`, are text.
- Images become their alternative text, unless their address stands in a retrieved passage. HTML tags go; what only
  looks like one (`<your-name>`) is escaped. Links lead to the web, to an e-mail address or a telephone, or nowhere.
- Code is left as it is: fenced blocks and spans in backticks. Where a Markdown renderer might not see the code that we
  see (a span that could be closed elsewhere, a fence inside a list), images and tags in it are broken by a space.
- A number before a parenthesis, `[1](https://…)`, is a link.

The rules follow CommonMark 0.31.2 (https://spec.commonmark.org/0.31.2/), and are strict where renderers differ.
"""

import re
from collections.abc import Callable, Container
from dataclasses import dataclass

from knowledge_base.sentences import claim_bearing, units

_MOST_HELD = 2048
"""Characters that a construct may span. What is longer is text, made harmless: so little is ever held back."""
_LONGEST_TAG = 512
_LONGEST_LABEL = 1000
_WIDEST_RANGE = 50
_DEEPEST = 16

_SEPARATOR = r"[ ]?[,;\u2013\u2014-][ ]?"
_NUMBERS = rf"\d{{1,3}}(?:{_SEPARATOR}\^?\d{{1,3}}){{0,30}}"
_MARKER = re.compile(rf"\[\^?({_NUMBERS})\]|【\^?({_NUMBERS})(?:[:†][^】\n]{{0,60}})?】", re.ASCII)
_MARKER_BEGUN = re.compile(
    rf"\[\^?(?:{_NUMBERS}(?:[ ]|{_SEPARATOR}\^?)?)?\Z"
    rf"|【\^?(?:{_NUMBERS}(?:[ ]|{_SEPARATOR}\^?|[:†][^】\n]{{0,60}})?)?\Z",
    re.ASCII,
)
_NUMBER_OR_RANGE = re.compile(r"(\d+)(?:[ ]?[\u2013\u2014-][ ]?\^?(\d+))?", re.ASCII)
_PLAIN = re.compile(r"[^\\`!\[【\]< \t\n]+")
_BLANKS = re.compile(r"[ \t]*")
_BLANK_LINE = re.compile(r"\n[ \t\r]*\n")
_TICKS = re.compile(r"`+")
_FENCE_RUN = re.compile(r"`+|~+")
_BRACKETS = re.compile(r"\\.|[\[\]]", re.DOTALL)
_PARENTHESES = re.compile(r"\\.|[()]", re.DOTALL)
_LINK_TARGET = re.compile(
    r"\(\s*(<[^<>\[\]`\n]*>|(?:[^\s<>()\[\]`]|\([^\s<>()\[\]`]*\))*)"
    r"(?:\s+(?:\"[^\"<>\[\]`]*\"|'[^'<>\[\]`]*'))?\s*\)"
)
_PLAIN_LABEL = re.compile(r"[^\[\]<>`!\\]*")
_SAFE_TARGET = re.compile(r"[\s<]*(?:https?:|mailto:|tel:|[^:&\\]*(?:[/?#]|$))", re.IGNORECASE)
_AUTOLINK = re.compile(r"<(?:(?:https?|mailto|tel):[^\s<>\[\]`!]*|[\w.+-]+@[\w.-]+)>", re.IGNORECASE)
_DEFINITION_BEGUN = re.compile(r"[\s>*+\-.)\d]*(?:\[[^\]]*)?")
_IN_CODE_IMAGE = re.compile(r"!(?=\[)")
_IN_CODE_TAG = re.compile(r"<(?=[a-zA-Z/!?])")
# What must not come about where something was taken out: a tag, an image, a link, a fence, a marker.
_MADE_BY_JOINING = re.compile(
    r"<[a-zA-Z/!?]|!\[|\][(:\[]|``|~~|\\[^\w\s]|[\[【\d,;^\u2013\u2014-][\d,;^\u2013\u2014\]】†:-]"
)

_HTML = (
    "a|abbr|address|area|article|aside|audio|b|base|bdi|bdo|blockquote|body|br|button|canvas|caption|"
    "center|cite|code|col|colgroup|data|datalist|dd|del|details|dfn|dialog|div|dl|dt|em|embed|fieldset|"
    "figcaption|figure|font|footer|form|frame|frameset|h1|h2|h3|h4|h5|h6|head|header|hgroup|hr|html|i|"
    "iframe|image|img|input|ins|kbd|label|legend|li|link|main|map|mark|math|menu|meta|meter|nav|noscript|"
    "object|ol|optgroup|option|output|p|param|picture|plaintext|pre|progress|q|rp|rt|ruby|s|samp|script|"
    "search|section|select|slot|small|source|span|strong|style|sub|summary|sup|svg|table|tbody|td|"
    "template|textarea|tfoot|th|thead|time|title|tr|track|u|ul|var|video|wbr|xmp"
)
_TAG = re.compile(
    rf"</?(?:{_HTML})(?:\s+[\w:@.-]+(?:\s*=\s*(?:\"[^\"]*\"|'[^']*'|[^\s\"'=<>`]+))?)*\s*/?>|<[!?][^>]*>", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class _Fence:
    character: str
    length: int
    indent: int


class CitationFilter:
    """Checks an answer piece by piece: the pieces that come out, joined, do not depend on how the text was cut.

    Args:
        valid: The numbers that may be cited.
        sources: Text of the retrieved passages; an image whose address stands in it is kept.
    """

    def __init__(self, valid: Container[int], *, sources: str = "") -> None:
        self._valid = valid
        self._sources = sources
        self.numbers: list[int] = []
        """What was cited so far, in order, with repetitions."""
        self._buffer = ""
        self._out: list[str] = []
        self._blanks = ""  # read but not yet written: they go where a marker after them goes
        self._line = ""  # the beginning of the line that is being written
        self._last = ""
        self._joint = False  # something was taken out here
        self._fence: _Fence | None = None
        self._at: dict[str, Callable[[int, bool], int | None]] = {
            "\n": self._newline,
            " ": self._spaces,
            "\t": self._spaces,
            "\\": self._backslash,
            "`": self._code,
            "!": self._image,
            "[": self._bracket,
            "【": self._bracket,
            "]": self._link_target,
            "<": self._tag,
        }

    def feed(self, text: str) -> str:
        """What can be shown once `text` has come. Only what may be part of a construct is held back."""
        for start in range(0, len(text), _MOST_HELD):
            self._buffer += text[start : start + _MOST_HELD]
            self._advance(final=False)
        return self._taken()

    def flush(self) -> str:
        """The rest: no more text comes."""
        self._advance(final=True)
        self._write_blanks()
        self._line, self._last, self._joint, self._fence = "", "", False, None
        return self._taken()

    def _taken(self) -> str:
        text = "".join(self._out)
        self._out.clear()
        return text

    def _advance(self, *, final: bool) -> None:
        position = 0
        while position < len(self._buffer):
            after = self._step(position, final)
            if after is None:
                break
            position = after
        self._buffer = self._buffer[position:]

    # Each of the following reads one construct of the buffer at a position. It returns the position after it, or None
    # when only more text can tell (never when `final`).

    def _step(self, at: int, final: bool) -> int | None:
        if self._fence:
            return self._in_fence(self._fence, at, final)
        if not self._line:
            after = self._open_fence(at, final)
            if after is None or after > at:
                return after
        read = self._at.get(self._buffer[at])
        if read:
            return read(at, final)
        end = self._after(_PLAIN, at)
        self._write(self._buffer[at:end])
        return end

    def _after(self, pattern: re.Pattern[str], at: int) -> int:
        """The position after what the pattern matches here, `at` itself when that is nothing."""
        match = pattern.match(self._buffer, at)
        return match.end() if match else at

    def _newline(self, at: int, _final: bool) -> int | None:
        self._write("\n")
        return at + 1

    def _spaces(self, at: int, final: bool) -> int | None:
        end = self._after(_BLANKS, at)
        if end == len(self._buffer) and not final:
            return None
        if not (self._joint and not self._line):  # nothing of this line was kept so far
            self._blanks = self._buffer[at:end]
        return end

    def _backslash(self, at: int, final: bool) -> int | None:
        following = self._buffer[at + 1 : at + 2]
        if not following and not final:
            return None
        if following == "<":
            self._write("&lt;")
        elif following and following in "!\"#$%&'()*+,-./:;=>?@[\\]^_`{|}~":
            self._write("\\" + following)
        else:
            self._write("\\")
            return at + 1
        return at + 2

    # Markers

    def _bracket(self, at: int, final: bool) -> int | None:
        marker = _MARKER.match(self._buffer, at)
        if marker is None:
            if not final and _MARKER_BEGUN.match(self._buffer, at):
                return None
            self._write(self._buffer[at])
            return at + 1
        following = self._buffer[marker.end() : marker.end() + 1]
        if not following and not final:
            return None
        end, link = marker.end(), ""
        if following == "(" and marker[1]:
            target = self._target(end, final)
            if target is None:
                return None
            end, link = target
        if link:
            self._write(marker[0] + link)
        else:
            self._cite(marker[0], marker[1] or marker[2], following)
        return end

    def _cite(self, written: str, numbers: str, following: str) -> None:
        kept = [number for number in dict.fromkeys(_expanded(numbers)) if number in self._valid]
        if not kept:
            self._take_out(before=following)
            return
        self.numbers += kept
        text = "".join(f"[{number}]" for number in kept)
        self._joint = self._joint or text != written
        if following == ":" and _DEFINITION_BEGUN.fullmatch(self._line):
            text += " "  # "[1]:" at the start of a line would define what [1] links to
        self._write(text)
        self._joint = text != written or following == "("

    # Images, links and tags

    def _image(self, at: int, final: bool) -> int | None:
        following = self._buffer[at + 1 : at + 2]
        if not following and not final:
            return None
        if following != "[":
            self._write("!")
            return at + 1
        end = self._end_of_image(at, final)
        if end is None:
            return None
        if end < 0:
            return self._exclaim(at)
        self._reduce(at, end)
        return 0

    def _exclaim(self, at: int) -> int:
        """The "!" of a sentence before a bracket, or of something that never becomes an image: kept apart from it."""
        self._write("!")
        self._joint = True
        return at + 1

    def _end_of_image(self, at: int, final: bool) -> int | None:
        """Where the image that begins here ends; -1 when it is none; None when only more text can tell."""
        label_end = self._closing(at + 1, _BRACKETS, final)
        if label_end is None or label_end < 0:
            return label_end
        following = self._buffer[label_end : label_end + 1]
        if not following and not final:
            return None
        if _MARKER.fullmatch(self._buffer, at + 1, label_end) and following != "(":
            return -1
        if following not in ("(", "["):
            return label_end
        pairs = _PARENTHESES if following == "(" else _BRACKETS
        target_end = self._closing(label_end, pairs, final)
        return label_end if target_end is not None and target_end < 0 else target_end

    def _closing(self, at: int, pairs: re.Pattern[str], final: bool) -> int | None:
        """The position after the bracket that closes the one here, within the paragraph; -1 or None as above."""
        blank = _BLANK_LINE.search(self._buffer, at, at + _MOST_HELD)
        limit = min(at + _MOST_HELD, blank.start() if blank else len(self._buffer))
        depth = 0
        for match in pairs.finditer(self._buffer, at, limit):
            if len(match[0]) == 1:
                depth += 1 if match[0] in "([" else -1
            if depth == 0:
                return match.end()
            if depth > _DEEPEST:
                return -1
        return -1 if final or blank or limit == at + _MOST_HELD else None

    def _reduce(self, at: int, end: int) -> None:
        """Put an image's alternative text in its place in the buffer, to be read next; or write an allowed image."""
        label_end = self._closing(at + 1, _BRACKETS, True) or end
        label = self._buffer[at + 2 : label_end - 1]
        target = _LINK_TARGET.fullmatch(self._buffer, label_end, end)
        address = target[1].strip("<>") if target else ""
        if address and address in self._sources and _SAFE_TARGET.match(address) and _PLAIN_LABEL.fullmatch(label):
            self._write(self._buffer[at:end])
            self._buffer = self._buffer[end:]
            return
        if label.strip():
            self._joint = True
        else:
            self._take_out()
        self._buffer = label + self._buffer[end:]

    def _link_target(self, at: int, final: bool) -> int | None:
        following = self._buffer[at + 1 : at + 2]
        if not following and not final:
            return None
        if following != "(":
            self._write("] " if following == ":" and _DEFINITION_BEGUN.fullmatch(self._line) else "]")
            return at + 1
        target = self._target(at + 1, final)
        if target is None:
            return None
        end, link = target
        self._write("]" + link)
        self._joint = not link
        return end

    def _target(self, at: int, final: bool) -> tuple[int, str] | None:
        """A link's target in parentheses: where it ends, and itself. It is "" when there is no target here (which ends
        where it begins) or one that no link may have. None when only more text can tell."""
        end = self._closing(at, _PARENTHESES, final)
        if end is None:
            return None
        target = _LINK_TARGET.fullmatch(self._buffer, at, end) if end > 0 else None
        if target is None:
            return at, ""
        return end, target[0] if _SAFE_TARGET.match(target[1]) else ""

    def _tag(self, at: int, final: bool) -> int | None:
        following = self._buffer[at + 1 : at + 2]
        if not following and not final:
            return None
        if not re.match(r"[a-zA-Z/!?]", following):
            self._write("<")
            return at + 1
        end = self._end_of_tag(at, final)
        if end is None:
            return None
        tag = self._buffer[at:end] if end > 0 else ""
        if _AUTOLINK.fullmatch(tag):
            self._write(tag)
        elif _TAG.fullmatch(tag):
            self._joint = True
        else:
            self._write("&lt;")
            return at + 1
        return end

    def _end_of_tag(self, at: int, final: bool) -> int | None:
        limit = at + _LONGEST_TAG
        end = self._buffer.find(">", at, limit) + 1
        blank = _BLANK_LINE.search(self._buffer, at, end or limit)
        if end and not blank:
            return end
        return -1 if final or blank or len(self._buffer) >= limit else None

    # Code

    def _code(self, at: int, final: bool) -> int | None:
        """A code span, if its run of backticks is closed on the same line; the run alone if not."""
        opened = self._after(_TICKS, at)
        line_end = self._buffer.find("\n", at, at + _MOST_HELD)
        known = line_end >= 0 or final or len(self._buffer) >= at + _MOST_HELD
        limit = line_end if line_end >= 0 else min(len(self._buffer), at + _MOST_HELD)
        for closing in _TICKS.finditer(self._buffer, opened, limit):
            if len(closing[0]) == opened - at and (known or closing.end() < limit):
                self._write(_inert(self._buffer[at : closing.end()]))
                return closing.end()
        if not known:
            return None
        end = min(opened, limit)
        self._write(self._buffer[at:end])
        return end

    def _open_fence(self, at: int, final: bool) -> int | None:
        """The whole line that opens a fenced code block; `at` itself when this line does not."""
        start = self._after(_BLANKS, at)
        if start == len(self._buffer):
            return at if final else None
        run = _FENCE_RUN.match(self._buffer, start)
        if run is None:
            return at
        limit = at + _MOST_HELD
        line_end = self._buffer.find("\n", start, limit) + 1 or (len(self._buffer) if final else 0)
        if not line_end:
            return at if len(self._buffer) >= limit else None
        if len(run[0]) < 3 or (run[0][0] == "`" and "`" in self._buffer[run.end() : line_end]):
            return at
        indent = len((self._blanks + self._buffer[at:start]).expandtabs(4))
        self._write(self._buffer[at:line_end])
        self._fence = _Fence(run[0][0], len(run[0]), indent)
        return line_end

    def _in_fence(self, fence: _Fence, at: int, final: bool) -> int | None:
        if not self._line:
            closed = self._line_in_fence(fence, at, final)
            if closed is None or closed >= 0:
                return closed
        line_end = self._buffer.find("\n", at, at + _MOST_HELD) + 1
        if fence.indent and not line_end and not final and len(self._buffer) < at + _MOST_HELD:
            return None
        end = line_end or min(len(self._buffer), at + _MOST_HELD)
        self._write(_inert(self._buffer[at:end]) if fence.indent else self._buffer[at:end])
        self._joint = bool(fence.indent)
        return end

    def _line_in_fence(self, fence: _Fence, at: int, final: bool) -> int | None:
        """At a line's start: whether the fence ends before or with this line (the position after it), or not (-1)."""
        start = self._after(_BLANKS, at)
        if start == len(self._buffer):
            return -1 if final else None
        indent = len(self._buffer[at:start].expandtabs(4))
        if self._buffer[start] not in "\r\n" and indent < fence.indent:
            self._fence = None  # the list item that held it ended
            return at
        run = _FENCE_RUN.match(self._buffer, start)
        if run is None or run[0][0] != fence.character:
            return -1
        end = self._after(_BLANKS, run.end())
        if end == len(self._buffer) and not final:
            return None
        if len(run[0]) < fence.length or self._buffer[end : end + 1] not in ("", "\n", "\r"):
            return -1
        if indent - fence.indent > 3:
            return -1
        self._fence = None
        self._write(self._buffer[at:end])
        return end

    # Writing

    def _write(self, text: str) -> None:
        self._write_blanks()
        if self._joint and _MADE_BY_JOINING.fullmatch(self._last + text[0]):
            text = " " + text
        self._joint = False
        self._put(text)

    def _write_blanks(self) -> None:
        if self._blanks:
            self._put(self._blanks)
            self._blanks = ""

    def _put(self, text: str) -> None:
        self._out.append(text)
        self._last = text[-1]
        newline = text.rfind("\n")
        if newline >= 0:
            self._line = text[newline + 1 :]
        elif len(self._line) < _LONGEST_LABEL:
            self._line += text

    def _take_out(self, *, before: str = "") -> None:
        if before not in ("[", "【"):
            self._blanks = ""
        self._joint = True


def _inert(code: str) -> str:
    """Code that is harmless even where a renderer does not take it for code."""
    code = _IN_CODE_IMAGE.sub("! ", code)
    return _IN_CODE_TAG.sub("< ", code) if "=" in code or "<style" in code.lower() else code


def _expanded(numbers: str) -> list[int]:
    """`1, 3-5` as 1, 3, 4, 5."""
    found: list[int] = []
    for match in _NUMBER_OR_RANGE.finditer(numbers):
        first, last = int(match[1]), int(match[2] or match[1])
        found += range(first, last + 1) if 0 <= last - first <= _WIDEST_RANGE else [first, last]
    return found


def cited(text: str) -> list[int]:
    """The numbers that a text cites, each once, in order of first appearance; code does not cite."""
    reader = CitationFilter(range(1, 1000))
    reader.feed(text)
    reader.flush()
    return list(dict.fromkeys(reader.numbers))


def without_markers(text: str) -> str:
    """The text without its citation markers."""
    reader = CitationFilter(())
    return reader.feed(text) + reader.flush()


def uncited_claims(text: str) -> list[str]:
    """The sentences, list items and table rows of an answer that state something and cite nothing, in order."""
    parts = [text[unit.start : unit.end] for unit in units(text) if unit.kind in ("sentence", "item", "row")]
    return [part for part in parts if claim_bearing(part) and not cited(part)]
