"""The Discord doorway: /ask, mentions and direct messages in, turns of the assistant, answers in threads.

Without the privileged message content intent Discord shows a bot only messages that mention it and direct messages,
which is all that is needed; only follow-ups without a mention, which an operator may want, ask for more.
"""

import asyncio
import logging
import re
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack, aclosing, suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

import discord
from discord import app_commands
from discord.abc import Messageable
from discord.ui import View
from discord.utils import MISSING

from agent.assistant import Assistant
from agent.errors import ConversationNotFound, TurnRejected
from agent.events import WENT_WRONG, Event, Failed, Replied, Reply, Token, ToolStarted
from tools.background import Background
from tools.doorways.deliveries import DeliveryStore
from tools.identities.accounts import Account
from tools.pool import DatabaseBusy
from ui.bot_words import IN_PRIVATE, NOT_USED, NOT_YOURS, NOTHING_ASKED, THANKS
from ui.discord_bot.answer import NOBODY, DiscordAnswer, Send
from ui.discord_bot.feedback import NotThisButton, RateButton, feedback
from ui.harmless import neutral
from ui.linking import Linking
from ui.threads import Asked, Threads, asked_privately

log = logging.getLogger(__name__)

THREAD_NAME_CHARS = 90
WRITTEN = {discord.MessageType.default, discord.MessageType.reply}
NO_DIRECT_MESSAGES = "I may not write to you directly; use `/ask` with `privately` instead."
PRIVATE_ONLY = "Accounts are linked in private: use `/link`, or write to me directly."
STOPPED = "*This answer was stopped: I was shut down.*"


@dataclass(frozen=True, slots=True)
class Place:
    """Where an answer goes: the key of its conversation, how to send there, where to show that we type."""

    thread: str
    public: bool
    send: Send
    typing: Messageable | None = None


class DiscordBot(discord.Client):
    """A client with slash commands. `follow_ups` answers in the bot's threads without a mention (privileged intent)."""

    def __init__(
        self,
        assistant: Assistant,
        *,
        threads: Threads,
        deliveries: DeliveryStore,
        linking: Linking,
        follow_ups: bool = False,
        **options: Any,
    ) -> None:
        discord.VoiceClient.warn_nacl = discord.VoiceClient.warn_dave = False  # nothing here speaks
        intents = discord.Intents(guilds=True, guild_messages=True, dm_messages=True, message_content=follow_ups)
        super().__init__(intents=intents, allowed_mentions=NOBODY, **options)
        self._assistant = assistant
        self._threads = threads
        self._deliveries = deliveries
        self._linking = linking
        self._follow_ups = follow_ups
        self._answering = Background()
        self.tree = app_commands.CommandTree(self)
        self._add_commands()

    def _add_commands(self) -> None:
        @self.tree.command(description="Ask a question about the documents")
        @app_commands.describe(question="What you want to know", privately="Only you see the answer")
        async def ask(interaction: discord.Interaction["DiscordBot"], question: str, privately: bool = False) -> None:
            await self._run(interaction.id, partial(self._on_ask, interaction, question, privately=privately))

        @self.tree.command(description="Link this account with another one of yours")
        @app_commands.describe(code="The code that your other account was given; leave it out to get one")
        async def link(interaction: discord.Interaction["DiscordBot"], code: str | None = None) -> None:
            await self._on_linking(interaction, f"link {code.strip()}" if code else "link")

        @self.tree.command(description="Show the accounts that are linked with this one")
        async def links(interaction: discord.Interaction["DiscordBot"]) -> None:
            await self._on_linking(interaction, "links")

        @self.tree.command(description="Take a linked account apart again")
        @app_commands.describe(number="As /links shows it")
        async def unlink(interaction: discord.Interaction["DiscordBot"], number: int) -> None:
            await self._on_linking(interaction, f"unlink {number}")

    async def setup_hook(self) -> None:
        """Before the connection: buttons of earlier answers work, and Discord learns the commands."""
        self.add_dynamic_items(RateButton, NotThisButton)
        await self.tree.sync()

    async def aclose(self, patience: float = 10) -> None:
        """Let running answers end, for at most `patience` seconds; then stop them, and leave."""
        await self._answering.aclose(patience)
        await self.close()

    # -- what Discord tells us

    async def on_message(self, message: discord.Message) -> None:
        """Somebody wrote where the bot can read."""
        if message.author.bot or message.webhook_id or message.type not in WRITTEN or self.user is None:
            return
        if message.guild is None or self.user in message.mentions or await self._is_follow_up(message):
            await self._run(message.id, partial(self._reply_to, message, told(message, self.user.id)))

    async def _is_follow_up(self, message: discord.Message) -> bool:
        if not self._follow_ups or not isinstance(message.channel, discord.Thread) or message.mentions:
            return False
        return bool(message.content) and await self._threads.known(_key(message.channel.id))

    async def rated(self, interaction: discord.Interaction[Any], message_id: str, rating: int) -> None:
        """A button under an answer was pressed."""
        try:
            await self._threads.rate(_account(interaction.user), message_id, rating)
            said = THANKS
        except ConversationNotFound:
            said = NOT_YOURS
        await interaction.response.send_message(said, ephemeral=True)

    async def not_this(self, interaction: discord.Interaction[Any], facet: str, value: str) -> None:
        """A button under a private answer was pressed."""
        await self._threads.not_this(_account(interaction.user), facet, value)
        await interaction.response.send_message(NOT_USED, ephemeral=True)

    async def _on_linking(self, interaction: discord.Interaction[Any], command: str) -> None:
        await interaction.response.defer(ephemeral=True, thinking=True)
        if self._linking.understands(command):
            said = await self._linking.answer(_account(interaction.user), command)
        else:
            said = "Expected a code like `BCDF-2345`."
        await interaction.followup.send(said, ephemeral=True)

    async def _on_ask(self, interaction: discord.Interaction[Any], question: str, *, privately: bool) -> bool:
        await interaction.response.defer(ephemeral=privately, thinking=True)
        return await self._answer(
            _account(interaction.user), question, await self._place_of(interaction, question, privately=privately)
        )

    async def _place_of(self, interaction: discord.Interaction[Any], question: str, *, privately: bool) -> Place:
        """Where /ask is answered: in private only below the command, in a channel in a new thread, else right there."""
        send = partial(_follow_up, interaction, ephemeral=privately)
        channel = interaction.channel
        if privately or isinstance(channel, discord.DMChannel):
            place = channel.id if isinstance(channel, discord.DMChannel) else interaction.id
            return Place(_key(place), public=False, send=send)
        if isinstance(channel, discord.TextChannel):
            asked = await send(_quoted(question), None)
            if (thread := await _thread_below(channel.get_partial_message(asked.id), question)) is not None:
                return _in(thread, public=True)
        return Place(_key(_thread_id(channel) or interaction.id), public=True, send=send)

    # -- answering

    async def _run(self, event_id: int, serve: Callable[[], Awaitable[bool]]) -> None:
        """Do the work of an event once; its failure is logged."""
        key = f"discord:{event_id}"
        await asyncio.wait({self._answering.keep(self._deliveries.serve_once(key, serve), f"answering {key}")})

    async def _reply_to(self, message: discord.Message, text: str) -> bool:
        public = message.guild is not None
        if not text:
            return await _say(message, NOTHING_ASKED)
        if self._linking.understands(text):
            private = None if public else await self._linking.answer(_account(message.author), text)
            return await _say(message, private or PRIVATE_ONLY)
        if public and (question := asked_privately(text)) is not None:
            return await self._answer_privately(message, question)
        return await self._answer(_account(message.author), text, await self._place_for(message, text))

    async def _place_for(self, message: discord.Message, text: str) -> Place:
        if message.guild is None or isinstance(message.channel, discord.Thread):
            return _in(message.channel, public=message.guild is not None)
        if (thread := await _thread_below(message, text)) is not None:
            return _in(thread, public=True)
        return Place(_key(message.id), public=True, send=partial(_reply, message), typing=message.channel)

    async def _answer_privately(self, message: discord.Message, question: str) -> bool:
        """Answer in a direct message, below the question."""
        if not question:
            return await _say(message, NOTHING_ASKED)
        try:
            channel = await message.author.create_dm()
            await _send_to(channel, _quoted(question), None)
        except discord.Forbidden:
            return await _say(message, NO_DIRECT_MESSAGES)
        await _say(message, IN_PRIVATE)
        return await self._answer(_account(message.author), question, _in(channel, public=False))

    async def _answer(self, account: Account, text: str, place: Place) -> bool:
        """Answer in this place; whether there is an answer."""
        answer = DiscordAnswer(place.send)
        try:
            async with AsyncExitStack() as stack:
                await _type_in(place, stack)
                asked = Asked(account, place.thread, text, place.public)
                events = await stack.enter_async_context(aclosing(self._threads.stream(asked)))
                return await _render(events, answer, public=place.public)
        except (TurnRejected, DatabaseBusy) as error:
            await answer.finish(str(error))
            return True
        except asyncio.CancelledError:
            await asyncio.shield(answer.break_off(STOPPED))
            raise
        except discord.HTTPException:
            raise
        except Exception:  # the boundary: the reader gets a sentence, the log the reason
            log.exception("a turn failed")
            await answer.finish(WENT_WRONG.message)
            return False


async def _render(events: AsyncGenerator[Event], answer: DiscordAnswer, *, public: bool) -> bool:
    async for event in events:
        match event:
            case ToolStarted(title=title):
                await answer.step(title)
            case Token(text=text):
                await answer.say(text)
            case Replied(reply=reply):
                await _finish(answer, reply, public=public)
                return True
            case Failed(message=message):
                await answer.finish(message)
                return False
            case _:
                pass
    await answer.finish(WENT_WRONG.message)
    return False


async def _finish(answer: DiscordAnswer, reply: Reply, *, public: bool) -> None:
    used = [] if public else reply.receipt
    words = "\n\n".join([reply.answer, *(f"*{notice}*" for notice in reply.notices)])
    await answer.finish(words, reply.sources, used, feedback(reply.message_id, used))


async def _type_in(place: Place, stack: AsyncExitStack) -> None:
    """Show that an answer is being written. It is a courtesy: where it is not allowed, there is none."""
    if place.typing is not None:
        with suppress(discord.HTTPException):
            await stack.enter_async_context(place.typing.typing())


def told(message: discord.Message, bot_id: int) -> str:
    """What a person wrote to the bot: its mention gone, other people by name."""
    text = re.sub(rf"[ \t]*<@!?{bot_id}>", "", message.content)
    for user in message.mentions:
        text = re.sub(rf"<@!?{user.id}>", f"@{user.display_name}".replace("\\", ""), text)
    return text.strip()


async def _thread_below(message: discord.Message | discord.PartialMessage, question: str) -> discord.Thread | None:
    """A thread for this question, or None where the bot may make none."""
    name = " ".join(question.split())
    name = name if len(name) <= THREAD_NAME_CHARS else name[: THREAD_NAME_CHARS - 1] + "…"
    try:
        return await message.create_thread(name=name)
    except (discord.HTTPException, ValueError) as error:
        log.info("no thread could be made", extra={"reason": str(error)})
        return None


def _in(channel: Messageable, *, public: bool) -> Place:
    """A thread or a direct message."""
    number: int = channel.id  # type: ignore[attr-defined]  # every channel that can be written to has one
    return Place(_key(number), public=public, send=partial(_send_to, channel), typing=channel)


def _key(number: int) -> str:
    """Of a conversation; Discord's ids are unique over all of Discord."""
    return f"discord:{number}"


def _thread_id(channel: object) -> int | None:
    return channel.id if isinstance(channel, discord.Thread) else None


def _account(user: discord.abc.User) -> Account:
    return Account("discord", str(user.id))


def _quoted(question: str) -> str:
    quoted = "\n".join(f"> {line}" for line in neutral(question).splitlines())
    return quoted if len(quoted) <= 1500 else quoted[:1500] + "…"


async def _send_to(channel: Messageable, content: str, view: View | None) -> discord.Message:
    return await channel.send(content, view=view or MISSING, suppress_embeds=True, allowed_mentions=NOBODY)


async def _reply(message: discord.Message, content: str, view: View | None) -> discord.Message:
    return await message.reply(content, view=view or MISSING, suppress_embeds=True, allowed_mentions=NOBODY)


async def _follow_up(
    interaction: discord.Interaction[Any], content: str, view: View | None, *, ephemeral: bool
) -> discord.Message:
    return await interaction.followup.send(
        content,
        view=view or MISSING,
        suppress_embeds=True,
        allowed_mentions=NOBODY,
        ephemeral=ephemeral,
        wait=True,
    )


async def _say(message: discord.Message, text: str) -> bool:
    await _reply(message, text, None)
    return True
