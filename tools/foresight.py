"""What a prediction changes in the reply, as the model is told it and as the receipt tells the reader."""

from collections.abc import Mapping
from dataclasses import dataclass

from tools.predictor.policy import Action
from tools.predictor.service import Forecast
from tools.receipts import Used

ADVICE: Mapping[Action, str] = {
    "answer_only": "Answer as usual.",
    "recommend_content": "Answer as usual; a next step may be welcome after the answer.",
    "ask_clarifying_question": "This may stay unresolved: keep it short, go step by step, and end with one question.",
    "offer_human": "This may stay unresolved: keep it short, and offer to hand over to a person (`hand_off`).",
}
"""What the model is told. Actions that no reply can carry out (a message, a discount) are answered as usual."""
EFFECTS: Mapping[Action, str] = {
    "recommend_content": "A second next step was offered",
    "ask_clarifying_question": "Kept short, with a question at the end",
    "offer_human": "Kept short, with the offer of a person",
}


@dataclass(frozen=True, slots=True)
class Foresight:
    """A forecast as a turn uses it: the artifact of the `predict_needs` tool's message."""

    forecast: Forecast

    @property
    def action(self) -> Action:
        """What to do beside answering."""
        return self.forecast.decision.action

    @property
    def at_risk(self) -> bool:
        """Whether the user seems about to give up: then the reply is short, and offers nothing else."""
        return self.action in ("ask_clarifying_question", "offer_human")

    @property
    def next_topics(self) -> dict[str, float]:
        """Topic → probability that it comes next; empty where the predictor abstains from everything."""
        foreseen = self.forecast.foreseen
        return dict(foreseen.next_topics) if foreseen and self.forecast.decision.score is not None else {}

    def as_text(self) -> str:
        """What the model reads."""
        return ADVICE.get(self.action, ADVICE["answer_only"])

    def summary(self) -> str:
        """The same in a few words, for people."""
        return EFFECTS.get(self.action, "Nothing to change")

    def receipt(self) -> list[Used]:
        """What the prediction changed; nothing when the reply is the one without it."""
        if self.action not in EFFECTS or not self.forecast.receipt:
            return []
        return [
            Used(
                kind="prediction",
                facet="recommended_action",
                value=self.action,
                entry=self.forecast.receipt,
                effect=EFFECTS[self.action],
            )
        ]
