"""An account on a doorway, and the user id that it has as long as it is linked to no other."""

from dataclasses import dataclass
from typing import Literal

Doorway = Literal["web", "slack", "discord"]

NAMED = ("slack", "discord")
"""Doorways whose user ids begin with their name. Ids of the web and the API come from an identity provider and stay
as they are, unless one pretends to be of such a doorway."""


def is_of_chat(user_id: str) -> bool:
    """Whether this is the id of a chat account: nobody may sign in to the API as one."""
    return user_id.startswith(tuple(f"{name}:" for name in NAMED))


@dataclass(frozen=True, slots=True)
class Account:
    """`name` is what the doorway calls the user: 'T1:U1' in Slack, a number in Discord, the verified subject else."""

    doorway: Doorway
    name: str

    @property
    def user_id(self) -> str:
        """The id of this account alone, whatever it is linked to."""
        if self.doorway in NAMED:
            return f"{self.doorway}:{self.name}"
        return f"web:{self.name}" if is_of_chat(self.name) or self.name.startswith("web:") else self.name

    @classmethod
    def of(cls, user_id: str) -> "Account":
        """The account that has this id."""
        doorway, colon, name = user_id.partition(":")
        if colon and doorway == "slack":
            return cls("slack", name)
        if colon and doorway == "discord":
            return cls("discord", name)
        return cls("web", name if colon and doorway == "web" else user_id)
