"""The Slack doorway: events in, turns of the assistant, replies in threads.

Bolt acknowledges an event before a listener runs, so that Slack never waits for an answer. What is delivered twice is
served once (tools/doorways/deliveries.py).
"""

import asyncio
import json
import logging
import re
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass
from functools import partial
from typing import Any

from slack_bolt.async_app import AsyncAck, AsyncApp, AsyncBoltContext
from slack_bolt.context.say_stream.async_say_stream import AsyncSayStream
from slack_sdk.errors import SlackApiError
from slack_sdk.http_retry.builtin_async_handlers import AsyncRateLimitErrorRetryHandler
from slack_sdk.web.async_client import AsyncWebClient

from agent.assistant import Assistant
from agent.errors import ConversationNotFound, TurnRejected
from agent.events import WENT_WRONG, Event, Failed, Replied, Reply, SourcesFound, Token, ToolFinished, ToolStarted
from tools.background import Background
from tools.doorways.deliveries import DeliveryStore
from tools.identities.accounts import Account
from tools.pool import DatabaseBusy
from ui.bot_words import IN_PRIVATE, NOT_USED, NOT_YOURS, NOTHING_ASKED, THANKS
from ui.harmless import neutral
from ui.linking import Linking
from ui.slack_bot.answer import FAILURES, SlackAnswer
from ui.slack_bot.blocks import FEEDBACK, NOT_THIS, PRIVATELY, closing, task_finished, task_sources, task_started
from ui.slack_bot.markup import told
from ui.threads import Asked, Threads, asked_privately

log = logging.getLogger(__name__)

Body = dict[str, Any]

RETRIES_WHEN_LIMITED = 3
SPOKEN = {None, "file_share", "thread_broadcast"}  # subtypes of messages that a person has just written
PRIVATE_ONLY = "Accounts are linked in private: write that to me in a direct message."
STOPPED = "_This answer was stopped: I was shut down._"


@dataclass(frozen=True, slots=True)
class Message:
    """What somebody wrote, and where the reply goes."""

    account: Account
    team: str  # the workspace that the app is installed in
    user: str
    channel: str
    thread_ts: str
    text: str
    public: bool

    @property
    def thread(self) -> str:
        """The key of the conversation."""
        return f"slack:{self.team}:{self.channel}:{self.thread_ts}"


class SlackBot:
    """Listeners of one Bolt app. `client` talks to Slack; without `signing_secret` only socket mode is safe."""

    def __init__(
        self,
        client: AsyncWebClient,
        assistant: Assistant,
        *,
        threads: Threads,
        deliveries: DeliveryStore,
        linking: Linking,
        signing_secret: str = "",
    ) -> None:
        client.retry_handlers.append(AsyncRateLimitErrorRetryHandler(max_retry_count=RETRIES_WHEN_LIMITED))
        self._client = client
        self._assistant = assistant
        self._threads = threads
        self._deliveries = deliveries
        self._linking = linking
        self._running = Background()
        self.app = AsyncApp(client=client, signing_secret=signing_secret, name="attune")
        self._listen()

    def _listen(self) -> None:
        self.app.event("app_mention")(self._on_mention)
        self.app.event("message")(self._on_message)
        self.app.event("app_home_opened")(self._on_opened)
        self.app.action(FEEDBACK)(self._on_feedback)
        self.app.action(PRIVATELY)(self._on_privately)
        self.app.action(re.compile(f"{NOT_THIS}_\\d"))(self._on_not_this)

    async def aclose(self, patience: float = 10) -> None:
        """Let running answers end, for at most `patience` seconds; then stop them."""
        await self._running.aclose(patience)

    # -- what Slack tells us

    async def _on_opened(self, event: Body) -> None:
        """The messages tab was opened: suggest first questions."""
        if event.get("tab") == "messages":
            await self._suggest(event["channel"], await self._assistant.starters())

    async def _on_mention(self, body: Body, event: Body, context: AsyncBoltContext) -> None:
        if not _by_bot(event) and not event["channel"].startswith("D"):  # direct messages come as messages
            await self._serve(body, _message(event, context, public=True))

    async def _on_message(self, body: Body, event: Body, context: AsyncBoltContext) -> None:
        if _by_bot(event) or event.get("subtype") not in SPOKEN:
            return
        message = _message(event, context, public=event.get("channel_type") != "im")
        if not message.public or await self._follows_up(event, message):
            await self._serve(body, message)

    async def _follows_up(self, event: Body, message: Message) -> bool:
        """Whether a message in a channel is for us: in a thread that we have joined, and naming nobody."""
        names_somebody = "<@" in event.get("text", "")  # us: then it comes as a mention as well
        return bool(event.get("thread_ts")) and not names_somebody and await self._threads.known(message.thread)

    async def _on_feedback(self, ack: AsyncAck, body: Body, context: AsyncBoltContext) -> None:
        await ack()
        message_id, _, rating = str(body["actions"][0]["value"]).rpartition(":")
        try:
            await self._threads.rate(_presser(body, context), message_id, 1 if rating == "1" else -1)
            said = THANKS
        except ConversationNotFound:
            said = NOT_YOURS
        await self._whisper(body["channel"]["id"], body["user"]["id"], said, _thread_of(body))

    async def _on_not_this(self, ack: AsyncAck, body: Body, context: AsyncBoltContext) -> None:
        await ack()
        facet, value = json.loads(body["actions"][0]["value"])
        await self._threads.not_this(_presser(body, context), facet, value)
        await self._whisper(body["channel"]["id"], body["user"]["id"], NOT_USED, _thread_of(body))

    async def _on_privately(self, ack: AsyncAck, body: Body, context: AsyncBoltContext) -> None:
        await ack()
        user = body["user"]["id"]
        message = Message(
            account=_presser(body, context),
            team=context.team_id or "",
            user=user,
            channel=body["channel"]["id"],
            thread_ts=_thread_of(body) or "",
            text=str(body["actions"][0]["value"]),
            public=True,
        )
        key = f"slack:{body.get('trigger_id') or body['actions'][0].get('action_ts')}"
        await self._run(key, partial(self._answer_privately, message, message.text))

    # -- answering

    async def _serve(self, body: Body, message: Message) -> None:
        await self._run(f"slack:{body['event_id']}", partial(self._reply_to, message))

    async def _run(self, key: str, serve: Callable[[], Awaitable[bool]]) -> None:
        """Do the work of an event once; its failure is logged, and a retry may do it again."""
        await asyncio.wait({self._running.keep(self._deliveries.serve_once(key, serve), f"answering {key}")})

    async def _reply_to(self, message: Message) -> bool:
        if not message.text:
            return await self._say(message, NOTHING_ASKED)
        if (linking := await self._linked(message)) is not None:
            return linking
        if message.public and (question := asked_privately(message.text)) is not None:
            return await self._answer_privately(message, question)
        return await self._answer(message)

    async def _linked(self, message: Message) -> bool | None:
        """Handle a command about linked accounts; None when the message is none."""
        if not self._linking.understands(message.text):
            return None
        if message.public:
            return await self._whisper(message.channel, message.user, PRIVATE_ONLY, message.thread_ts)
        return await self._say(message, await self._linking.answer(message.account, message.text))

    async def _answer(self, message: Message) -> bool:
        """Stream the answer into the thread; whether there is one."""
        await self._set_status(message)
        say_stream = AsyncSayStream(
            client=self._client,
            channel=message.channel,
            recipient_team_id=message.account.name.partition(":")[0],
            recipient_user_id=message.user,
            thread_ts=message.thread_ts,
        )
        answer = SlackAnswer(self._client, say_stream, channel=message.channel, thread_ts=message.thread_ts)
        asked = Asked(message.account, message.thread, message.text, message.public)
        try:
            async with aclosing(self._threads.stream(asked)) as events:
                return await self._render(events, answer, message)
        except (TurnRejected, DatabaseBusy) as error:
            await answer.finish(str(error), [])
            return True
        except asyncio.CancelledError:
            await asyncio.shield(answer.break_off(STOPPED))
            raise
        except FAILURES:
            raise
        except Exception:  # the boundary: the reader gets a sentence, the log the reason
            log.exception("a turn failed")
            await answer.finish(WENT_WRONG.message, [])
            return False

    async def _render(self, events: AsyncGenerator[Event], answer: SlackAnswer, message: Message) -> bool:
        finished: ToolFinished | None = None
        async for event in events:
            match event:
                case ToolStarted():
                    await answer.show(task_started(event))
                case ToolFinished():
                    finished = event
                    await answer.show(task_finished(event))
                case SourcesFound(sources=sources):
                    answer.addresses = {source.number: source.url for source in sources if source.url}
                    if finished is not None and answer.addresses:
                        await answer.show(task_sources(finished, sources))
                case Token(text=text):
                    await answer.say(text)
                case Replied(reply=reply):
                    await self._finish(answer, reply, message)
                    return True
                case Failed(message=text):
                    await answer.finish(text, [])
                    return False
                case _:
                    pass
        await answer.finish(WENT_WRONG.message, [])
        return False

    async def _finish(self, answer: SlackAnswer, reply: Reply, message: Message) -> None:
        words = "\n\n".join([reply.answer, *(f"_{notice}_" for notice in reply.notices)])
        blocks = closing(reply, question=message.text, public=message.public)
        await answer.finish(words, blocks)
        if reply.follow_ups and not message.public:
            await self._suggest(message.channel, reply.follow_ups)

    async def _answer_privately(self, message: Message, question: str) -> bool:
        """Answer in a direct message, below the question; in the channel only the asker is told of it."""
        if not question:
            return await self._say(message, NOTHING_ASKED)
        opened = await self._client.conversations_open(users=[message.user])
        channel = opened["channel"]["id"]
        quoted = "\n".join(f"> {line}" for line in question.splitlines())
        root = await self._client.chat_postMessage(
            channel=channel, markdown_text=neutral(f"You asked:\n{quoted}"), unfurl_links=False, unfurl_media=False
        )
        await self._whisper(message.channel, message.user, IN_PRIVATE, message.thread_ts)
        private = Message(message.account, message.team, message.user, channel, root["ts"], question, public=False)
        return await self._answer(private)

    # -- small things to say; none of them may fail an answer

    async def _say(self, message: Message, text: str) -> bool:
        await self._client.chat_postMessage(
            channel=message.channel,
            thread_ts=message.thread_ts,
            markdown_text=neutral(text),
            unfurl_links=False,
            unfurl_media=False,
        )
        return True

    async def _whisper(self, channel: str, user: str, text: str, thread_ts: str | None) -> bool:
        """Say something that only this user sees."""
        try:
            await self._client.chat_postEphemeral(channel=channel, user=user, text=text, thread_ts=thread_ts)
        except FAILURES as error:
            log.info("a note could not be shown", extra={"reason": _reason(error)})
        return True

    async def _set_status(self, message: Message) -> None:
        try:
            await self._client.assistant_threads_setStatus(
                channel_id=message.channel, thread_ts=message.thread_ts, status="is looking it up…"
            )
        except FAILURES as error:
            log.info("a status could not be shown", extra={"reason": _reason(error)})

    async def _suggest(self, channel: str, questions: list[str]) -> None:
        """Show up to four questions over the composer. Without a thread: with one, agent apps show nothing."""
        prompts = [{"title": question[:75], "message": question} for question in questions[:4]]
        if not prompts:
            return
        try:
            await self._client.assistant_threads_setSuggestedPrompts(channel_id=channel, prompts=prompts)
        except FAILURES as error:
            log.info("suggestions could not be shown", extra={"reason": _reason(error)})


def _reason(error: Exception) -> str:
    return str(error.response.get("error")) if isinstance(error, SlackApiError) else type(error).__name__


def _by_bot(event: Body) -> bool:
    """Whether a program wrote this, we included."""
    return bool(event.get("bot_id") or event.get("bot_profile")) or event.get("user") in (None, "USLACKBOT")


def _message(event: Body, context: AsyncBoltContext, *, public: bool) -> Message:
    team = context.team_id or ""
    return Message(
        account=_account(event["user"], event.get("user_team") or event.get("team") or team),
        team=team,
        user=event["user"],
        channel=event["channel"],
        thread_ts=event.get("thread_ts") or event["ts"],
        text=told(event.get("text") or "", context.bot_user_id or ""),
        public=public,
    )


def _account(user: str, team: str | None) -> Account:
    """The sender's own workspace is part of the name: channels may be shared between companies."""
    return Account("slack", f"{team or ''}:{user}")


def _presser(body: Body, context: AsyncBoltContext) -> Account:
    """Who pressed a button."""
    return _account(body["user"]["id"], body["user"].get("team_id") or context.team_id)


def _thread_of(body: Body) -> str | None:
    container: Body = body.get("container", {})
    message: Body = body.get("message", {})
    thread_ts: str | None = container.get("thread_ts") or message.get("thread_ts") or container.get("message_ts")
    return thread_ts
