"""The parts of a Slack message beside the answer's words: sources, feedback, and what to do next."""

import json
from collections.abc import Sequence

from slack_sdk.models.blocks import Block, MarkdownBlock
from slack_sdk.models.blocks.basic_components import FeedbackButtonObject, MarkdownTextObject
from slack_sdk.models.blocks.block_elements import ButtonElement, FeedbackButtonsElement, UrlSourceElement
from slack_sdk.models.blocks.blocks import ActionsBlock, ContextActionsBlock, ContextBlock
from slack_sdk.models.messages.chunk import TaskUpdateChunk

from agent.events import Reply, Source, ToolFinished, ToolStarted, Used
from ui.slack_bot.markup import escaped

FEEDBACK = "attune_feedback"
NOT_THIS = "attune_not_this"
PRIVATELY = "attune_privately"

_FIELD_CHARS = 250  # of a task's fields
_QUESTION_CHARS = 1900  # what a button can carry
_CONTEXT_CHARS = 2900
_SHOWN_SOURCES = 8
_SHOWN_USED = 4
_BUTTON_CHARS = 75


def task_started(event: ToolStarted) -> TaskUpdateChunk:
    """A tool at work."""
    return TaskUpdateChunk(id=event.call_id, title=_short(event.title), status="in_progress")


def task_finished(event: ToolFinished) -> TaskUpdateChunk:
    """The same tool, done."""
    status = "complete" if event.ok else "error"
    return TaskUpdateChunk(id=event.call_id, title=_short(event.title), status=status, output=_short(event.summary))


def task_sources(event: ToolFinished, sources: Sequence[Source]) -> TaskUpdateChunk:
    """The same tool again, with what it found."""
    chunk = task_finished(event)
    chunk.sources = [
        UrlSourceElement(url=source.url, text=_short(source.title)) for source in sources[:_SHOWN_SOURCES] if source.url
    ]
    return chunk


def closing(reply: Reply, *, question: str, public: bool) -> list[Block]:
    """What stands under an answer: its sources, what of the profile was used, and feedback; in a channel nothing of the
    profile, but the way to a private answer."""
    blocks: list[Block] = [_sources(reply.sources)] if reply.sources else []
    if reply.receipt and not public:
        blocks += _receipt(reply.receipt)
    blocks.append(_feedback(reply.message_id))
    if public and len(question) <= _QUESTION_CHARS:
        blocks.append(_privately(question))
    return blocks


def markdown(text: str) -> MarkdownBlock:
    """An answer's words where they are not streamed; at most 12,000 characters a message."""
    return MarkdownBlock(text=text)


def _sources(sources: Sequence[Source]) -> ContextBlock:
    lines, chars = [], 0
    for source in sources[:_SHOWN_SOURCES]:
        line = _source(source)
        chars += len(line) + 1
        if chars <= _CONTEXT_CHARS:
            lines.append(line)
    return ContextBlock(elements=[MarkdownTextObject(text="\n".join(lines))])


def _source(source: Source) -> str:
    place = source.title if source.heading in ("", source.title) else f"{source.title} › {source.heading}"
    name = escaped(_short(place))
    safe = source.url and source.url.startswith(("http://", "https://")) and not set(source.url) & set("<>|")
    return f"[{source.number}] <{escaped(source.url or '')}|{name}>" if safe else f"[{source.number}] {name}"


def _receipt(used: Sequence[Used]) -> list[Block]:
    """Each entry that was used with its effect, and a button to be rid of it."""
    lines = "\n".join(f"{escaped(_short(one.entry))}: {escaped(_short(one.effect))}" for one in used[:_SHOWN_USED])
    buttons = [
        ButtonElement(
            action_id=f"{NOT_THIS}_{number}",
            text=f"Not this: {one.value}"[:_BUTTON_CHARS],
            value=json.dumps([one.facet, one.value]),
        )
        for number, one in enumerate(used[:_SHOWN_USED])
    ]
    return [ContextBlock(elements=[MarkdownTextObject(text=f"Personalised:\n{lines}")]), ActionsBlock(elements=buttons)]


def _feedback(message_id: str) -> ContextActionsBlock:
    def button(words: str, label: str, rating: int) -> FeedbackButtonObject:
        return FeedbackButtonObject(text=words, accessibility_label=label, value=f"{message_id}:{rating}")

    return ContextActionsBlock(
        elements=[
            FeedbackButtonsElement(
                action_id=FEEDBACK,
                positive_button=button("Helpful", "This answer helped", 1),
                negative_button=button("Not helpful", "This answer did not help", -1),
            )
        ]
    )


def _privately(question: str) -> ActionsBlock:
    return ActionsBlock(elements=[ButtonElement(action_id=PRIVATELY, text="Answer me privately", value=question)])


def _short(text: str) -> str:
    return text if len(text) <= _FIELD_CHARS else text[: _FIELD_CHARS - 1] + "…"
