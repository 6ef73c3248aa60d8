"""What happens when somebody does something on the page. Each handler asks the assistant and gives back changes of the
page; who asks comes from the request, never from what the page sends along."""

import asyncio
import logging
from collections import defaultdict
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, aclosing, nullcontext
from datetime import UTC, datetime, timedelta
from typing import Any

import gradio as gr

from agent.assistant import Assistant, Exchange, Turn
from agent.errors import ConversationNotFound, TurnRejected
from agent.events import WENT_WRONG, Learnt, Replied
from knowledge_base.errors import AttuneError
from tools.learning import learnt
from tools.pool import DatabaseBusy
from ui.gradio_app.admin_handlers import AdminHandlers
from ui.gradio_app.conversations import conversations_html
from ui.gradio_app.panel_handlers import PanelHandlers, PanelState
from ui.gradio_app.patches import Patch, changed, opened, refused, trouble_html, welcome_html
from ui.gradio_app.running import RunningTurn
from ui.gradio_app.sent import text_of, user_of
from ui.gradio_app.shown import Shown
from ui.gradio_app.signing_in import SignIn

CHANNEL = "web"
PAUSE = 0.05  # seconds between two changes of the page while an answer streams
SHOWN = 30  # exchanges of a conversation that are drawn when it is opened
LISTED = 100  # conversations in the sidebar
STOPPING = 1.5  # seconds that an answer may take to stop when its page is loaded again
OFF = "off"  # what the browser sends when nothing shall be learned from a conversation that begins
GONE = "This conversation is no longer there. Start a new one, or choose another."
STARTING = "The assistant is not ready yet. This usually takes a few seconds."
BUSY = "The last answer is still being written. Wait for it, or stop it first."

log = logging.getLogger(__name__)

# Every handler that changes the page yields or returns these, in this order; gr.skip() leaves one as it is.
Skip = dict[str, Any]
Change = tuple[Patch | Skip, dict[str, str] | Skip]  # the transcript, the list of conversations
Changes = AsyncGenerator[tuple[*Change, str | Skip]]  # … and the text in the question box

Room = Callable[[str], AbstractAsyncContextManager[None]]
"""What each turn of this user runs in; it raises TurnRejected where there is none left."""


class Handlers:
    """One for the page. What it remembers are the turns at work, by browser tab. Without `room` all may run."""

    def __init__(
        self, assistant: Callable[[], Assistant], title: str, sign_in: SignIn | None = None, room: Room | None = None
    ) -> None:
        self._assistant = assistant
        self._title = title
        self._room = room or (lambda _: nullcontext())
        self._running: dict[str, RunningTurn] = {}
        self.panel = PanelHandlers(assistant)
        self._sign_in = sign_in
        self.admin = AdminHandlers(assistant, sign_in.is_admin if sign_in else None)

    # Opening

    async def load(self, conversation_id: str | None, utc_offset: float, request: gr.Request) -> Change:
        """The page was loaded, perhaps with a conversation in its address."""
        try:
            await self._settled(conversation_id)
            patch, listed = await self._open(conversation_id or None, utc_offset, request)
            admin = "yes" if await self.admin.allowed(request) else ""
            return patch, {**listed, "admin": admin, "account": self._account(request)}
        except RuntimeError:
            return self._trouble(STARTING)
        except AttuneError as error:
            log.error("the page cannot open: %s", error)  # noqa: TRY400 (its message says all)
            return self._trouble("The assistant cannot be reached right now.")

    def _account(self, request: gr.Request) -> str:
        """Whether the reader signed in at the page's "form", or "elsewhere"; nothing where nobody signs in."""
        if self._sign_in is None or request.request is None:
            return ""
        return "form" if self._sign_in.can_sign_out(request.request) else "elsewhere"

    async def _settled(self, conversation_id: str | None) -> None:
        """Wait for the answer in whose middle this page was loaded again: that stops its turn, and the new page is
        there before what was said is kept. An answer that another tab watches goes on, and is not waited for longer."""
        at_work = [one for one in self._running.values() if conversation_id and one.conversation_id == conversation_id]
        await asyncio.gather(*(one.ended(STOPPING) for one in at_work))

    async def open(self, _: str | None, utc_offset: float, event: gr.EventData, request: gr.Request) -> Change:
        """A conversation was chosen, or a new one (then its `id` is empty)."""
        self._leave(request)
        remember = text_of(event, "remember") == "yes"
        return await self._open(text_of(event, "id") or None, utc_offset, request, remember=remember)

    async def earlier(self, conversation_id: str | None, request: gr.Request) -> Patch:
        """The whole of a conversation was asked for, of which only the end is shown."""
        return await self._transcript(conversation_id or None, user_of(request), whole=True)

    async def delete(
        self, conversation_id: str | None, utc_offset: float, event: gr.EventData, request: gr.Request
    ) -> Change:
        """A conversation was deleted, and the reader has confirmed it."""
        doomed = text_of(event, "id")
        try:
            await self._assistant().delete_conversation(user_of(request), doomed)
        except ConversationNotFound:
            log.info("conversation %s was gone already", doomed)
        if doomed == conversation_id:
            self._leave(request)
            return await self._open(None, utc_offset, request)
        return gr.skip(), await self._list(conversation_id, utc_offset, request)

    async def _open(
        self, conversation_id: str | None, utc_offset: float, request: gr.Request, *, remember: bool = False
    ) -> Change:
        patch = await self._transcript(conversation_id, user_of(request), remember=remember)
        return patch, await self._list(patch.get("conversation"), utc_offset, request)

    async def _transcript(
        self, conversation_id: str | None, user_id: str, *, remember: bool = False, whole: bool = False
    ) -> Patch:
        if conversation_id is not None:
            try:
                exchanges = await self._assistant().transcript(user_id, conversation_id)
            except ConversationNotFound:
                patch = opened(None, [], welcome=await self._welcome())
                patch["complaint"] = GONE
                return patch
            kept = exchanges[0 if whole else -SHOWN :]
            taught = await self._taught(user_id, kept)
            shown = [Shown.restored(exchange, taught[exchange.message_id]) for exchange in kept]
            earlier = len(exchanges) - len(kept)
            # A long conversation takes a while to draw: other readers' answers go on meanwhile.
            return await asyncio.to_thread(opened, conversation_id, shown, earlier=earlier, remember=remember)
        return opened(None, [], welcome=await self._welcome(), remember=remember)

    async def _taught(self, user_id: str, exchanges: Sequence[Exchange]) -> Mapping[str, Sequence[Learnt]]:
        """What each of these exchanges taught and may still be undone; the transcript does not hold it."""
        taught = defaultdict[str, list[Learnt]](list)
        for one in await self._assistant().profiles.taught(user_id, [one.message_id for one in exchanges]):
            taught[one.message_id or ""].append(learnt(one))
        return taught

    async def _welcome(self) -> str:
        return welcome_html(self._title, await self._assistant().starters())

    def _trouble(self, reason: str) -> Change:
        return opened(None, [], welcome=trouble_html(self._title, reason)), {"html": ""}

    async def _list(self, current: str | None, utc_offset: float, request: gr.Request) -> dict[str, str]:
        conversations = await self._assistant().conversations(user_of(request), limit=LISTED)
        offset = timedelta(minutes=utc_offset)
        return {"html": conversations_html(conversations, current, now=datetime.now(UTC), utc_offset=offset)}

    # Asking

    async def ask(
        self, text: str, conversation_id: str | None, utc_offset: float, learning: str | None, request: gr.Request
    ) -> Changes:
        """A question was written. `learning` "off" says that the conversation which it starts shall teach nothing."""
        if text.strip():
            turn = Turn(user_of(request), text, conversation_id or None, CHANNEL, learning=learning != OFF)
            async with aclosing(self._converse(turn, utc_offset, request)) as changes:
                async for change in changes:
                    yield change
        else:
            yield gr.skip(), gr.skip(), gr.skip()

    async def ask_again(
        self,
        conversation_id: str | None,
        utc_offset: float,
        learning: str | None,
        event: gr.EventData,
        request: gr.Request,
    ) -> Changes:
        """A suggested question was chosen; or, with `message_id`, an earlier one is to be asked again or was edited.
        With `personal` "no" it is answered without the profile."""
        turn = Turn(
            user_of(request),
            text_of(event, "text"),
            conversation_id or None,
            CHANNEL,
            personal=text_of(event, "personal") != "no",
            learning=learning != OFF,
        )
        instead_of = text_of(event, "message_id") or None
        async with aclosing(self._converse(turn, utc_offset, request, instead_of=instead_of)) as changes:
            async for change in changes:
                yield (*change[:2], gr.skip())  # the question box keeps what is in it

    async def _converse(
        self, turn: Turn, utc_offset: float, request: gr.Request, *, instead_of: str | None = None
    ) -> Changes:
        session = request.session_hash or ""
        if session in self._running:
            yield refused(BUSY, running=True), gr.skip(), gr.skip()
            return
        try:
            room = await self._make_room(turn, instead_of)
        except (TurnRejected, DatabaseBusy) as error:
            yield refused(_why(error)), gr.skip(), gr.skip()
            return
        running = self._running[session] = RunningTurn(self._assistant().stream(turn), room)
        text: str | Skip = ""  # cleared once: the reader may be writing the next question already
        try:
            async for shown in self._watch(running, turn):
                listed = await self._list(shown.conversation_id, utc_offset, request) if shown.finished else gr.skip()
                yield changed(shown, drop_from=instead_of), listed, text
                text = gr.skip()
        finally:  # reached in the middle when the tab was closed
            if self._running.get(session) is running:
                await running.stop()
            if self._running.get(session) is running:  # still, after that
                del self._running[session]

    async def _make_room(self, turn: Turn, instead_of: str | None) -> AsyncExitStack:
        """What the turn runs in: it can be run, as is seen before anything is taken away for it."""
        assistant = self._assistant()
        await assistant.check(turn)
        async with AsyncExitStack() as room:
            await room.enter_async_context(self._room(turn.user_id))
            if instead_of is not None and turn.conversation_id is not None:
                try:
                    await assistant.rewind(turn.user_id, turn.conversation_id, instead_of)
                except ConversationNotFound:
                    log.info("exchange %s was never stored", instead_of)
            return room.pop_all()

    async def _watch(self, running: RunningTurn, turn: Turn) -> AsyncGenerator[Shown]:
        """The exchange, again and again, as its turn goes on; the last one is finished, unless the turn was left."""
        shown = Shown(turn.text, conversation_id=turn.conversation_id, personal=turn.personal)
        try:
            async for batch in running.batches(PAUSE):
                for event in batch:
                    shown = shown.after(event)
                yield shown
        except Exception:  # the boundary: the reader gets a message and a way on, the log the reason
            log.exception("a turn on the page failed")
        if not shown.finished and not running.left:
            yield await self._kept(shown, turn)

    async def _kept(self, shown: Shown, turn: Turn) -> Shown:
        """What the transcript holds of a turn that was stopped or broke."""
        try:
            exchanges = await self._assistant().transcript(turn.user_id, shown.conversation_id or "")
        except ConversationNotFound:
            exchanges = []
        kept = [exchange.reply for exchange in exchanges if exchange.message_id == shown.message_id]
        return shown.after(Replied(reply=kept[-1]) if kept else WENT_WRONG)

    # Around an answer

    async def stop(self, request: gr.Request) -> None:
        """The answer that is being written shall end here; the handler that writes it shows what is kept."""
        running = self._running.get(request.session_hash or "")
        if running is not None:
            await running.stop()

    async def nudge(self) -> None:
        """The page heard nothing for a while. This event has it listen again; static/transcript.js says why."""

    async def rate(self, event: gr.EventData, request: gr.Request) -> None:
        """An answer was rated, or its rating withdrawn."""
        rating = {"1": 1, "-1": -1}.get(text_of(event, "rating"), 0)
        try:
            await self._assistant().rate(user_of(request), text_of(event, "message_id"), rating)
        except ConversationNotFound as error:
            raise gr.Error("This answer is no longer there, so it cannot be rated.", print_exception=False) from error

    async def forget(self, utc_offset: float, request: gr.Request) -> tuple[PanelState, *Change]:
        """Everything about the reader is to go, and the reader has confirmed it."""
        await self.stop(request)
        state = await self.panel.forget(user_of(request))
        return state, *await self._open(None, utc_offset, request)

    def _leave(self, request: gr.Request) -> None:
        """The reader looks at something else: a turn at work ends by itself, and is kept."""
        running = self._running.pop(request.session_hash or "", None)
        if running is not None:
            running.leave()


def _why(error: AttuneError) -> str:
    return GONE if isinstance(error, ConversationNotFound) else str(error)
