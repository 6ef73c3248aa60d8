"""The administrators' page as HTML: the taxonomy's entries, and how good the predictions were."""

import json
from collections.abc import Sequence
from html import escape
from itertools import groupby

from tools.predictor.report import Line
from tools.profile.model import CATEGORIES
from tools.profile.taxonomy import TaxonomyEntry
from ui.gradio_app.plots import calibration_svg
from ui.gradio_app.profile_panel import CATEGORY_NAMES

SHOWN = 200  # entries that are listed at once; the others are found by their words
NOT_FOR_YOU = (
    '<p class="none" role="alert">This page is for administrators. Sign in with a key or a token that has the scope '
    "admin.</p>"
)


def taxonomy_html(entries: Sequence[TaxonomyEntry], words: str) -> str:
    """The entries in which all of `words` occur, by category."""
    found = [one for one in entries if _has(one, words)]
    shown = found[:SHOWN]
    by_category = [(name, [one for one in shown if one.category == name]) for name in CATEGORIES]
    groups = "".join(_group(name, of_category) for name, of_category in by_category if of_category)
    left = f" The first {SHOWN} are listed." if len(found) > SHOWN else ""
    count = f'<p class="soft">{len(found)} of {len(entries)} entries.{left}</p>'
    return count + (groups or '<p class="none">No entry has these words.</p>')


def _has(entry: TaxonomyEntry, words: str) -> bool:
    text = " ".join([entry.name, entry.category, entry.description, *entry.examples]).casefold()
    return all(word in text for word in words.casefold().split())


def _group(category: str, entries: Sequence[TaxonomyEntry]) -> str:
    return f"<h3>{CATEGORY_NAMES[category]}</h3><ul class='entries'>{''.join(map(_entry, entries))}</ul>"


def _entry(one: TaxonomyEntry) -> str:
    name = escape(one.name)
    linked = [f"under {', '.join(one.parents)}"] if one.parents else []
    linked += [f"related to {', '.join(one.related)}"] if one.related else []
    count = f"{len(one.examples)} example{'s' * (len(one.examples) != 1)}"
    off = "" if one.is_active else '<span class="badge">not used</span>'
    return (
        f'<li{"" if one.is_active else " class=off"}><div><span class="name" dir="auto">{name}</span>{off}'
        f'<p dir="auto">{escape(one.description)}</p><p class="soft">{escape("; ".join([count, *linked]))}</p></div>'
        f'<button type="button" class="button small" data-edit="{escape(_as_json(one))}" aria-label="Edit {name}">Edit'
        f'</button><button type="button" class="button small" data-id="{one.id}" '
        f'data-do="{"deactivate" if one.is_active else "activate"}" '
        f'aria-label="{"Deactivate" if one.is_active else "Activate"} {name}">'
        f"{'Deactivate' if one.is_active else 'Activate'}</button></li>"
    )


def _as_json(one: TaxonomyEntry) -> str:
    """The entry as the form takes it: lists by the line."""
    return json.dumps(
        {
            "id": str(one.id),
            "name": one.name,
            "category": one.category,
            "description": one.description,
            "examples": "\n".join(one.examples),
            "parents": "\n".join(one.parents),
            "related": "\n".join(one.related),
        }
    )


def report_html(lines: Sequence[Line]) -> str:
    """How good the predictions were: a calibration plot of each head, and the figures by rung and week."""
    if not lines:
        return '<p class="soft">No prediction has an outcome yet.</p>'
    by_head = groupby(sorted(lines, key=lambda line: line.head), key=lambda line: line.head)
    return "".join(_head(head, list(of_head)) for head, of_head in by_head)


def _head(head: str, lines: Sequence[Line]) -> str:
    whole = [line for line in lines if line.week == "all"]
    rows = "".join(map(_report_line, lines))
    names = ("Rung", "Week", "Cases", "Said", "Happened", "AUROC", "Lift", "Calibration error", "Drift")
    columns = "".join(f"<th scope='col'>{name}</th>" for name in names)
    return (
        f'<section class="head"><h3>{escape(head.replace("_", " ").capitalize())}</h3><div class="report">'
        f'{calibration_svg(head, whole)}<div class="table" tabindex="0" role="region" '
        f'aria-label="Figures of {escape(head)}"><table><thead><tr>{columns}</tr></thead><tbody>{rows}</tbody></table>'
        "</div></div></section>"
    )


def _report_line(line: Line) -> str:
    numbers = [f"{line.cases:,}", f"{line.said:.3f}", f"{line.rate:.3f}", _number(line.auroc), _number(line.lift)]
    numbers += [f"{line.calibration_error:.3f}", "noticed" if line.drift else "no"]
    cells = "".join(f"<td>{cell}</td>" for cell in numbers)
    return f"<tr><th scope='row'>{escape(line.source)}</th><td>{escape(line.week)}</td>{cells}</tr>"


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"
