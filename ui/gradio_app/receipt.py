"""What of the profile went into an answer, and what the question added to it: the small print under an answer."""

from collections.abc import Iterable, Sequence
from html import escape

from agent.events import Learnt, Used
from tools.personal import SLOT_NAMES
from tools.profile.model import key_of
from ui.gradio_app import icons


def receipt_html(used: Sequence[Used]) -> str:
    """One line that opens: each entry that was used, its effect, and how to be rid of it."""
    if not used:
        return ""
    more = f' <span class="more">and {len(used) - 1} more</span>' if len(used) > 1 else ""
    return (
        f'<details class="receipt"><summary>{icons.PERSON}<span class="line"><b>Personalised:</b> '
        f'<span dir="auto">{escape(used[0].entry)}</span>{more}</span>{icons.NEXT}</summary>'
        f"<ul>{''.join(map(_line, used))}</ul>"
        f'<button type="button" class="button small" data-act="impersonal">{icons.RETRY}Answer without my profile'
        "</button></details>"
    )


def _line(one: Used) -> str:
    entry = escape(one.entry)
    if one.kind == "prediction":  # it rests on what others did too: there is nothing of the reader's to mute
        return f"<li><div>{_words(one)}</div></li>"
    which = f'data-facet="{escape(one.facet)}" data-value="{escape(one.value)}"'
    return (
        f'<li><div>{_words(one)}</div><button type="button" class="button small" data-act="not-this" {which} '
        f'aria-pressed="false" aria-label="Not this: {entry}">Not this</button></li>'
    )


def _words(one: Used) -> str:
    return (
        f'<span class="entry" dir="auto">{escape(one.entry)}</span>'
        f'<span class="effect" dir="auto">{escape(one.effect)}</span>'
    )


def noted_html(learned: Sequence[Learnt]) -> str:
    """What the question taught, in one line, with a way to take it back."""
    if not learned:
        return ""
    return (
        f'<p class="noted" data-noted>{icons.NOTE}<span dir="auto">Noted: {escape("; ".join(_noted(learned)))}</span>'
        '<button type="button" class="link" data-act="unlearn" aria-label="Undo what was noted">Undo</button></p>'
    )


def _noted(learned: Sequence[Learnt]) -> Iterable[str]:
    preferences = [one for one in learned if one.kind == "preference"]
    said = {key_of(one.value) for one in preferences}
    asked = [one.value for one in preferences if one.weight >= 0 and one.facet == "topic"]
    liked = [one.value for one in preferences if one.weight >= 0 and one.facet != "topic"]
    left = [one.value for one in preferences if one.weight < 0]
    tags = [one.value for one in learned if one.kind == "tag" and key_of(one.value) not in said]
    for words, values in (("you asked about", asked), ("you like", liked), ("you don’t care for", left), ("tag", tags)):
        if values:
            yield f"{words} {_listed(values)}"
    for one in learned:
        if one.kind == "fact":
            yield f"{slot_name(one.facet).lower()}: {one.value}"


def _listed(values: Sequence[str]) -> str:
    return values[0] if len(values) == 1 else f"{', '.join(values[:-1])} and {values[-1]}"


def slot_name(facet: str) -> str:
    """What a fact's slot, or a facet, is called on the page."""
    named = next((name for slot, name in SLOT_NAMES.items() if slot == facet), None)
    return named or facet.replace("_", " ").capitalize()
