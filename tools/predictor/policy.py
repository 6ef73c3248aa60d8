"""From probabilities to what to do: the rule of the operator, with thresholds as values.

A recommended action is taken only when its score is above the threshold; else the plain one. Nothing is recommended
from an interval that is too wide: no score is better than a made-up one.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from tools.predictor.features import Features
from tools.predictor.model import ENGAGEMENT, RISK, Foreseen, Head

Action = Literal[
    "answer_only",
    "recommend_content",
    "ask_clarifying_question",
    "offer_human",
    "send_message",
    "offer_discount",
]
PLAIN: Action = "answer_only"
IN_WORDS: Mapping[Action, str] = {
    "answer_only": "answer as usual",
    "recommend_content": "suggest a next step",
    "ask_clarifying_question": "go step by step and ask one question",
    "offer_human": "offer a person",
    "send_message": "send a message",
    "offer_discount": "offer a discount",
}


@dataclass(frozen=True, slots=True)
class Thresholds:
    """The operator's rule. All scores are probabilities.

    Attributes:
        act_above: A recommended action is taken only above this score.
        person_above: A risk above this is for a person rather than a question.
        widest: A wider interval is no basis for anything.
        away_days: Days after which a user counts as away: a message may bring them back.
        discounts, messages: Whether the operator allows them at all.
    """

    act_above: float = 0.7
    person_above: float = 0.85
    widest: float = 0.35
    away_days: float = 14.0
    discounts: bool = False
    messages: bool = False


@dataclass(frozen=True, slots=True)
class Decision:
    """What to do, and what would have been done without the prediction.

    Attributes:
        recommended: The action that the scores speak for, taken or not; `score` is how strongly.
        abstained: Heads whose interval is too wide; when all are, `score` is None.
    """

    action: Action
    recommended: Action
    score: float | None
    because: str
    without: Action = PLAIN
    abstained: tuple[str, ...] = ()


def decide(foreseen: Foreseen | None, row: Features, thresholds: Thresholds, *, in_turn: bool = True) -> Decision:
    """The decision for one user.

    Args:
        foreseen: None when no rung answered: then nothing is recommended.
        row: The features of the moment.
        in_turn: Whether an answer is being written; messages are only for those who are not here.
    """
    if foreseen is None:
        return Decision(PLAIN, PLAIN, None, "no prediction was available")
    certain = {name: head for name, head in foreseen.heads.items() if head.width <= thresholds.widest}
    abstained = tuple(name for name in foreseen.heads if name not in certain)
    if not certain:
        return Decision(PLAIN, PLAIN, None, "too few cases like this one have been seen", abstained=abstained)
    action, score, because = _best(certain, row, thresholds, in_turn=in_turn)
    taken = action if score > thresholds.act_above else PLAIN
    return Decision(taken, action, score, because, abstained=abstained)


def _best(
    heads: Mapping[str, Head], row: Features, thresholds: Thresholds, *, in_turn: bool
) -> tuple[Action, float, str]:
    candidates = [
        *_for_risk(heads.get(RISK), row, thresholds),
        *_for_engagement(heads.get(ENGAGEMENT), row, thresholds),
    ]
    if not in_turn:
        candidates = [one for one in candidates if one[0] != "ask_clarifying_question"]
    else:
        candidates = [one for one in candidates if one[0] != "send_message"]
    # Trouble comes first: a suggestion to somebody who is about to give up is in the way.
    urgent = [one for one in candidates if one[0] in ("offer_human", "ask_clarifying_question")]
    if urgent and urgent[0][1] > thresholds.act_above:
        return urgent[0]
    return max(candidates, key=lambda one: one[1], default=(PLAIN, 0.0, "nothing speaks for more than an answer"))


def _for_risk(head: Head | None, row: Features, thresholds: Thresholds) -> list[tuple[Action, float, str]]:
    if head is None:
        return []
    wanted = bool(row.get("wants_person"))
    action: Action = (
        "offer_human" if head.probability > thresholds.person_above or wanted else "ask_clarifying_question"
    )
    return [(action, head.probability, "the risk that this stays unresolved")]


def _for_engagement(head: Head | None, row: Features, thresholds: Thresholds) -> list[tuple[Action, float, str]]:
    if head is None:
        return []
    p, away = head.probability, _number(row, "days_since_last") > thresholds.away_days
    candidates: list[tuple[Action, float, str]] = [("recommend_content", p, "the chance that they follow a suggestion")]
    if thresholds.messages and away:
        candidates.append(("send_message", 1 - p, "the chance that they do not come back by themselves"))
    if thresholds.discounts and away and _number(row, "user.purchases") > 0:
        candidates.append(("offer_discount", 1 - p, "the chance that a customer does not come back by themselves"))
    return candidates


def _number(row: Features, name: str) -> float:
    value = row.get(name)
    try:
        return float(value) if value is not None else 0.0
    except ValueError:
        return 0.0
