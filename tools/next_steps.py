"""What to offer after an answer: at most two things worth reading next, and often none."""

import asyncio
import re

from pydantic import BaseModel, ConfigDict, Field

from tools.background import Background
from tools.predictor.words import asks_for_person
from tools.recommender.service import Recommender
from tools.recommender.suggestion import Suggestion, SuggestionList
from tools.sources import linked
from tools.sparing_log import SparingLog
from tools.turn import TurnContext

SECONDS = 0.1
"""An answer is not held up for longer than this."""
_COMPLAINT = re.compile(
    r"\b(?:complain(?:t|ing)?|not (?:happy|satisfied|acceptable|helpful)|unhappy|dissatisfied|disappoint\w*|"
    r"frustrat\w*|"
    r"angry|furious|ridiculous|terrible|awful|horrible|useless|unacceptable|scam|rip-?off|worst|fed up|sick of|"
    r"(?:still|again) (?:not|doesn't|does not|isn't|won't|broken|waiting)|"
    r"(?:doesn't|does not|didn't|did not|isn't|is not|not) work(?:ing)?|waste of (?:time|money))\b",
    re.IGNORECASE,
)


class NextStep(BaseModel):
    """Something worth reading next, and why."""

    model_config = ConfigDict(frozen=True)

    item_id: str
    title: str
    url: str | None
    explanation: str = Field(description="Why it is offered, in words")
    match: str = Field(default="", description="What the profile adds to its score, as '+34 % match'")


class NextSteps:
    """Offers of a recommender beside answers. `lacking` is told of answers that overload leaves without one."""

    def __init__(self, recommender: Recommender, *, lacking: SparingLog | None = None) -> None:
        self._recommender = recommender
        self._lacking = lacking or SparingLog()
        self._late = Background(self._lacking.warn)

    async def after(self, context: TurnContext, *, leave_out: set[str]) -> list[NextStep]:
        """What to offer beside this answer, besides the articles that it cites. A fault or a delay costs the offer."""
        foresight = context.foresight
        complaint = is_complaint(context.question) or bool(foresight and foresight.at_risk)
        more = bool(foresight and foresight.action == "recommend_content")
        offering = asyncio.ensure_future(
            self._recommender.offers(
                context.user_id,
                context.vector,
                count=2 if more else 1,
                leave_out=leave_out,
                complaint=complaint,
                profile=context.known.profile if context.known else None,
            )
        )
        # One that is late goes on by itself: a read that is cancelled half way can lose its database connection.
        done, _ = await asyncio.wait({offering}, timeout=SECONDS)
        if not done:
            self._late.keep(offering, "an offer that came too late")
            self._lacking.warn(f"no next step for a turn: it took longer than {SECONDS * 1000:.0f} ms")
            return []
        if error := offering.exception():  # an offer is worth less than the answer
            self._lacking.warn("no next step for a turn", error)
            return []
        self._recommender.noted(offering.result())
        return steps_of(offering.result())

    async def aclose(self) -> None:
        """Wait for what came too late."""
        await self._late.idle()


def is_complaint(text: str) -> bool:
    """Whether a message complains: then nothing else is offered."""
    return bool(_COMPLAINT.search(text)) or asks_for_person(text)


def steps_of(listed: SuggestionList) -> list[NextStep]:
    """The suggestions as a reply carries them."""
    return [step_of(one) for one in listed.suggestions]


def step_of(one: Suggestion) -> NextStep:
    """A suggestion as a reply carries it."""
    item = one.item
    return NextStep(item_id=item.id, title=item.title, url=item.url, explanation=one.explanation, match=one.match)


def as_text(steps: list[NextStep]) -> str:
    """For the model, and for the extractive one's answer."""
    lines = (f"- {linked(step.title, step.url)}: {step.explanation}" for step in steps)
    return "\n".join(lines)
