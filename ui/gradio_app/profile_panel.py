"""The profile beside the chat as HTML: what is believed of the reader, why, and the means to correct it.

Every line is named by its facet and value; the browser says which lines are open, and those come with their evidence.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from html import escape

from agent.assistant import Forgotten
from tools.profile.model import (
    CATEGORIES,
    SLOTS,
    TAG_FACET,
    Evidence,
    Fact,
    Interaction,
    Muted,
    Persona,
    Preference,
    Profile,
    Tag,
    key_of,
)
from ui.gradio_app import icons
from ui.gradio_app.receipt import slot_name

PER_FACET = 6  # preferences of a facet that are shown at once; the others are a press away
MOST_PER_FACET = 60
MOST_EVIDENCE = 12
WEAK, WEAK_AGAINST = 0.03, 0.055  # what is hardly a preference is a press away: passing over offers makes −0.05
ACTIONS = {
    "content_view": "You opened",
    "click": "You opened",
    "save": "You saved",
    "unsave": "You no longer kept",
    "rate": "You rated",
    "ignore": "You passed over",
    "dismiss": "You dismissed",
    "finish": "You finished",
    "item_create": "You made",
}
SOURCES = {
    "conversation": "You wrote",
    "activity": "From what you did",
    "manual": "You added it",
    "item": "From an item of yours",
}
CATEGORY_NAMES = {
    "interest": "Interests",
    "skill": "Skills",
    "goal": "Goals",
    "topic": "Topics",
    "industry": "Industries",
}
STORES = {
    "conversations": "conversations",
    "exchanges": "questions and answers",
    "feedback": "ratings of answers",
    "conversation_states": "working states of conversations",
    "preferences": "preferences",
    "user_tags": "tags",
    "facts": "facts",
    "evidence": "reasons",
    "interactions": "actions",
    "mutes": "muted entries",
    "profiles": "settings of learning",
    "shown": "suggestions that were shown",
    "predictions": "predictions",
    "handoffs": "hand-offs",
}

Why = Mapping[tuple[str, str], Sequence[Evidence]]
"""The evidence of the lines that are open, by facet and value (key_of)."""


@dataclass(frozen=True, slots=True)
class Panel:
    """What the panel is drawn from.

    Attributes:
        learns_here: Whether the open conversation, or the one that comes next, teaches.
        did: What the reader did, in words, by the id of the interaction.
        clock: What the reader's clock is ahead of UTC.
    """

    profile: Profile
    learns_here: bool = True
    why: Why = field(default_factory=dict)
    did: Mapping[int, str] = field(default_factory=dict)
    clock: timedelta = timedelta(0)


def panel_parts(panel: Panel) -> dict[str, str]:
    """The HTML by section, in the order of the panel; a section with nothing to say is empty."""
    profile = panel.profile
    return {
        "intro": _intro(profile),
        "personas": _personas(profile.personas),
        "facts": _facts(panel, profile.facts),
        "preferences": _preferences(panel, profile.preferences),
        "tags": _tags(panel, profile.tags),
        "muted": _muted(profile.muted),
        "learning": _learning(panel),
    }


def key(facet: str, value: str) -> tuple[str, str]:
    """What names a line; a fact's line is its slot's, whatever its value."""
    return (facet, "") if facet in SLOTS else (facet, key_of(value))


def forgotten_html(forgotten: Forgotten) -> str:
    """What was removed: rows by store, before and after."""
    rows = "".join(
        f"<tr><th scope='row'>{escape(STORES.get(store, store.replace('_', ' ')).capitalize())}</th>"
        f"<td>{count:,}</td><td>{forgotten.after.get(store, 0):,}</td></tr>"
        for store, count in forgotten.before.items()
        if count or forgotten.after.get(store)
    )
    total, left = sum(forgotten.before.values()), sum(forgotten.after.values())
    head = "<thead><tr><th scope='col'>What</th><th scope='col'>Before</th><th scope='col'>Now</th></tr></thead>"
    table = f"<table>{head}<tbody>{rows}</tbody></table>" if rows else ""
    return f"<p>{total:,} entries were held of you. Now there are {left:,}.</p>{table}"


def _intro(profile: Profile) -> str:
    if profile.preferences or profile.tags or profile.facts:
        return ""
    hint = "Ask something: what your questions are about is noted here, with your own words as the reason."
    if not profile.learning:
        hint = "Learning is off, so nothing is noted. You can switch it on below."
    return f'<p class="none">Nothing is known of you yet. {hint}</p>'


def _section(name: str, title: str, body: str) -> str:
    return f'<section aria-labelledby="panel-{name}"><h3 id="panel-{name}" tabindex="-1">{title}</h3>{body}</section>'


def _personas(personas: Sequence[Persona]) -> str:
    if not personas:
        return ""
    items = "".join(
        f'<li><span class="persona">{escape(one.name)}</span>'
        f'<ul class="reasons">{"".join(f"<li>{escape(reason)}</li>" for reason in one.reasons)}</ul></li>'
        for one in personas
    )
    return _section("personas", "You seem to be", f'<ul class="personas">{items}</ul>')


def _facts(panel: Panel, facts: Sequence[Fact]) -> str:
    if not facts:
        return ""
    items = "".join(
        _line(
            panel,
            one.slot,
            one.value,
            f'<span class="name"><span class="slot">{slot_name(one.slot)}</span> '
            f'<span dir="auto">{escape(one.value)}</span></span>',
            _press("mute", "Don’t use", one.slot, one.value, icons.MUTE),
        )
        for one in facts
    )
    return _section("facts", "You told", f'<ul class="lines">{items}</ul>')


def _preferences(panel: Panel, preferences: Sequence[Preference]) -> str:
    if not preferences:
        return ""
    strong: dict[str, list[Preference]] = {}
    for one in sorted(preferences, key=lambda one: -abs(one.score)):
        if not _is_weak(one):
            strong.setdefault(one.facet, []).append(one)
    weak = [_preference(panel, one, named=True) for one in preferences if _is_weak(one)]
    body = "".join(_facet(panel, facet, of_facet[:MOST_PER_FACET]) for facet, of_facet in strong.items())
    return _section("preferences", "What you care for", body + _rest("", weak[:MOST_PER_FACET], "hardly noticed"))


def _is_weak(one: Preference) -> bool:
    return -WEAK_AGAINST < one.score < WEAK


def _facet(panel: Panel, facet: str, preferences: Sequence[Preference]) -> str:
    lines = [_preference(panel, one) for one in preferences]
    return (
        f'<h4 dir="auto">{escape(slot_name(facet))}</h4><ul class="lines">{"".join(lines[:PER_FACET])}</ul>'
        f"{_rest(facet, lines[PER_FACET:], 'more')}"
    )


def _rest(name: str, lines: Sequence[str], words: str) -> str:
    """Lines that are a press away."""
    if not lines:
        return ""
    return (
        f'<details class="rest" data-rest="{escape(name)}"><summary>{len(lines)} {words}{icons.NEXT}</summary>'
        f'<ul class="lines">{"".join(lines)}</ul></details>'
    )


def _preference(panel: Panel, one: Preference, *, named: bool = False) -> str:
    percent = round(100 * abs(one.score))
    against = one.score < 0
    words = f"{percent} % against" if against else f"{percent} %"
    facet = f'<span class="slot">{escape(slot_name(one.facet))}</span>' if named else ""
    label = (
        f'<span class="name" dir="auto">{facet}{escape(one.value)}</span>'
        f'<span class="score">{words}</span>'
        f'<span class="bar{" against" * against}" aria-hidden="true"><i style="width:{max(2, percent)}%"></i></span>'
    )
    return _line(panel, one.facet, one.value, label, _press("mute", "Mute", one.facet, one.value, icons.MUTE))


def _tags(panel: Panel, tags: Sequence[Tag]) -> str:
    groups = [(category, [one for one in tags if one.category == category]) for category in (*CATEGORIES, None)]
    body = "".join(
        f"<h4>{CATEGORY_NAMES.get(category or '', 'Other')}</h4>"
        f'<ul class="lines">{"".join(_tag(panel, one) for one in of_category)}</ul>'
        for category, of_category in groups
        if of_category
    )
    return _section("tags", "Tags", body + _ADD_TAG)


def _tag(panel: Panel, one: Tag) -> str:
    how = "added by you" if one.manual else f"{round(100 * one.confidence)} % sure"
    label = f'<span class="name" dir="auto">{escape(one.name)}</span><span class="score">{how}</span>'
    remove = (
        f'<button type="button" class="ghost" data-do="remove_tag" data-id="{one.id}" '
        f'aria-label="Remove the tag {escape(one.name)}" title="Remove">{icons.CROSS}</button>'
    )
    return _line(panel, TAG_FACET, one.name, label, remove)


def _line(panel: Panel, facet: str, value: str, label: str, button: str) -> str:
    """A line that opens on why it is there."""
    name = key(facet, value)
    found = panel.why.get(name)
    body = _why(panel, found, value) if found is not None else '<p class="soft">Looking it up…</p>'
    return (
        f'<li><details data-facet="{escape(name[0])}" data-value="{escape(name[1])}" {"open" * (found is not None)}>'
        f'<summary title="Why do you think so?">{label}<span class="sr-only">Why do you think so?</span>{icons.NEXT}'
        f'</summary><div class="why{" known" * (found is not None)}">{body}</div></details>{button}</li>'
    )


def _press(do: str, label: str, facet: str, value: str, icon: str) -> str:
    return (
        f'<button type="button" class="ghost" data-do="{do}" data-facet="{escape(facet)}" data-value="{escape(value)}" '
        f'aria-label="{label} {escape(value)}" title="{label}">{icon}</button>'
    )


def _why(panel: Panel, found: Sequence[Evidence], value: str) -> str:
    if not found:
        return '<p class="soft">Nothing that says so is kept any more.</p>'
    items = "".join(_evidence(panel, one, value) for one in found[:MOST_EVIDENCE])
    left = len(found) - MOST_EVIDENCE
    more = f'<p class="soft">and {left} earlier</p>' if left > 0 else ""
    return f'<p class="soft">Why do you think so?</p><ul>{items}</ul>{more}'


def _evidence(panel: Panel, one: Evidence, value: str) -> str:
    says = escape(panel.did.get(one.interaction_id or 0) or SOURCES.get(one.source, "Noted"))
    quote = f': <q dir="auto">{escape(one.quote)}</q>' if one.quote else ""
    said = f'<span class="meaning">{escape(one.value)}</span> ' if key_of(one.value) != key_of(value) else ""
    when = _when(one.created_at, panel.clock)
    if one.retracted_at is not None:
        return f'<li class="undone">{said}<s>{says}{quote}</s><span class="soft">{when} · undone</span></li>'
    counts = f" · counts {one.weight:+.2f}".replace("-", "−") if one.kind == "preference" else ""
    return (
        f'<li>{said}<span>{says}{quote}</span><span class="soft">{when}{counts}</span>'
        f'<button type="button" class="link" data-do="undo" data-id="{one.id}" '
        f'aria-label="Undo: {escape(one.quote) or says}">Undo</button></li>'
    )


def _when(moment: datetime, clock: timedelta) -> str:
    there = moment.astimezone(UTC) + clock
    return f'<time datetime="{moment.astimezone(UTC).isoformat()}">{there.day} {there:%b, %H:%M}</time>'


def _muted(muted: Sequence[Muted]) -> str:
    if not muted:
        return ""
    items = "".join(
        f'<li><span class="name"><span class="slot">{escape(slot_name(one.facet))}</span> '
        f'<span dir="auto">{escape(one.value)}</span></span>'
        f'<button type="button" class="button small" data-do="unmute" data-facet="{escape(one.facet)}" '
        f'data-value="{escape(one.value)}" aria-label="Allow {escape(one.value)} again">Allow again</button></li>'
        for one in muted
    )
    explained = '<p class="soft">Neither learned nor used until you allow it again.</p>'
    return _section("muted", "Muted", f'{explained}<ul class="muted">{items}</ul>')


def _learning(panel: Panel) -> str:
    on = panel.profile.learning
    here = _switch("conversation", "Learn from this conversation", panel.learns_here and on, disabled=not on)
    return _section("learning", "Learning", _switch("user", "Learn from what I ask and do", on) + here)


def _switch(name: str, label: str, on: bool, *, disabled: bool = False) -> str:
    return (
        f'<label class="switch"><span>{label}</span><input type="checkbox" role="switch" data-switch="{name}" '
        f"{'checked' * on} {'disabled' * disabled}></label>"
    )


def done(one: Interaction, title: str) -> str:
    """An action on an item in words; "" where it was none."""
    words = ACTIONS.get(one.type, "")
    return f"{words} “{title}”" if words else ""


def muted_keys(muted: Iterable[Muted]) -> list[tuple[str, str]]:
    """Facet and value of what is muted, as receipts name them."""
    return [(one.facet, key_of(one.value)) for one in muted]


_ADD_TAG = (
    '<form class="add" data-form="add_tag"><label class="sr-only" for="new-tag">New tag</label>'
    '<input id="new-tag" name="tag" maxlength="200" placeholder="Add a tag" autocomplete="off" dir="auto">'
    f'<button type="submit" class="ghost" aria-label="Add the tag" title="Add">{icons.PLUS}</button></form>'
)
