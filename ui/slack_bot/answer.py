"""One answer on its way into a Slack thread: streamed while Slack lets us, and whole in the end whatever happens.

A stream dies after some minutes or when it is idle. From then on nothing is sent until the answer is complete; then the
message that the stream began is updated to the full text. There is exactly one reply in each case.
"""

import logging
import time
from collections.abc import Sequence

import aiohttp
from slack_bolt.context.say_stream.async_say_stream import AsyncSayStream
from slack_sdk.errors import SlackApiError, SlackClientError
from slack_sdk.models.blocks import Block
from slack_sdk.models.messages.chunk import Chunk, MarkdownTextChunk
from slack_sdk.web.async_chat_stream import AsyncChatStream
from slack_sdk.web.async_client import AsyncWebClient

from ui.harmless import neutral, settled
from ui.slack_bot.blocks import markdown
from ui.splitting import split_message

log = logging.getLogger(__name__)

FAILURES = (SlackClientError, aiohttp.ClientError, TimeoutError)
FLUSH_CHARS = 256  # what Slack's own client buffers
FLUSH_SECONDS = 0.7
MESSAGE_CHARS = 11_500  # Slack takes 12,000
EMPTY = "…"


class SlackAnswer:
    """Words, tasks and the end of one reply. Nothing it does while the answer streams can fail the turn."""

    def __init__(self, client: AsyncWebClient, say_stream: AsyncSayStream, *, channel: str, thread_ts: str) -> None:
        self._client = client
        self._say_stream = say_stream
        self._channel = channel
        self._thread_ts = thread_ts
        self._stream: AsyncChatStream | None = None
        self._alive = True
        self._raw = ""
        self._sent = ""
        self._seen = 0  # characters of `_raw` at the last flush
        self._flushed_at = 0.0
        self.addresses: dict[int, str] = {}

    async def say(self, text: str) -> None:
        """Add words; they are sent in portions."""
        self._raw += text
        if len(self._raw) - self._seen >= FLUSH_CHARS or time.monotonic() - self._flushed_at >= FLUSH_SECONDS:
            self._seen, self._flushed_at = len(self._raw), time.monotonic()
            await self._send(self._news(settled(self._raw.strip())))

    async def show(self, chunk: Chunk) -> None:
        """Add a task, or change it."""
        await self._send("", [chunk])

    async def finish(self, text: str, blocks: Sequence[Block]) -> None:
        """End the reply with `text` as its whole text and the blocks under it.

        Raises:
            SlackClientError: the reply could not be completed in any way.
        """
        text = text.strip() or EMPTY
        whole, news = neutral(text, self.addresses), self._news(text)
        if self._alive and whole == self._sent + news and len(whole) <= MESSAGE_CHARS:
            try:
                return await self._stop(news, blocks)
            except FAILURES as error:
                self._died(error)
        await self._replace(whole, blocks)

    async def break_off(self, reason: str) -> None:
        """End the reply where it is, and say why."""
        try:
            await self.finish("\n\n".join([self._raw, reason]), [])
        except FAILURES as error:
            self._died(error)

    def _news(self, text: str) -> str:
        """What the stream has not said yet. Nothing where it said something else: the end puts that right."""
        now = neutral(text, self.addresses)
        return now[len(self._sent) :] if now.startswith(self._sent) else ""

    async def _send(self, news: str, chunks: Sequence[Chunk] = ()) -> None:
        if not self._alive or not (news or chunks) or len(self._sent) + len(news) > MESSAGE_CHARS:
            return
        try:
            stream = await self._opened()
            words = [MarkdownTextChunk(text=news)] if news else []
            await stream.append(chunks=[*words, *chunks])
            self._sent += news
        except FAILURES as error:
            self._died(error)

    async def _stop(self, news: str, blocks: Sequence[Block]) -> None:
        stream = await self._opened()
        await stream.stop(markdown_text=news or None, blocks=blocks or None)

    async def _opened(self) -> AsyncChatStream:
        if self._stream is None:
            self._stream = await self._say_stream(
                buffer_size=FLUSH_CHARS,
                channel=self._channel,
                thread_ts=self._thread_ts,
                task_display_mode="timeline",
            )
        return self._stream

    def _died(self, error: Exception) -> None:
        self._alive = False
        reason = error.response.get("error") if isinstance(error, SlackApiError) else type(error).__name__
        log.info("a stream ended early; the answer follows whole", extra={"reason": reason})

    async def _replace(self, whole: str, blocks: Sequence[Block]) -> None:
        """The full text in place of what was streamed, or as a message when nothing was; a long one goes on below."""
        await self._close()
        first, *rest = split_message(whole, MESSAGE_CHARS)
        last = [] if rest else blocks
        ts = self._stream.ts if self._stream is not None else None
        if ts is None:
            await self._post(first, last)
        else:
            await self._client.chat_update(
                channel=self._channel, ts=ts, text=_fallback(first), blocks=[markdown(first), *last]
            )
        for number, piece in enumerate(rest, 1):
            await self._post(piece, blocks if number == len(rest) else [])

    async def _close(self) -> None:
        """A message that is still streaming cannot be updated."""
        if self._alive and self._stream is not None and self._stream.ts is not None:
            try:
                await self._stream.stop()
            except FAILURES as error:
                self._died(error)

    async def _post(self, text: str, blocks: Sequence[Block]) -> None:
        await self._client.chat_postMessage(
            channel=self._channel,
            thread_ts=self._thread_ts,
            text=_fallback(text),
            blocks=[markdown(text), *blocks],
            unfurl_links=False,
            unfurl_media=False,
        )


def _fallback(text: str) -> str:
    """What notifications show."""
    return text if len(text) <= 3000 else text[:3000] + "…"
