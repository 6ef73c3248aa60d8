"""A client that vanishes, stalls or dawdles holds neither a turn nor a connection, and what was said is kept."""

import asyncio
import json
from collections.abc import Callable, Mapping
from contextlib import suppress

import httpx
import pytest

from agent.assistant import Turn
from agent.build import open_assistant
from agent.settings import Settings
from tests.fakes import ScriptedAssistant, play
from tests.ui.live import serving
from ui import connections
from ui.app import create_api

ASKED = {"user_id": "ada", "query": "How?"}
CHAT = {"model": "attune", "stream": True, "messages": [{"role": "user", "content": "How?"}]}
LONG = play("word" * 1_000 + " " + ("word" * 1_000 + " ") * 4_000)


async def within(seconds: float, condition: Callable[[], object]) -> bool:
    give_up = asyncio.get_running_loop().time() + seconds
    while not condition():
        if asyncio.get_running_loop().time() > give_up:
            return False
        await asyncio.sleep(0.01)
    return True


def request(path: str, body: Mapping[str, object]) -> bytes:
    content = json.dumps(body).encode()
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    return f"{head}Content-Length: {len(content)}\r\n\r\n".encode() + content


PATHS = [("/api/query/stream", ASKED), ("/v1/chat/completions", CHAT)]


@pytest.mark.parametrize(("path", "body"), PATHS)
@pytest.mark.parametrize("pause", [0.01, 60])
async def test_a_client_that_vanishes_stops_its_turn_within_a_second(
    settings: Settings, path: str, body: Mapping[str, object], pause: float
):
    assistant = ScriptedAssistant(lambda turn: LONG, pause=pause)
    async with serving(create_api(settings, assistant=assistant)) as (url, server):
        _, writer = await asyncio.open_connection("127.0.0.1", httpx.URL(url).port)
        writer.write(request(path, body))
        assert await within(5, lambda: assistant.turns)
        await asyncio.sleep(0.1)
        writer.transport.abort()
        assert await within(1, lambda: assistant.stopped == assistant.turns)
        assert await within(1, lambda: not server.server_state.connections)
        ((kept,),) = [await assistant.transcript(turn.user_id, "conversation-1") for turn in assistant.turns]
    assert kept.reply.cut


@pytest.mark.parametrize(("path", "body"), PATHS)
async def test_a_client_that_reads_nothing_is_cut_off_within_a_second(
    settings: Settings, path: str, body: Mapping[str, object]
):
    assistant = ScriptedAssistant(lambda turn: LONG)
    async with serving(create_api(settings, assistant=assistant)) as (url, server):
        reader, writer = await asyncio.open_connection("127.0.0.1", httpx.URL(url).port, limit=1024)
        writer.write(request(path, body))
        assert await within(5, lambda: assistant.turns)
        assert await within(2.5, lambda: assistant.stopped == assistant.turns)  # buffers fill, then one second
        assert await within(1, lambda: not server.server_state.connections)
        writer.close()
        del reader


async def test_a_slow_reader_that_reads_on_is_served(settings: Settings):
    script = play("word" * 1_000 + " " + ("word" * 1_000 + " ") * 1_000)
    assistant = ScriptedAssistant(lambda turn: script)
    async with serving(create_api(settings, assistant=assistant)) as (url, _):
        reader, writer = await asyncio.open_connection("127.0.0.1", httpx.URL(url).port, limit=1024)
        writer.write(request("/api/query/stream", ASKED))
        got = b""
        while b"event: reply" not in got[-10_000_000:] or not got.endswith(b"0\r\n\r\n"):
            got += await reader.read(65_536)
            await asyncio.sleep(0.005)
        writer.close()
    assert assistant.finished == assistant.turns


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"POST /api/query HTTP/1.1\r\nHost: loc",
        b"POST /api/query HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n{",
    ],
)
async def test_a_request_that_does_not_arrive_is_not_waited_for(
    settings: Settings, sent: bytes, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(connections.Connection, "arrival", 0.2)
    async with serving(create_api(settings, assistant=ScriptedAssistant())) as (url, server):
        reader, writer = await asyncio.open_connection("127.0.0.1", httpx.URL(url).port)
        writer.write(sent)
        assert await within(2, lambda: not server.server_state.connections)
        with suppress(ConnectionError):
            assert await reader.read() == b""
        writer.close()


async def test_what_the_real_assistant_said_is_kept(settings: Settings):
    """The whole of it: a socket that is gone, LangGraph stopped half way, the transcript in the database."""
    settings.data_dir.mkdir(parents=True)
    async with (
        open_assistant(settings) as assistant,
        serving(create_api(settings, assistant=assistant)) as (url, _),
    ):
        reader, writer = await asyncio.open_connection("127.0.0.1", httpx.URL(url).port)
        writer.write(request("/api/query/stream", ASKED))
        await reader.readuntil(b"turn_started")
        writer.transport.abort()

        async with asyncio.timeout(3):
            while not (kept := await assistant.conversations("ada")):  # noqa: ASYNC110 - the store has no event for it
                await asyncio.sleep(0.01)
        (exchange,) = await assistant.transcript("ada", kept[0].id)
        assert exchange.question == "How?"
        after = await assistant.reply(Turn("ada", "And then?", kept[0].id))
        assert after.conversation_id == kept[0].id
