"""What the profile panel's buttons do. Each gives back the whole panel, so that no change can be lost on the way."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import timedelta
from typing import NotRequired, TypedDict

import gradio as gr

from agent.assistant import Assistant
from agent.errors import ConversationNotFound
from knowledge_base.errors import AttuneError
from tools.profile.errors import ProfileInputInvalid
from tools.profile.model import SLOTS, Evidence, Muted, Profile, key_of
from tools.recommender.model import Item
from ui.gradio_app.patches import revision
from ui.gradio_app.profile_panel import Panel, Why, done, forgotten_html, key, muted_keys, panel_parts
from ui.gradio_app.sent import number_of, pairs_of, text_of, user_of
from ui.gradio_app.suggestions import Suggestions

LISTED = 100  # conversations among which the open one is looked for
REMEMBERED = 500  # newest actions that are told in words


class PanelState(TypedDict):
    """What the panel shows. static/panel.js puts it in place; receipts in the transcript follow `muted`."""

    revision: int
    parts: dict[str, str]
    muted: list[tuple[str, str]]
    said: str
    for_you: NotRequired[str]
    complaint: NotRequired[str]
    taken_back: NotRequired[str]  # the message whose lessons were undone
    export: NotRequired[str]  # as JSON; the browser makes a file of it
    forgotten: NotRequired[str]


class PanelHandlers:
    """One for the page; remembers nothing."""

    def __init__(self, assistant: Callable[[], Assistant]) -> None:
        self._assistant = assistant
        self._suggestions = Suggestions(assistant)
        self._actions: dict[str, Callable[[str, gr.EventData], Awaitable[str]]] = {
            "undo": self._undo,
            "unlearn": self._unlearn,
            "mute": self._mute,
            "unmute": self._unmute,
            "add_tag": self._add_tag,
            "remove_tag": self._remove_tag,
            "learning": self._set_learning,
            "learning_here": self._set_learning_here,
            "reset": self._reset,
            "item": self._suggestions.act,
        }

    async def act(
        self, conversation_id: str | None, utc_offset: float, event: gr.EventData, request: gr.Request
    ) -> PanelState:
        """A button of the panel or of a receipt was pressed, or the panel is to be shown as it is now."""
        user, do, said, complaint = user_of(request), text_of(event, "do"), "", ""
        try:
            if do in self._actions:
                said = await self._actions[do](user, event)
        except (ProfileInputInvalid, ConversationNotFound) as error:
            complaint = str(error)
        state = await self.state(user, conversation_id or None, utc_offset, pairs_of(event, "open"))
        if said:
            state["said"] = said
        if complaint:
            state["complaint"] = complaint
        if do == "unlearn":
            state["taken_back"] = text_of(event, "id")
        if do == "for_you":
            state["for_you"] = await self._suggestions.html(user)
        if do == "export":
            held = await self._assistant().profiles.export(user)
            state["export"] = await asyncio.to_thread(json.dumps, held, ensure_ascii=False, indent=2)
        return state

    async def state(
        self,
        user_id: str,
        conversation_id: str | None = None,
        utc_offset: float = 0,
        lines: Sequence[tuple[str, str]] = (),
    ) -> PanelState:
        """The panel as it is now, with the evidence of these open lines (facet and value)."""
        try:
            profile = await self._assistant().profiles.read(user_id)
            why = await self._why(user_id, lines) if lines else {}
            did = await self._did(user_id, why) if why else {}
            learns = await self._learns(user_id, conversation_id)
        except (AttuneError, RuntimeError) as error:
            raise gr.Error("The profile cannot be read right now.", print_exception=False) from error
        return _state(Panel(profile, learns, why, did, timedelta(minutes=utc_offset)))

    async def forget(self, user_id: str) -> PanelState:
        """Everything about the reader was asked to be removed, and the reader has confirmed it."""
        forgotten = await self._assistant().forget(user_id)
        state = _state(Panel(Profile(user_id)))
        state["said"] = "Everything about you was removed."
        state["forgotten"] = forgotten_html(forgotten)
        return state

    async def _why(self, user_id: str, lines: Sequence[tuple[str, str]]) -> Why:
        profiles = self._assistant().profiles
        found: dict[tuple[str, str], list[Evidence]] = {}
        for facet, value in lines:
            value_or_any = None if facet in SLOTS else value
            found[key(facet, value)] = await profiles.evidence(user_id, facet=facet, value=value_or_any, limit=100)
        return found

    async def _did(self, user_id: str, why: Why) -> dict[int, str]:
        """What the reader did that these lines rest on, in words."""
        wanted = {one.interaction_id for found in why.values() for one in found if one.source == "activity"}
        if not wanted:
            return {}
        newest = await self._assistant().profiles.interactions(user_id, limit=REMEMBERED)
        acts = {id: one for id, one in newest if id in wanted and one.item_id is not None}
        items = await self._assistant().recommender.catalogue.get([one.item_id or "" for one in acts.values()])
        return {id: done(one, _title(items, one.item_id or "")) for id, one in acts.items()}

    async def _learns(self, user_id: str, conversation_id: str | None) -> bool:
        if conversation_id is None:
            return True
        listed = await self._assistant().conversations(user_id, limit=LISTED)
        return next((one.learning for one in listed if one.id == conversation_id), True)

    # What the buttons do: each says in a sentence what was done, and raises ProfileInputInvalid

    async def _undo(self, user_id: str, event: gr.EventData) -> str:
        number = number_of(event, "id")
        undone = await self._assistant().profiles.undo(user_id, number) if number is not None else None
        return f"Undone: it no longer speaks for {undone.value}." if undone else "It was undone already."

    async def _unlearn(self, user_id: str, event: gr.EventData) -> str:
        profiles, message = self._assistant().profiles, text_of(event, "id")
        for one in await profiles.taught(user_id, [message]):
            await profiles.undo(user_id, one.id)
        return "What was noted is taken back."

    async def _mute(self, user_id: str, event: gr.EventData) -> str:
        muted: Muted = await self._assistant().profiles.mute(user_id, text_of(event, "facet"), text_of(event, "value"))
        return f"{muted.value} is muted: neither learned nor used."

    async def _unmute(self, user_id: str, event: gr.EventData) -> str:
        await self._assistant().profiles.unmute(user_id, text_of(event, "facet"), text_of(event, "value"))
        return f"{text_of(event, 'value')} is allowed again."

    async def _add_tag(self, user_id: str, event: gr.EventData) -> str:
        if not key_of(text_of(event, "tag")):
            raise ProfileInputInvalid("tag", "Write a word or two for the tag.")
        tags = await self._assistant().profiles.add_tags(user_id, [text_of(event, "tag")])
        return f"Tagged: {', '.join(one.name for one in tags)}."

    async def _remove_tag(self, user_id: str, event: gr.EventData) -> str:
        number = number_of(event, "id")
        if number is not None:
            await self._assistant().profiles.remove_tags(user_id, [number])
        return "The tag is removed."

    async def _set_learning(self, user_id: str, event: gr.EventData) -> str:
        on = text_of(event, "on") == "yes"
        await self._assistant().profiles.set_learning(user_id, on)
        return "Learning is on." if on else "Learning is off: nothing more is noted about you."

    async def _set_learning_here(self, user_id: str, event: gr.EventData) -> str:
        on = text_of(event, "on") == "yes"
        await self._assistant().set_learning(user_id, text_of(event, "conversation"), on)
        return f"Learning from this conversation is {'on' if on else 'off'}."

    async def _reset(self, user_id: str, _: gr.EventData) -> str:
        removed = await self._assistant().profiles.reset(user_id)
        return f"The profile begins anew: {sum(removed.values()):,} entries were removed."


def _state(panel: Panel) -> PanelState:
    return PanelState(revision=revision(), parts=panel_parts(panel), muted=muted_keys(panel.profile.muted), said="")


def _title(items: Mapping[str, Item], item_id: str) -> str:
    """What an item is called; one that is gone has only its id."""
    return items[item_id].title if item_id in items else item_id
