"""Buttons under an answer. All they need is in their own ids, so that they work after a restart, too."""

import re
from collections.abc import Sequence
from typing import Any, Protocol, cast

import discord
from discord.ui import Button, DynamicItem, View

from agent.events import Used

LABELS = {"up": "Helpful", "down": "Not helpful"}
SIGNS = {"up": "👍", "down": "👎"}


ID_CHARS = 100  # Discord's limit
LABEL_CHARS = 80
SHOWN_USED = 3


class Pressed(Protocol):
    """The bot, as a pressed button needs it."""

    async def rated(self, interaction: discord.Interaction[Any], message_id: str, rating: int) -> None:
        """Keep the rating, and tell the reader."""

    async def not_this(self, interaction: discord.Interaction[Any], facet: str, value: str) -> None:
        """Stop using this, and tell the reader."""


class RateButton(DynamicItem[Button[View]], template=r"attune:rate:(?P<rating>up|down):(?P<message>[\w-]{1,64})"):
    """One of the two buttons."""

    def __init__(self, message_id: str, rating: str) -> None:
        super().__init__(
            Button(
                label=LABELS[rating],
                emoji=SIGNS[rating],
                style=discord.ButtonStyle.secondary,
                custom_id=f"attune:rate:{rating}:{message_id}",
            )
        )
        self._message_id = message_id
        self._rating = rating

    @classmethod
    async def from_custom_id(
        cls, _interaction: discord.Interaction[Any], _item: Any, match: re.Match[str], /
    ) -> "RateButton":
        return cls(match["message"], match["rating"])

    async def callback(self, interaction: discord.Interaction[Any]) -> None:
        """Pressed."""
        bot = cast(Pressed, interaction.client)
        await bot.rated(interaction, self._message_id, 1 if self._rating == "up" else -1)


class NotThisButton(DynamicItem[Button[View]], template=r"attune:not:(?P<facet>[^:]+):(?P<value>.+)"):
    """Under a private answer: be rid of an entry of the profile that it used."""

    def __init__(self, facet: str, value: str) -> None:
        super().__init__(
            Button(
                label=f"Not this: {value}"[:LABEL_CHARS],
                style=discord.ButtonStyle.secondary,
                custom_id=_not_this_id(facet, value),
            )
        )
        self._facet = facet
        self._value = value

    @classmethod
    async def from_custom_id(
        cls, _interaction: discord.Interaction[Any], _item: Any, match: re.Match[str], /
    ) -> "NotThisButton":
        return cls(match["facet"], match["value"])

    async def callback(self, interaction: discord.Interaction[Any]) -> None:
        """Pressed."""
        await cast(Pressed, interaction.client).not_this(interaction, self._facet, self._value)


def _not_this_id(facet: str, value: str) -> str:
    return f"attune:not:{facet}:{value}"


def feedback(message_id: str, used: Sequence[Used] = ()) -> View:
    """Both buttons, and one for each entry of the profile that was used, as far as its name fits into a button's id.

    The view counts as finished, so that the library does not keep one for each answer ever given.
    """
    view = View(timeout=None)
    for rating in LABELS:
        view.add_item(RateButton(message_id, rating))
    for one in used[:SHOWN_USED]:
        if ":" not in one.facet and len(_not_this_id(one.facet, one.value)) <= ID_CHARS:
            view.add_item(NotThisButton(one.facet, one.value))
    view.stop()
    return view
