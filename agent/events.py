"""The one union of events that every doorway renders, and the values they carry.

A turn yields: TurnStarted, then ToolStarted/ToolFinished pairs, SourcesFound, Token …, any Notice, ProfileUpdated where
something was learned, and last exactly one of Replied or Failed. All are plain JSON when dumped; the same objects are
the server-sent events of the HTTP API.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from tools.next_steps import NextStep
from tools.receipts import Learnt, Used
from tools.sources import Source

__all__ = [
    "WENT_WRONG",
    "Event",
    "Failed",
    "Learnt",
    "NextStep",
    "Notice",
    "NoticeCode",
    "ProfileUpdated",
    "Replied",
    "Reply",
    "Source",
    "SourcesFound",
    "Token",
    "ToolFinished",
    "ToolStarted",
    "TurnStarted",
    "Used",
]


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True)


class Reply(_Value):
    """What a finished turn gives back. `sources` are those that the answer cites, or the nearest when it has none."""

    answer: str
    sources: list[Source]
    conversation_id: str
    message_id: str
    answered: bool
    confidence: float = Field(ge=0, le=1, description="Calibrated probability that the documents answer the question")
    model: str
    cut: bool = Field(default=False, description="The answer stops early: a model failed, or a stop")
    notices: list[str] = []
    follow_ups: list[str] = []
    next_steps: list[NextStep] = Field(default=[], description="At most two things worth reading next, often none")
    receipt: list[Used] = Field(default=[], description="What of the profile was used, and what it changed")
    duration_ms: float = 0
    input_tokens: int = Field(default=0, description="As the model's server counts them; 0 when it does not")
    output_tokens: int = 0


class TurnStarted(_Value):
    type: Literal["turn_started"] = "turn_started"
    conversation_id: str
    message_id: str


class ToolStarted(_Value):
    type: Literal["tool_started"] = "tool_started"
    call_id: str
    tool: str
    title: str = Field(description="What the tool does, for people: 'Searching the documents'")
    arguments: dict[str, object]


class ToolFinished(_Value):
    type: Literal["tool_finished"] = "tool_finished"
    call_id: str
    tool: str
    title: str
    summary: str = Field(description="What came out, for people: '6 passages from 3 articles'")
    ok: bool
    duration_ms: float


class SourcesFound(_Value):
    """Everything retrieved so far in this turn, so that markers can be linked while the answer is still streaming."""

    type: Literal["sources"] = "sources"
    sources: list[Source]


class Token(_Value):
    type: Literal["token"] = "token"
    text: str


NoticeCode = Literal["model_unavailable", "model_cut", "stopped", "failed", "tool_limit"]


class Notice(_Value):
    """Something the reader should know about this answer: that another model answered, or that it was cut short."""

    type: Literal["notice"] = "notice"
    code: NoticeCode
    text: str


class ProfileUpdated(_Value):
    """What the turn taught about its user, as it stands in the profile from now on."""

    type: Literal["profile_updated"] = "profile_updated"
    learned: list[Learnt]


class Replied(_Value):
    type: Literal["reply"] = "reply"
    reply: Reply


class Failed(_Value):
    type: Literal["error"] = "error"
    code: str
    message: str
    retryable: bool = False


WENT_WRONG = Failed(code="internal", message="Something went wrong on our side; please try again.", retryable=True)
"""What every doorway tells where a turn broke for a reason that is only fit for the log."""

Event = Annotated[
    TurnStarted | ToolStarted | ToolFinished | SourcesFound | Token | Notice | ProfileUpdated | Replied | Failed,
    Field(discriminator="type"),
]
