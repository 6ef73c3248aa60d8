"""What a tool may know of the turn it runs in, and that the model can neither see nor choose."""

import asyncio
import time
from asyncio import Future
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray

from knowledge_base.passage import Utterance
from tools.foresight import Foresight
from tools.personal import Known
from tools.profile.model import FactTold, Profile
from tools.receipts import Learnt, Used
from tools.sources import SourceRegister

ReadProfile = Callable[[str], Awaitable[Profile]]


def new_id() -> str:
    """An id that cannot be guessed: 128 random bits, in hexadecimal."""
    return uuid4().hex


@dataclass(slots=True)
class TurnContext:
    """One turn's identity and what it gathers; made by the assistant, injected into nodes and tools.

    `user_id` is the verified identity: tools that touch user data take it from here, never from their arguments.
    `said` is what the reader has been shown, `started` a `time.perf_counter()` value, in seconds.
    `last_message_id` is the newest exchange that the transcript holds; `history` is what a stateless caller remembers.
    `account` is who spoke, where links between accounts made `user_id` of it.
    `personal` says whether the reply may use the user's profile, `learning` whether the turn may add to it; `used` is
    the receipt, `remembered` what the model was told to keep, `vector` the embedding of the question alone.
    `asks` says that the message is more than small talk or a complaint; `before` maps each question that is looked up
    for it to what was said before that question.
    """

    user_id: str = "local"
    conversation_id: str = field(default_factory=new_id)
    message_id: str = field(default_factory=new_id)
    channel: str = "api"
    question: str = ""
    asks: bool = True
    before: dict[str, tuple[Utterance, ...]] = field(default_factory=dict)
    last_message_id: str | None = None
    history: tuple[Utterance, ...] = ()
    account: str = ""
    personal: bool = True
    learning: bool = True
    sources: SourceRegister = field(default_factory=SourceRegister)
    said: list[str] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)
    used: list[Used] = field(default_factory=list)
    remembered: list[FactTold] = field(default_factory=list)
    vector: NDArray[np.float32] | None = None
    foresight: Foresight | None = None
    model: str = ""
    storing: Future[list[Learnt]] | None = None
    cut: bool = False
    started: float = field(default_factory=time.perf_counter)

    _reading: Future[Profile] | None = None

    async def knowing(self, read: ReadProfile) -> Known | None:
        """The user's profile, read once for everyone in this turn who asks; None when the reply shall not use it.

        Raises what `read` raises.
        """
        return Known(await asyncio.shield(self._read(read))) if self.personal else None

    async def known_or_none(self, read: ReadProfile) -> Known | None:
        """The same for those who can do without it: None too when it cannot be read, which `knowing` reports."""
        if not self.personal:
            return None
        reading = self._read(read)
        await asyncio.wait([reading])
        return None if reading.exception() else Known(reading.result())

    @property
    def known(self) -> Known | None:
        """The profile as far as this turn has read it."""
        if self._reading is None or not self._reading.done() or self._reading.exception():
            return None
        return Known(self._reading.result())

    def _read(self, read: ReadProfile) -> Future[Profile]:
        if self._reading is None:
            self._reading = asyncio.ensure_future(read(self.user_id))
        return self._reading

    @property
    def answer(self) -> str:
        """What the reader has been shown so far."""
        return "".join(self.said).strip()
