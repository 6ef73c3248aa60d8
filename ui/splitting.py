"""Cuts an answer into messages that a chat platform takes, without breaking its code blocks."""

import re

_FENCE = re.compile(r"^[ \t]*(`{3,}|~{3,})([^\n]*)$")
_WIDEST_HEAD = 40  # of an opening fence that is repeated; a longer one loses its language


def split_message(text: str, limit: int) -> list[str]:
    """`text` in pieces of at most `limit` characters, none of them blank.

    Pieces end between paragraphs if they can, else between lines, else between words. A code block that fits into one
    piece stays in one; one that doesn't is closed at the end of a piece and opened again in the next.
    """
    if limit < 4 * _WIDEST_HEAD:
        raise ValueError(f"Expected a limit of at least {4 * _WIDEST_HEAD} characters, got {limit}.")
    pieces: list[str] = []
    current = ""
    for block in _blocks(text):
        for part in _parts(block, limit):
            if current and len(current) + len(part) > limit:
                pieces.append(current)
                current = ""
            current += part
    pieces.append(current)
    return [piece.strip("\n") for piece in pieces if piece.strip()]


def _blocks(text: str) -> list[str]:
    """The text as code blocks and paragraphs; joined they are the text again."""
    blocks: list[str] = []
    current: list[str] = []
    fence = ""
    for line in text.splitlines(keepends=True):
        opened = _FENCE.match(line.rstrip("\n"))
        if fence:
            current.append(line)
            if _closes(line, fence):
                blocks, current, fence = [*blocks, "".join(current)], [], ""
        elif opened and "`" not in opened[2]:
            blocks, current, fence = [*blocks, "".join(current)], [line], opened[1]
        else:
            current.append(line)
            if not line.strip():
                blocks, current = [*blocks, "".join(current)], []
    return [block for block in [*blocks, "".join(current)] if block]


def _closes(line: str, fence: str) -> bool:
    bare = line.strip()
    return len(bare) >= len(fence) and set(bare) == {fence[0]}


def _parts(block: str, limit: int) -> list[str]:
    if len(block) <= limit:
        return [block]
    opened = _FENCE.match(block.split("\n", 1)[0])
    if opened is None or "`" in opened[2]:
        return _lines(block, limit)
    return _fenced(block, opened[1], limit)


def _fenced(block: str, fence: str, limit: int) -> list[str]:
    """Pieces of a code block, each with fences of its own."""
    head, _, rest = block.partition("\n")
    lines = rest.splitlines(keepends=True)
    if lines and _closes(lines[-1], fence):
        lines.pop()
    tail = fence[:_WIDEST_HEAD]
    head = head if len(head) <= _WIDEST_HEAD else tail
    bodies = _lines("".join(lines), limit - len(head) - len(tail) - 3)
    return [f"{head}\n{body.removesuffix(chr(10))}\n{tail}\n" for body in bodies]


def _lines(text: str, limit: int) -> list[str]:
    """Pieces that end between lines where they can, else between words, else anywhere."""
    pieces: list[str] = []
    while len(text) > limit:
        cut = max(text.rfind("\n", 0, limit), 0) or max(text.rfind(" ", 0, limit), 0) or limit - 1
        pieces, text = [*pieces, text[: cut + 1]], text[cut + 1 :]
    return [*pieces, text] if text else pieces
