"""The receipt of a reply: which entry of the profile, or which prediction, changed what, and how to undo it."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class Used(BaseModel):
    """One line of a receipt. `kind`, `facet` and `value` name the entry for "not this"."""

    model_config = ConfigDict(frozen=True)

    kind: Literal["preference", "fact", "prediction"]
    facet: str = Field(description="The preference's facet, the fact's slot, or the head that predicted")
    value: str
    entry: str = Field(description="What was used, for people: 'You often ask about payments'")
    effect: str = Field(description="What it changed, for people: 'An equally good passage about it comes first'")


class Learnt(BaseModel):
    """One thing that a turn added to the profile, and the user's own words that it rests on."""

    model_config = ConfigDict(frozen=True)

    kind: Literal["preference", "tag", "fact"]
    facet: str
    value: str
    quote: str
    weight: float = Field(default=1.0, ge=-1, le=1, description="Below 0 the user said that they don't care for it")
