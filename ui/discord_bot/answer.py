"""One answer in Discord: a message that is edited about once a second, and as many more as its length asks for."""

import logging
import time
from collections.abc import Sequence
from typing import Protocol

from discord import AllowedMentions, HTTPException, Message, NotFound
from discord.ui import View

from agent.events import Source, Used
from ui.harmless import neutral, settled
from ui.splitting import split_message

log = logging.getLogger(__name__)

MESSAGE_CHARS = 2000
EDIT_SECONDS = 1.0
NOBODY = AllowedMentions.none()
EMPTY = "…"
SHOWN_SOURCES = 8
TITLE_CHARS = 150
RECEIPT_CHARS = 250


class Send(Protocol):
    """Sends a message to where the answer belongs."""

    async def __call__(self, content: str, view: View | None) -> Message:
        """The message that was sent."""


class DiscordAnswer:
    """Words, steps and the end of one reply. Nothing it does while the answer grows can fail the turn."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._messages: list[Message] = []
        self._shown: list[str] = []
        self._raw = ""
        self._edited_at = 0.0

    async def step(self, title: str) -> None:
        """Say what is being done, until there are words."""
        if not self._raw:
            await self._try_to_show([f"-# {neutral(title)}…"])

    async def say(self, text: str) -> None:
        """Add words; they are shown about once a second."""
        self._raw += text
        if time.monotonic() - self._edited_at >= EDIT_SECONDS:
            await self._try_to_show(split_message(neutral(settled(self._raw)), MESSAGE_CHARS))

    async def finish(
        self, text: str, sources: Sequence[Source] = (), used: Sequence[Used] = (), view: View | None = None
    ) -> None:
        """End the reply with `text` as its whole text, then the sources, what of the profile was used, and buttons.

        Raises:
            HTTPException: Discord does not take the reply.
        """
        parts = (neutral(text.strip()) or EMPTY, listed(sources), receipt(used))
        whole = "\n\n".join(part for part in parts if part)
        await self._show(split_message(whole, MESSAGE_CHARS), view)

    async def break_off(self, reason: str) -> None:
        """End the reply where it is, and say why."""
        try:
            await self.finish("\n\n".join([self._raw, reason]))
        except HTTPException as error:
            log.info("an answer could not be ended", extra={"status": error.status})

    async def _try_to_show(self, pieces: Sequence[str]) -> None:
        try:
            await self._show(pieces, None)
        except HTTPException as error:  # the end says it all again
            log.info("an answer could not be updated", extra={"status": error.status})
        self._edited_at = time.monotonic()

    async def _show(self, pieces: Sequence[str], view: View | None) -> None:
        for index, piece in enumerate(pieces):
            await self._show_one(index, piece, view if index == len(pieces) - 1 else None)
        while pieces and len(self._messages) > len(pieces):
            self._shown.pop()
            await self._messages.pop().delete()

    async def _show_one(self, index: int, piece: str, view: View | None) -> None:
        if index == len(self._messages):
            self._messages.append(await self._send(piece, view))
            self._shown.append(piece)
        elif self._shown[index] != piece or view is not None:
            self._messages[index] = await self._edited(self._messages[index], piece, view)
            self._shown[index] = piece

    async def _edited(self, message: Message, piece: str, view: View | None) -> Message:
        try:
            return await message.edit(content=piece, view=view, allowed_mentions=NOBODY)
        except NotFound:  # somebody deleted it meanwhile
            return await self._send(piece, view)


def listed(sources: Sequence[Source]) -> str:
    """The sources as small print. Addresses stand in angle brackets: nothing is unfurled."""
    return "\n".join(_line(source) for source in sources[:SHOWN_SOURCES])


def receipt(used: Sequence[Used]) -> str:
    """What of the profile was used, and for what, as small print."""
    lines = (f"-# {' '.join(neutral(f'{one.entry}: {one.effect}').split())}"[:RECEIPT_CHARS] for one in used)
    return "\n".join(["-# Personalised:", *lines]) if used else ""


def _line(source: Source) -> str:
    place = source.title if source.heading in ("", source.title) else f"{source.title} › {source.heading}"
    name = neutral(place.translate(str.maketrans("[]\n", "() ")))[:TITLE_CHARS]
    address = source.url or ""
    safe = address.startswith(("http://", "https://")) and not set(address) & set("<>() \n")
    return f"-# [{source.number}] [{name}](<{address}>)" if safe else f"-# [{source.number}] {name}"
