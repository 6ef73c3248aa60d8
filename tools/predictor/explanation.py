"""Why a prediction is what it is: how far each feature moves it from what is typical, in words.

A feature's contribution is the change of the log-odds when only it is set to its typical value (occlusion; feature by
feature, as in M. Robnik-Šikonja and I. Kononenko 2008), so that it holds for the whole calibrated model.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tools.predictor.columns import Cell
from tools.predictor.features import ATTRIBUTE, Features
from tools.predictor.local import LocalModel
from tools.predictor.metrics import logit
from tools.predictor.model import ENGAGEMENT, RISK

SHOWN = 3
SMALL = 0.05
IN_WORDS: Mapping[str, str] = {
    "age_days": "known for {:.0f} days",
    "days_since_last": "last here {:.0f} days ago",
    "days_since_question": "last asked {:.0f} days ago",
    "events_1d": "{:.0f} actions today",
    "events_7d": "{:.0f} actions this week",
    "events_30d": "{:.0f} actions in 30 days",
    "events_90d": "{:.0f} actions in 90 days",
    "active_days_30d": "active on {:.0f} of the last 30 days",
    "questions_30d": "{:.0f} questions in 30 days",
    "opened_30d": "opened {:.0f} things in 30 days",
    "refused_30d": "put {:.0f} suggestions aside in 30 days",
    "opened_share": "follows {:.0%} of what is suggested",
    "topics_90d": "{:.0f} topics in 90 days",
    "top_topic_share": "{:.0%} of it about one topic",
    "chars": "a question of {:.0f} characters",
    "words": "a question of {:.0f} words",
    "likeness": "{:.0%} the same words as an earlier question",
    "repeats_30d": "asked the same {:.0f} times before",
    "unanswered_share": "about {:.0%} of the questions stay open",
    "last_unanswered": "the last question stayed open",
    "negative_90d": "{:.0f} thumbs down in 90 days",
    "positive_90d": "{:.0f} thumbs up in 90 days",
    "wants_person": "asks for a person",
    "wanted_person_30d": "asked for a person {:.0f} times in 30 days",
    "hour": "at {:.0f} o'clock (UTC)",
    "weekday": "on this day of the week",
    "channel": "through {}",
}
HEAD_WORDS: Mapping[str, str] = {
    ENGAGEMENT: "engagement (follows a suggestion or comes back within 7 days)",
    RISK: "risk (asks again, is not content, or wants a person)",
}


@dataclass(frozen=True, slots=True)
class Contribution:
    """What one feature does to the log-odds, compared with its typical value."""

    feature: str
    value: Cell
    effect: float


def contributions(model: LocalModel, head: str, row: Features) -> list[Contribution]:
    """All features that differ from what is typical, the strongest first."""
    names = [name for name, value in row.items() if name in model.typical and model.typical[name] != value]
    rows = [row, *({**row, name: model.typical[name]} for name in names)]
    scores = logit(model.probabilities(rows)[head])
    found = [
        Contribution(name, row[name], float(scores[0] - score)) for name, score in zip(names, scores[1:], strict=True)
    ]
    return sorted(found, key=lambda one: -abs(one.effect))


def in_words(head: str, probability: float, found: Sequence[Contribution]) -> str:
    """'engagement … 82 %: raised by …; lowered by …'."""
    strong = [one for one in found if abs(one.effect) >= SMALL][:SHOWN]
    raised = [_words(one) for one in strong if one.effect > 0]
    lowered = [_words(one) for one in strong if one.effect < 0]
    parts = [
        text
        for text in (raised and "raised by: " + ", ".join(raised), lowered and "lowered by: " + ", ".join(lowered))
        if text
    ]
    return f"{HEAD_WORDS[head]}: {probability:.0%}" + (" – " + "; ".join(parts) if parts else "")


def _words(one: Contribution) -> str:
    value = one.value
    if one.feature.startswith(ATTRIBUTE):
        return f"{one.feature.removeprefix(ATTRIBUTE)} is {'unknown' if value is None else value}"
    if isinstance(value, bool):
        return IN_WORDS[one.feature] if value else f"not: {IN_WORDS[one.feature]}"
    if value is None or value != value:
        return f"nothing known yet ({one.feature.replace('_', ' ')})"
    return IN_WORDS[one.feature].format(value)
