"""What administrators do on their page. Every handler asks first whether this reader is one."""

import logging
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial
from typing import NotRequired, TypedDict

import gradio as gr
from fastapi import Request

from agent.assistant import Assistant
from knowledge_base.errors import AttuneError
from tools.profile.errors import ProfileError, TaxonomyInvalid
from tools.profile.taxonomy import TaxonomyEntry
from ui.gradio_app.admin import NOT_FOR_YOU, report_html, taxonomy_html
from ui.gradio_app.patches import revision
from ui.gradio_app.sent import number_of, text_of, user_of

IsAdmin = Callable[[Request], Awaitable[bool]]

log = logging.getLogger(__name__)


class AdminState(TypedDict):
    """What the administrators' page shows."""

    revision: int
    allowed: bool
    entries: str
    report: NotRequired[str]
    said: NotRequired[str]
    complaint: NotRequired[str]
    saved: NotRequired[bool]  # the form can be closed


class AdminHandlers:
    """One for the page. `is_admin` None: whoever reaches this machine's page is an administrator."""

    def __init__(self, assistant: Callable[[], Assistant], is_admin: IsAdmin | None) -> None:
        self._assistant = assistant
        self._is_admin = is_admin
        self._actions: dict[str, Callable[[gr.EventData], Awaitable[str]]] = {
            "save": self._save,
            "activate": partial(self._set_active, active=True),
            "deactivate": partial(self._set_active, active=False),
        }

    async def allowed(self, request: gr.Request) -> bool:
        """Whether whoever sent this is an administrator."""
        user_of(request)
        if self._is_admin is None:
            return True
        return request.request is not None and await self._is_admin(request.request)

    async def act(self, event: gr.EventData, request: gr.Request) -> AdminState:
        """A button was pressed, words were looked for, or the page was opened."""
        if not await self.allowed(request):
            return AdminState(revision=revision(), allowed=False, entries=NOT_FOR_YOU)
        do, said, complaint = text_of(event, "do"), "", ""
        try:
            if do in self._actions:
                said = await self._actions[do](event)
                log.info("%s changed the taxonomy: %s", user_of(request), said)
        except TaxonomyInvalid as error:
            complaint = "; ".join(error.problems)
        except ProfileError as error:
            complaint = str(error)
        state = await self._state(text_of(event, "words"))
        if do == "show":
            state["report"] = await self._report()
        if complaint:
            state["complaint"] = complaint
        elif said:
            state["said"], state["saved"] = said, True
        return state

    async def _state(self, words: str) -> AdminState:
        entries = await self._assistant().taxonomy.entries(active_only=False)
        return AdminState(revision=revision(), allowed=True, entries=taxonomy_html(entries, words))

    async def _report(self) -> str:
        try:
            return report_html(await self._assistant().predictor.report())
        except AttuneError as error:
            log.error("the predictor's report cannot be made: %s", error)  # noqa: TRY400 (its message says all)
            return '<p class="none">The report cannot be made right now.</p>'

    async def _save(self, event: gr.EventData) -> str:
        entry, number = _entry(event), number_of(event, "id")
        taxonomy = self._assistant().taxonomy
        if number is None:
            await taxonomy.add(entry)
        else:
            before = next((one for one in await taxonomy.entries(active_only=False) if one.id == number), None)
            if before is None:
                return "This entry is no longer there."
            await taxonomy.edit(replace(entry, id=number, is_active=before.is_active))
        await self._assistant().follow_taxonomy()
        return f"{entry.name} is {'added' if number is None else 'saved'}."

    async def _set_active(self, event: gr.EventData, *, active: bool) -> str:
        number = number_of(event, "id")
        if number is None or not await self._assistant().taxonomy.set_active(number, active):
            return "This entry is no longer there."
        await self._assistant().follow_taxonomy()
        return "It is used again." if active else "It is not used any more: nobody is tagged with it from now on."


def _entry(event: gr.EventData) -> TaxonomyEntry:
    """The form's entry. Raises ProfileInputInvalid."""
    examples, parents, related = (
        tuple(filter(None, map(str.strip, text_of(event, name).splitlines())))
        for name in ("examples", "parents", "related")
    )
    return TaxonomyEntry(
        name=text_of(event, "name"),
        category=text_of(event, "category"),  # type: ignore[arg-type] # the entry checks it
        description=text_of(event, "description"),
        examples=examples,
        parents=parents,
        related=related,
    )
