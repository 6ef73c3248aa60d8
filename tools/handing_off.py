"""Handing the running conversation over to a person: its transcript becomes the packet."""

import json
from collections.abc import Sequence

from tools.conversations import ConversationStore, StoredExchange
from tools.handoff.desk import Handoff, HandoffDesk, Ticket
from tools.handoff.packet import Said, packet
from tools.turn import TurnContext

EXCHANGES = 20


class HandingOff:
    """Makes packets of conversations and gives them to the desk."""

    def __init__(self, desk: HandoffDesk, conversations: ConversationStore) -> None:
        self._desk = desk
        self._conversations = conversations

    async def hand_off(self, context: TurnContext) -> Ticket:
        """Queue this turn's conversation for a person; the ticket holds an id only when the queue gave one."""
        earlier: Sequence[StoredExchange] = ()
        if context.last_message_id is not None:
            earlier = await self._conversations.transcript(context.conversation_id, last=EXCHANGES)
        about = packet(context.question, [_said(one) for one in earlier])
        return await self._desk.hand_off(Handoff(context.user_id, context.conversation_id, about, context.message_id))


def _said(one: StoredExchange) -> Said:
    reply = json.loads(one.reply)
    titles = [source["title"] for source in reply.get("sources", [])]
    return Said(one.question, reply.get("answer", ""), bool(reply.get("answered")), titles, one.rating)
