"""What the "For you" tab asks of the recommender, and tells it."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import gradio as gr

from agent.assistant import Assistant
from tools.profile.errors import ProfileInputInvalid
from tools.profile.model import Interaction, InteractionType
from tools.recommender.service import Recommender
from tools.recommender.suggestion import SuggestionList
from ui.gradio_app.for_you import PER_STAR, STARS, Chosen, Row, for_you_html
from ui.gradio_app.sent import number_of, text_of

PLACE = "for_you"
ROWS, PER_ROW = 6, 8
REMEMBERED = 500  # newest interactions among which what was saved and rated is looked for
REST = "More from the catalogue"
AFTER_PERSONAL = {"popular": 1, "trending": 1, "new": 1, "catalogue": 2}
"""Kinds of reasons that say nothing of the reader, and where their rows come."""
KINDS: dict[str, InteractionType] = {"opened": "click", "save": "save", "unsave": "unsave", "dismiss": "dismiss"}
SAID = {"save": "Saved.", "unsave": "No longer saved.", "dismiss": "It will not be suggested again.", "rate": "Rated."}


class Suggestions:
    """For all readers; remembers nothing."""

    def __init__(self, assistant: Callable[[], Assistant]) -> None:
        self._assistant = assistant

    async def html(self, user_id: str) -> str:
        """The rows for this reader, logged as shown where that may be kept."""
        recommender = self._assistant().recommender
        rows = in_order(await recommender.carousels(user_id, count=PER_ROW))[:ROWS]
        await _log(recommender, rows)
        return for_you_html(rows, await self._chosen(user_id))

    async def act(self, user_id: str, event: gr.EventData) -> str:
        """Something was done to an item; what it was, in words. Raises ProfileInputInvalid."""
        do = text_of(event, "kind")
        await self._assistant().recommender.act(user_id, [_interaction(do, event)])
        return SAID.get(do, "")

    async def _chosen(self, user_id: str) -> Chosen:
        saved: dict[str, bool] = {}
        ratings: dict[str, float] = {}
        for _, one in await self._assistant().profiles.interactions(user_id, limit=REMEMBERED):
            if one.item_id is not None and one.type in ("save", "unsave"):
                saved.setdefault(one.item_id, one.type == "save")
            if one.item_id is not None and one.rating is not None:
                ratings.setdefault(one.item_id, one.rating)
        return Chosen(frozenset(item for item, kept in saved.items() if kept), ratings)


def in_order(rows: Sequence[Row]) -> list[Row]:
    """Rows whose reason is the reader's own first, those without a reason last, under a name of their own."""
    named = [(REST if _kind(listed) == "catalogue" else reason, listed) for reason, listed in rows]
    return sorted(named, key=lambda row: AFTER_PERSONAL.get(_kind(row[1]), 0))


def _kind(listed: SuggestionList) -> str:
    return listed.suggestions[0].reasons[0].kind


async def _log(recommender: Recommender, rows: Sequence[Row]) -> None:
    """What is on the page now, as one list."""
    if not rows or not rows[0][1].personalization.logged:
        return
    shown = [one for _, listed in rows for one in listed.suggestions]
    placed = tuple(replace(one, position=position) for position, one in enumerate(shown, 1))
    await recommender.shown.add(replace(rows[0][1], suggestions=placed), PLACE)


def _interaction(do: str, event: gr.EventData) -> Interaction:
    item = text_of(event, "item")
    if do == "rate":
        stars = number_of(event, "stars")
        if stars is None or not 1 <= stars <= STARS:
            raise ProfileInputInvalid("rating", f"Choose 1 to {STARS} stars.")
        return Interaction("rate", item, PER_STAR * stars)
    if do not in KINDS:
        raise ProfileInputInvalid("type", "This cannot be done to a suggestion.")
    return Interaction(KINDS[do], item)
