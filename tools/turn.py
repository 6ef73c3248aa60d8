"""What a tool may know of the turn it runs in, and that the model can neither see nor choose."""

import time
from asyncio import Future
from dataclasses import dataclass, field
from uuid import uuid4

from knowledge_base.passage import Utterance
from tools.sources import SourceRegister


def new_id() -> str:
    """An id that cannot be guessed: 128 random bits, in hexadecimal."""
    return uuid4().hex


@dataclass(slots=True)
class TurnContext:
    """One turn's identity and what it gathers; made by the assistant, injected into nodes and tools.

    `user_id` is the verified identity: tools that touch user data take it from here, never from their arguments.
    `said` is what the reader has been shown, `started` a `time.perf_counter()` value, in seconds.
    `last_message_id` is the newest exchange that the transcript holds; `history` is what a stateless caller remembers.
    """

    user_id: str = "local"
    conversation_id: str = field(default_factory=new_id)
    message_id: str = field(default_factory=new_id)
    channel: str = "api"
    question: str = ""
    last_message_id: str | None = None
    history: tuple[Utterance, ...] = ()
    sources: SourceRegister = field(default_factory=SourceRegister)
    said: list[str] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)
    model: str = ""
    storing: Future[None] | None = None
    cut: bool = False
    started: float = field(default_factory=time.perf_counter)

    @property
    def answer(self) -> str:
        """What the reader has been shown so far."""
        return "".join(self.said).strip()
