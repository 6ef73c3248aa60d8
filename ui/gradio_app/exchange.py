"""One exchange as HTML, in parts that the page replaces one by one: what did not change keeps its open panels."""

from collections.abc import Sequence
from html import escape

from agent.citations import cited
from agent.events import Failed, NextStep, Reply, Source
from agent.extractive import MODEL_NAME
from tools.sources import article_line
from ui.gradio_app import icons
from ui.gradio_app.answer_markdown import answer_html, passage_html
from ui.gradio_app.receipt import noted_html, receipt_html
from ui.gradio_app.shown import Shown, Step

STRONG, FAIR = 0.75, 0.45  # scores from which a match is called strong, fair


def parts(shown: Shown) -> dict[str, str]:
    """The HTML of an exchange by part, in the order of the page; every part is there, though it may be empty."""
    return {
        "question": _question(shown),
        "steps": _steps(shown),
        "answer": _answer(shown),
        "sources": _sources(shown.reply) if shown.reply else "",
        "receipt": _receipt(shown),
        "actions": _actions(shown, shown.reply) if shown.reply else "",
        "failure": _failure(shown.failure) if shown.failure else "",
        "next": _next_steps(shown.reply) + _follow_ups(shown.reply) if shown.reply else "",
    }


def status(shown: Shown) -> str:
    """The same for ears: one sentence, changed only when there is something new to say."""
    if shown.failure:
        return ""  # it is an alert of its own
    if shown.reply:
        return "Answer: " + (shown.reply.answer or "none")
    return "Answering" if shown.answer else "Looking for an answer"


def is_web_address(url: str | None) -> bool:
    """Whether a link may lead there: never to a script."""
    return url is not None and url.lower().startswith(("https://", "http://"))


def duration(milliseconds: float) -> str:
    """A time as people read it."""
    return f"{milliseconds:.0f} ms" if milliseconds < 1_000 else f"{milliseconds / 1_000:.1f} s"


def _question(shown: Shown) -> str:
    edit = _EDIT if shown.finished else ""
    return (
        '<h2 class="sr-only">You asked</h2>'
        f'<div class="question">{edit}<div class="bubble" dir="auto" data-question>{escape(shown.question)}</div></div>'
    )


def _steps(shown: Shown) -> str:
    if not shown.steps:
        return "" if shown.finished else f'<p class="thinking">{_DOTS}<span>Looking for an answer</span></p>'
    pending = any(step.state == "pending" for step in shown.steps)
    last = shown.steps[-1]
    took = "" if pending else f'<span class="took">{duration(last.duration_ms)}</span>'
    items = "".join(map(_step, shown.steps))
    return (
        f'<details class="steps" {"open" * pending}><summary>{_STATES[_overall(shown.steps)]}'
        f'<span class="line"><span>{escape(last.title)}</span><span>{escape(last.summary)}</span>{took}</span>'
        f"{icons.NEXT}</summary><ol>{items}</ol></details>"
    )


def _overall(steps: Sequence[Step]) -> str:
    states = {step.state for step in steps}
    return next(state for state in ("pending", "failed", "done") if state in states)


def _step(step: Step) -> str:
    looked_for = f'<span class="looked-for" dir="auto">“{escape(step.looked_for)}”</span>' if step.looked_for else ""
    took = "" if step.state == "pending" else f'<span class="took">{duration(step.duration_ms)}</span>'
    return (
        f'<li>{_STATES[step.state]}<div><span class="step-title">{escape(step.title)}</span> {looked_for}'
        f'<div class="step-summary">{escape(step.summary)}</div></div>{took}</li>'
    )


def _answer(shown: Shown) -> str:
    titles = {source.number: _place(source) for source in shown.sources}
    text = _words(shown.reply) if shown.reply else shown.answer
    body = answer_html(text, titles, streaming=not shown.finished)
    head = '<h2 class="sr-only">Answer</h2>' if shown.answer else ""
    writing = "" if shown.finished else " writing"
    return f'{head}{_verdict(shown)}<div class="prose{writing}">{body}</div>{_notices(shown)}'


def _words(reply: Reply) -> str:
    """The answer without a list of nothing but the articles that stand below it anyway."""
    listed = "\n".join(article_line(source) for source in reply.sources)
    return reply.answer.removesuffix(listed).rstrip() if listed else reply.answer


def _verdict(shown: Shown) -> str:
    """The line over an answer that the documents do not support."""
    if shown.reply is None or shown.reply.answered or shown.reply.cut:
        return ""
    return f'<p class="verdict">{icons.UNSURE}<strong>The documents don’t seem to answer this</strong></p>'


def _notices(shown: Shown) -> str:
    texts = list(dict.fromkeys(shown.notices))
    if shown.reply and shown.reply.cut and not texts:
        texts = ["This answer stops early."]
    return "".join(f'<p class="notice">{icons.INFO}<span dir="auto">{escape(text)}</span></p>' for text in texts)


def _place(source: Source) -> str:
    same = source.heading.strip().casefold() == source.title.strip().casefold()
    return source.title if same or not source.heading else f"{source.title} › {source.heading}"


def _sources(reply: Reply) -> str:
    if not reply.sources:
        return ""
    label = "Sources" if _supported(reply) else "Nearest in the documents"
    items = "".join(map(_source, reply.sources))
    return f'<section class="sources" aria-label="{label}"><h3>{label}</h3><ol>{items}</ol></section>'


def _supported(reply: Reply) -> bool:
    """Whether the sources are what the answer rests on, rather than what came near."""
    return (reply.answered or reply.cut) and bool(cited(_words(reply)))


def _source(source: Source) -> str:
    heading = "" if _place(source) == source.title else f'<span class="heading">{escape(source.heading)}</span>'
    word, strength = _match(source.score)
    meter = f'<span class="match" data-strength="{strength}"><i></i><i></i><i></i>{word}</span>'
    return (
        f'<li><details data-source="{source.number}"><summary><span class="number">{source.number}</span>'
        f'<span class="place" dir="auto"><span class="title">{escape(source.title)}</span>{heading}</span>'
        f"{meter}{icons.NEXT}</summary>"
        f'<div class="passage prose">{passage_html(source.text, source.quote)}</div>{_link(source)}</details></li>'
    )


def _match(score: float) -> tuple[str, int]:
    if score >= STRONG:
        return "Strong match", 3
    return ("Fair match", 2) if score >= FAIR else ("Weak match", 1)


def _link(source: Source) -> str:
    if not is_web_address(source.url):
        return ""
    return (
        f'<a class="open" href="{escape(source.url or "")}" target="_blank" rel="noopener noreferrer">Open the article'
        f'{icons.OUT}<span class="sr-only"> {escape(source.title)} (new tab)</span></a>'
    )


def _actions(shown: Shown, reply: Reply) -> str:
    rated = {1: shown.rating == 1, -1: shown.rating == -1}
    return (
        '<div class="actions">'
        f'<button type="button" class="ghost" data-act="copy" data-copy="{escape(_as_text(reply))}" '
        f'aria-label="Copy the answer" title="Copy">{icons.COPY}</button>'
        f"{_rate(1, 'Helpful', icons.LIKE, rated[1])}{_rate(-1, 'Not helpful', icons.DISLIKE, rated[-1])}"
        f'<button type="button" class="ghost retry" data-act="retry" aria-label="Answer again" title="Answer again">'
        f"{icons.RETRY}</button>{_by(reply)}</div>"
    )


def _rate(value: int, label: str, icon: str, pressed: bool) -> str:
    return (
        f'<button type="button" class="ghost" data-act="rate" data-rating="{value}" aria-label="{label}" '
        f'title="{label}" aria-pressed="{str(pressed).lower()}">{icon}</button>'
    )


def _by(reply: Reply) -> str:
    name, title = escape(reply.model), "The model that answered, and how long it took"
    if reply.model == MODEL_NAME:
        name, title = "Quoted, no language model", "Sentences chosen from the documents; no language model wrote this"
    took = f'<span class="took"> · {duration(reply.duration_ms)}</span>' if reply.duration_ms else ""
    return f'<span class="by" title="{title}">{name}{took}</span>' if name else ""


def _receipt(shown: Shown) -> str:
    """What of the profile was used, and what the question added to it."""
    used = receipt_html(shown.reply.receipt) if shown.reply else ""
    plain = "" if shown.personal else f'<p class="noted">{icons.PERSON}Answered without your profile</p>'
    return used + (plain if shown.reply else "") + noted_html(shown.learned)


def _as_text(reply: Reply) -> str:
    """What copying an answer gives: its Markdown and the sources that it cites."""
    lines = [f"[{source.number}] {_place(source)} {source.url or ''}".rstrip() for source in reply.sources]
    return "\n".join([reply.answer, *(["", *lines] if _supported(reply) else [])])


def _failure(failed: Failed) -> str:
    what_to_do = "" if failed.retryable else " If it keeps happening, tell whoever runs this page."
    return (
        f'<div class="failure" role="alert">{icons.ALERT}<div><strong>No answer this time</strong>'
        f"<p>{escape(failed.message)}{what_to_do}</p>"
        f'<button type="button" class="button" data-act="retry">{icons.RETRY}Try again</button></div></div>'
    )


def _next_steps(reply: Reply) -> str:
    if not reply.next_steps:
        return ""
    items = "".join(map(_next_step, reply.next_steps))
    title = "Worth reading next"
    return f'<section class="next offered" aria-label="{title}"><h3>{title}</h3><ol>{items}</ol></section>'


def _next_step(one: NextStep) -> str:
    title, item = escape(one.title), f'data-act="step" data-item="{escape(one.item_id)}"'
    badge = f'<span class="badge">{escape(one.match)}</span>' if one.match else ""
    named = f"<span>{title}</span>"
    if is_web_address(one.url):
        named = (
            f'<a href="{escape(one.url or "")}" target="_blank" rel="noopener noreferrer" {item} data-kind="opened">'
            f'{title}<span class="sr-only"> (new tab)</span></a>'
        )
    return (
        f'<li><div dir="auto">{named}{badge}<p>{escape(one.explanation)}</p></div>'
        f'<button type="button" class="ghost" {item} data-kind="dismiss" aria-label="Not for me: {title}" '
        f'title="Not for me">{icons.CROSS}</button></li>'
    )


def _follow_ups(reply: Reply) -> str:
    if not reply.follow_ups:
        return ""
    items = "".join(
        f'<li><button type="button" data-act="ask" data-text="{escape(text)}"><span dir="auto">{escape(text)}</span>'
        f"{icons.NEXT}</button></li>"
        for text in reply.follow_ups
    )
    return f'<section class="next" aria-label="Ask next"><h3>Ask next</h3><ul>{items}</ul></section>'


_EDIT = (
    f'<button type="button" class="ghost edit" data-act="edit" aria-label="Edit this question">{icons.EDIT}</button>'
)
_DOTS = '<span class="dots" aria-hidden="true"><i></i><i></i><i></i></span>'
_STATES = {
    "pending": '<span class="spinner" role="img" aria-label="Working"></span>',
    "done": f'<span class="done">{icons.DONE}</span>',
    "failed": f'<span class="failed" role="img" aria-label="Failed">{icons.CROSS}</span>',
}
