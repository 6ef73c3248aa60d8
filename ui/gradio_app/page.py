"""The page: what stands on it, what each part triggers, and how it is mounted.

Sidebar and transcript are HTML made here (exchange.py, conversations.py) with a little script each (static/*.js) that
puts changes in place and triggers events; the question box and its buttons are Gradio's.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr
from fastapi import FastAPI

from agent.assistant import Assistant
from agent.settings import Settings
from ui.gradio_app import icons
from ui.gradio_app.handlers import Handlers, Room
from ui.gradio_app.signing_in import SignIn
from ui.gradio_app.theme import theme, variables_css
from ui.gradio_app.visitor import VisitorCookie, visitor

_ICON = re.compile(r"<!-- icon (\w+) -->")
STATIC = Path(__file__).parent / "static"
AT_ONCE = 64  # turns that may stream at the same time; the assistant itself puts those of one conversation in order
# What the browser tells with its events, after `given`: which conversation is open (the address says so, whatever is
# still under way), and how far its clock is from UTC, in minutes.
ADDRESS = 'new URLSearchParams(location.search).get("c") ?? ""'
CLOCK = "-new Date().getTimezoneOffset()"
HERE = f"() => [{ADDRESS}, {CLOCK}]"
# … and, where a question is asked, whether the conversation that it may start shall teach nothing (static/panel.js).
ASKED_HERE = HERE.replace("()]", '(), document.getElementById("app").dataset.learning ?? ""]')
GIVEN_HERE = ASKED_HERE.replace("() => [", "(given) => [given, ")


def mount_page(
    app: FastAPI,
    assistant: Callable[[], Assistant],
    settings: Settings,
    room: Room,
    sign_in: SignIn | None = None,
) -> FastAPI:
    """The application with the page at `/`. `room` is what each turn runs in. `sign_in` says who looks at the page and
    who may change the taxonomy; without it a cookie tells visitors apart, and all of them, on this machine, may."""
    app.add_middleware(VisitorCookie)
    handlers = Handlers(assistant, settings.title, sign_in, room)
    mounted: FastAPI = gr.mount_gradio_app(
        app,
        build_page(handlers, settings.title),
        path="/",
        auth_dependency=sign_in.user_of if sign_in else visitor,
        server_name=settings.host,
        server_port=settings.port,
        footer_links=[],
        run_history=False,
        show_error=False,
        max_file_size="1kb",  # nothing is uploaded here
        ssr_mode=False,
        enable_monitoring=False,
        pwa=False,
        mcp_server=False,
        favicon_path=str(STATIC / "favicon.png"),
        theme=theme(),
        head=f"<style>{variables_css()}{(STATIC / 'page.css').read_text('utf-8')}</style>",  # `css` would rewrite it
    )
    return mounted


def build_page(handlers: Handlers, title: str) -> gr.Blocks:
    """The page alone. Its queue takes many turns at once, in this process."""
    page = gr.Blocks(title=title, analytics_enabled=False, fill_width=True, fill_height=True)
    with page:
        with gr.Row(elem_id="app", equal_height=False):
            sidebar = _html("sidebar", {"title": title})
            with gr.Column(elem_id="main"):
                transcript = _html("transcript", {})
                text, send, stop = _composer()
            panel = _html("panel", {})
            admin = _html("admin", {})
        hidden = gr.Textbox(visible=False), gr.Number(0, visible=False), gr.Textbox(visible=False)
        _wire(page, handlers, Parts(sidebar, transcript, panel, admin, text, send, stop, *hidden))
    page.queue(default_concurrency_limit=AT_ONCE, api_open=False)
    return page


def _html(name: str, value: dict[str, str]) -> gr.HTML:
    """A part of the page from static/: its template, which holds no data, and the script that shows the data in it."""
    template = (STATIC / f"{name}.html").read_text("utf-8")
    return gr.HTML(
        value,
        html_template=_ICON.sub(lambda found: getattr(icons, found[1]), template),
        js_on_load=(STATIC / f"{name}.js").read_text("utf-8"),
        apply_default_css=False,
        elem_id=name,
    )


@dataclass(frozen=True)
class Parts:
    """What stands on the page; the last three cannot be seen: the browser fills them in when an event is sent."""

    sidebar: gr.HTML
    transcript: gr.HTML
    panel: gr.HTML
    admin: gr.HTML
    text: gr.Textbox
    send: gr.Button
    stop: gr.Button
    conversation: gr.Textbox
    clock: gr.Number
    learning: gr.Textbox


def _wire(page: gr.Blocks, handlers: Handlers, on: Parts) -> None:
    """Which handler answers what. All are private: the HTTP API is elsewhere."""
    changed = [on.transcript, on.sidebar]
    asked = [*changed, on.text]
    where = [on.conversation, on.clock]
    quiet: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
    here: dict[str, Any] = quiet | {"js": HERE}
    aside: dict[str, Any] = {"queue": False}  # at once, also while turns fill the queue
    # The browser need not hold back a question while another one runs: the handler knows whether it may.
    turn: dict[str, Any] = {"concurrency_id": "turns", "trigger_mode": "multiple"}
    asking = quiet | turn | {"js": GIVEN_HERE}

    page.load(handlers.load, where, changed, **here, **aside)
    gr.on([on.text.submit, on.send.click], handlers.ask, [on.text, *where, on.learning], asked, **asking)
    on.transcript.ask(handlers.ask_again, [*where, on.learning], asked, **quiet, js=ASKED_HERE, **turn)
    on.transcript.earlier(handlers.earlier, on.conversation, on.transcript, js=f"() => {ADDRESS}", **quiet, **aside)
    on.transcript.nudge(handlers.nudge, None, None, **quiet)
    on.stop.click(handlers.stop, None, None, **quiet, **aside)
    on.transcript.rate(handlers.rate, None, None, **quiet, **aside)
    on.sidebar.open(handlers.open, where, changed, **here, **aside)
    on.sidebar.remove(handlers.delete, where, changed, **here, **aside)
    on.panel.act(handlers.panel.act, where, on.panel, trigger_mode="multiple", **here, **aside)
    on.admin.act(handlers.admin.act, None, on.admin, trigger_mode="multiple", **quiet, **aside)
    on.panel.forget(handlers.forget, on.clock, [on.panel, *changed], **quiet, js=f"() => [{CLOCK}]", **aside)


def _composer() -> tuple[gr.Textbox, gr.Button, gr.Button]:
    with gr.Column(elem_id="composer"):
        with gr.Row(elem_id="box"):
            text = gr.Textbox(
                label="Your question",
                placeholder="Ask a question",
                show_label=False,
                container=False,
                lines=1,
                max_lines=8,
                elem_id="ask",
                scale=1,
            )
            send = gr.Button("Send", variant="primary", elem_id="send", min_width=0, scale=0)
            stop = gr.Button("Stop", variant="secondary", elem_id="stop", min_width=0, scale=0)
        gr.HTML(
            '<p class="fine">Answers come from the documents; their sources are under each answer.</p>',
            apply_default_css=False,
        )
    return text, send, stop
