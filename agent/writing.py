"""What was chosen, written as Markdown with citations."""

import re
from collections.abc import Iterator, Sequence
from itertools import groupby, pairwise

from agent.candidates import Candidate

_END = re.compile(r"((?:(?!…\.)[.!?…。！？])+[\"'”’)\]]*)$")  # the dots of a menu's name, "Print…", are not among them
_GOES_ON = re.compile(r"(?:[:：;,]|[,;]? (?:and|or))$")


def written(parts: Sequence[Candidate]) -> str:
    """What is quoted, in the order in which it is to be read, as Markdown."""
    blocks = [_block(list(run), parts) for _, run in groupby(parts, key=_run_key)]
    return "\n\n".join(block for block in blocks if block)


def _run_key(one: Candidate) -> tuple[int, str, int]:
    """What is written together: the sentences of a passage in a paragraph, a list, a table, a block of code."""
    kind = one.unit.kind
    shape = "list" if kind in ("item", "row") or (kind == "code" and one.unit.item >= 0) else kind
    return one.source.number, shape, one.unit.block if shape != "sentence" else -1


def _block(run: Sequence[Candidate], parts: Sequence[Candidate]) -> str:
    kind = run[0].unit.kind
    if kind == "code":
        return "\n\n".join(_code(one, parts) for one in run)
    if kind == "sentence":
        return " ".join(_sentence(one, parts) for one in run)
    return "\n".join(_list_lines(run, parts))


def _code(one: Candidate, parts: Sequence[Candidate]) -> str:
    """Code, below its heading and its citation where no sentence of the answer introduces it."""
    introduced = any(other.source is one.source and other.unit.kind != "code" for other in parts)
    return one.unit.text if introduced else f"{cite(f'{one.heading}:', one.source.number)}\n\n{one.unit.text}"


def _sentence(one: Candidate, parts: Sequence[Candidate]) -> str:
    """A sentence with its citation; one that only announces a list leaves it to the items."""
    announces = one.unit.text.endswith((":", "："))
    carried = any(
        other.source is one.source and other.unit.lead_in == one.index and other.unit.kind != "code" for other in parts
    )
    text = _row(one.unit.text) if one.unit.kind == "row" else one.unit.text
    return text if announces and carried else cite(text, one.source.number)


_FIRST_CELL = re.compile(r"[^:;–]{1,40}: ([^;]+); (?=[^;]+: )")


def _row(text: str) -> str:
    """A row opened by its first cell: "Plan: Team; Price: €49" is "Team – Price: €49"."""
    return _FIRST_CELL.sub(r"\1 – ", text, count=1) if _FIRST_CELL.match(text) else text


def cite(text: str, number: int) -> str:
    """The sentence with its citation before the mark that ends it: "It is free [1]."."""
    end = _GOES_ON.search(text) or _END.search(text)
    if end is None:
        return f"{text} [{number}]"
    return f"{text[: end.start()].rstrip()} [{number}]{end[0]}"


def _list_lines(run: Sequence[Candidate], parts: Sequence[Candidate]) -> Iterator[str]:
    """Items with their own markers. Numbers that do not follow each other would be counted anew by a renderer, so
    then every item gets a bullet; where one is written twice ("1. 1. 1."), Markdown counts on, and so does this."""
    ordinals = [int(one.unit.marker[:-1]) for one in run if one.unit.marker[:1].isdigit() and one.unit.depth == 0]
    in_sequence = all(after - before in (0, 1) for before, after in pairwise(ordinals))
    number = ordinals[0] if ordinals else 1
    shallowest = min(one.unit.depth for one in run)
    for _, group in groupby(run, key=lambda one: one.unit.item):
        item = list(group)
        marker = item[0].unit.marker or "-"
        if marker[:1].isdigit() and not (in_sequence and len(ordinals) > 1):
            marker = "-"
        elif marker[:1].isdigit() and item[0].unit.depth == 0:
            marker, number = f"{number}.", number + 1
        indent = "   " * (item[0].unit.depth - shallowest)
        text = " ".join(_sentence(one, parts) for one in item if one.unit.kind != "code")
        yield f"{indent}{marker} {text}"
        for one in item:
            if one.unit.kind == "code":
                yield "\n" + "\n".join(f"{indent}   {line}" for line in one.unit.text.splitlines()) + "\n"
