"""Suggestions as HTML: rows by reason, each with what may be done about an item and why it is there."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape

from tools.recommender.suggestion import Boost, Suggestion, SuggestionList
from ui.gradio_app import icons
from ui.gradio_app.exchange import is_web_address
from ui.gradio_app.receipt import slot_name

STARS = 5
PER_STAR = 2.0  # ratings are kept on a scale of ten

Row = tuple[str, SuggestionList]
"""A reason in words, and the items that it stands for."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """What the reader did with items before."""

    saved: frozenset[str] = frozenset()
    ratings: Mapping[str, float] = field(default_factory=dict)


def for_you_html(rows: Sequence[Row], chosen: Chosen) -> str:
    """The rows, the strongest first."""
    if not any(listed.suggestions for _, listed in rows):
        return '<p class="none">There is nothing to suggest yet.</p>'
    return "".join(_row(number, reason, listed, chosen) for number, (reason, listed) in enumerate(rows))


def _row(number: int, reason: str, listed: SuggestionList, chosen: Chosen) -> str:
    cards = "".join(_card(one, chosen) for one in listed.suggestions)
    return (
        f'<section class="row" aria-labelledby="row-{number}"><h3 id="row-{number}" dir="auto">{escape(reason)}</h3>'
        f'<ul class="cards">{cards}</ul></section>'
    )


def _card(one: Suggestion, chosen: Chosen) -> str:
    id_, title = escape(one.item.id), escape(one.item.title)
    saved = one.item.id in chosen.saved
    badge = f'<span class="badge">{escape(one.match)}</span>' if one.match else ""
    return (
        f'<li class="card" data-item="{id_}"><p class="kind">{escape(one.item.category.capitalize())}{badge}</p>'
        f'<h4 dir="auto">{_title(one)}</h4><div class="choices">'
        f'<button type="button" class="ghost" data-item-do="save" aria-pressed="{str(saved).lower()}" '
        f'aria-label="Save {title}" title="Save">{icons.SAVE}</button>'
        f"{_rating(title, chosen.ratings.get(one.item.id))}"
        f'<button type="button" class="ghost" data-item-do="dismiss" aria-label="Not for me: {title}" '
        f'title="Not for me">{icons.CROSS}</button></div>{_why(one)}</li>'
    )


def _title(one: Suggestion) -> str:
    title = escape(one.item.title)
    if not is_web_address(one.item.url):
        return title
    url = escape(one.item.url or "")
    return (
        f'<a href="{url}" target="_blank" rel="noopener noreferrer" data-item-do="opened">{title}'
        '<span class="sr-only"> (new tab)</span></a>'
    )


def _rating(title: str, rating: float | None) -> str:
    given = None if rating is None else max(1, round(rating / PER_STAR))
    options = "".join(
        f'<option value="{count}" {"selected" * (count == given)}>{"★" * count}</option>'
        for count in range(STARS, 0, -1)
    )
    none = f'<option value="" {"selected" * (given is None)}>Rate</option>'
    return f'<select data-item-rate aria-label="Rate {title}">{none}{options}</select>'


def _why(one: Suggestion) -> str:
    boosts = "".join(map(_boost, one.boost_details))
    details = f"<ul>{boosts}</ul>" if boosts else ""
    return (
        f'<details class="reason"><summary>Why this?{icons.NEXT}</summary>'
        f'<p dir="auto">{escape(one.explanation)}</p>{details}</details>'
    )


def _boost(boost: Boost) -> str:
    return (
        f'<li><span dir="auto">{escape(slot_name(boost.facet))}: {escape(boost.value)}</span> '
        f'<span class="score">{round(100 * boost.boost):+d} %</span></li>'
    )
