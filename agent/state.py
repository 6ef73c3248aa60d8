"""What a conversation carries from turn to turn. Bounded: turn 500 costs what turn 5 costs."""

from collections.abc import Sequence
from typing import Annotated, Any, TypedDict

from langchain_core.messages import AIMessage, AnyMessage, HumanMessage, RemoveMessage
from langgraph.graph.message import REMOVE_ALL_MESSAGES, add_messages

from knowledge_base.passage import Utterance
from tools.sources import Found

__all__ = ["ConversationState", "Found", "messages_of", "replaced", "utterances"]

CARRIED_CHARS = 4_000
"""The most of one message that later turns see; the transcript keeps all of it."""


class ConversationState(TypedDict, total=False):
    """`messages` holds the last few exchanges as plain text, and while a turn runs its tool calls and results too."""

    messages: Annotated[list[AnyMessage], add_messages]
    rounds: int
    last_message_id: str | None


def utterances(messages: Sequence[AnyMessage]) -> tuple[Utterance, ...]:
    """The conversation as the search needs it: who said what, without tool traffic."""
    said: list[Utterance] = []
    for message in messages:
        text = str(message.text)
        if isinstance(message, HumanMessage):
            said.append(Utterance("user", text))
        elif isinstance(message, AIMessage) and text:
            said.append(Utterance("assistant", text))
    return tuple(said)


def messages_of(history: Sequence[Utterance]) -> list[AnyMessage]:
    """The opposite of `utterances`, each text cut to what a state carries."""
    kinds = {"user": HumanMessage, "assistant": AIMessage}
    return [kinds[said.role](said.text[:CARRIED_CHARS]) for said in history]


def replaced(messages: Sequence[AnyMessage]) -> list[Any]:
    """An update that makes `messages` the whole of the conversation's messages."""
    return [RemoveMessage(REMOVE_ALL_MESSAGES), *messages]
