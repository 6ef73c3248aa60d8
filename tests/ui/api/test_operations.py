"""What an operator sees: readiness, counters, traces, log lines, and which pages may call."""

import asyncio
import io
import json
import logging
import re
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from pathlib import Path
from typing import Literal

import httpx
import pytest
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from agent.assistant import Assistant, Turn
from agent.build import open_assistant
from agent.errors import TurnFailed
from agent.events import Event, Failed, Notice, ProfileUpdated
from agent.settings import Settings
from tests.fakes import ScriptedAssistant, play
from tests.ui.signed_in import opened
from tools.receipts import Learnt
from ui.app import create_api
from ui.logs import set_up_logging
from ui.metrics import Metrics
from ui.tracing import Tracing
from ui.watching import TurnWatch

ASKED = {"user_id": "ada-lovelace", "query": "Is ada@example.org a secret question?"}


@pytest.fixture
async def assistant_on_disk(settings: Settings) -> AsyncIterator[Assistant]:
    settings.data_dir.mkdir(parents=True)
    async with open_assistant(settings) as assistant:
        yield assistant


@pytest.fixture
def log_stream() -> Iterator[io.StringIO]:
    root, level, handlers = logging.getLogger(), logging.getLogger().level, logging.getLogger().handlers[:]
    set_up_logging(stream=(stream := io.StringIO()))
    yield stream
    root.handlers[:] = handlers
    root.setLevel(level)
    for name in ("agent", "tools", "knowledge_base", "ui"):
        logging.getLogger(name).setLevel(logging.NOTSET)


async def ask(app: object, assistant: Assistant, **headers: str) -> httpx.Response:
    transport = httpx.ASGITransport(app=app)  # type: ignore[arg-type]
    async with (
        app.router.lifespan_context(app),  # type: ignore[attr-defined]
        httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client,
    ):
        response = await client.post("/api/query", json=ASKED, headers=headers)
        assert response.status_code == 200
        await client.get("/api/nothing")
        return await client.get("/metrics")


async def test_counts_turns_and_what_happened_in_them(settings: Settings, assistant_on_disk: Assistant):
    app = create_api(settings, assistant=assistant_on_disk)
    response = await ask(app, assistant_on_disk)
    assert response.headers["content-type"].startswith("text/plain; version=0.0.4")
    text = response.text
    for line in (
        'attune_turns_total{channel="api",outcome="unanswered"} 1.0',
        "attune_unanswered_total 1.0",
        "attune_turns_running 0.0",
        'attune_tool_calls_total{ok="true",tool="search_knowledge_base"} 1.0',
        'attune_stage_seconds_count{stage="first_token"} 1.0',
        'attune_stage_seconds_count{stage="search_knowledge_base"} 1.0',
        'attune_stage_seconds_count{stage="whole"} 1.0',
        "attune_retrieval_score_count 1.0",
        'attune_http_requests_total{method="POST",route="/api/query",status="200"} 1.0',
        'attune_http_requests_total{method="GET",route="unknown",status="404"} 1.0',
    ):
        assert line in text.splitlines()
    assert "ada" not in text


async def events_of(*events: Event) -> AsyncGenerator[Event]:
    for event in events:
        yield event


async def watched(watch: TurnWatch, *events: Event, stop_after: int | None = None) -> None:
    running = watch(Turn("ada", "How?"), events_of(*events))
    async for _ in running:
        if stop_after is not None and (stop_after := stop_after - 1) == 0:
            break
    await running.aclose()


async def test_counts_how_turns_end():
    metrics = Metrics()
    watch = TurnWatch(metrics)
    await watched(watch, *play("Yes [1].", input_tokens=700, output_tokens=30))
    await watched(watch, *play("No.", answered=False))
    await watched(watch, *play("Half", notices=[Notice(code="model_cut", text="Cut.")], cut=True))
    await watched(watch, *play(failed=Failed(code="internal", message="Sorry.")))
    await watched(watch, *play(), stop_after=3)
    text = metrics.text().decode()
    found = dict(re.findall(r'attune_turns_total\{channel="api",outcome="(\w+)"\} (\S+)', text))
    assert found == dict.fromkeys(["answered", "unanswered", "cut", "failed", "stopped"], "1.0")
    assert dict(re.findall(r'attune_errors_total\{kind="(\w+)"\} (\S+)', text)) == {
        "internal": "1.0",
        "model_cut": "1.0",
    }
    assert dict(re.findall(r'attune_tokens_total\{kind="(\w+)"\} (\S+)', text)) == {"input": "700.0", "output": "30.0"}
    assert "attune_turns_running 0.0" in text


async def test_counts_what_is_learned_and_what_comes_of_recommendations():
    metrics = Metrics()
    kinds: list[Literal["preference", "fact"]] = ["preference", "preference", "fact"]
    learnt = [Learnt(kind=kind, facet="topic", value="escrow", quote="escrow") for kind in kinds]
    await watched(TurnWatch(metrics), *play("Yes [1].")[:-1], ProfileUpdated(learned=learnt), play("Yes [1].")[-1])
    metrics.acted("save", 2)
    lines = metrics.text().decode().splitlines()
    for line in (
        'attune_learned_total{kind="preference"} 2.0',
        'attune_learned_total{kind="fact"} 1.0',
        'attune_actions_total{type="save"} 2.0',
    ):
        assert line in lines
    assert not any("escrow" in line for line in lines)


async def test_traces_turns_and_their_tools():
    exporter = InMemorySpanExporter()
    tracing = Tracing(exporter, version="1")
    await watched(TurnWatch(Metrics(), tracing=tracing), *play("Yes [1]."))
    await watched(TurnWatch(Metrics(), tracing=tracing), *play(failed=Failed(code="internal", message="Sorry.")))
    await asyncio.to_thread(tracing.close)
    spans = exporter.get_finished_spans()
    assert [span.name for span in spans] == ["tool search_knowledge_base", "turn"] * 2
    tool, turn, _, failed = spans
    assert tool.parent is not None
    assert turn.context is not None
    assert tool.parent.span_id == turn.context.span_id
    assert (turn.attributes or {})["attune.outcome"] == "answered"
    assert not failed.status.is_ok
    assert "How?" not in " ".join(span.to_json() for span in spans)


async def test_lines_carry_the_ids_of_request_and_conversation(
    settings: Settings, assistant_on_disk: Assistant, log_stream: io.StringIO
):
    await ask(create_api(settings, assistant=assistant_on_disk), assistant_on_disk, **{"X-Request-Id": "from-a-proxy"})
    lines = [json.loads(line) for line in log_stream.getvalue().splitlines()]
    (turn,) = [line for line in lines if line["event"] == "turn"]
    (request,) = [line for line in lines if line.get("route") == "/api/query"]
    assert turn["request_id"] == request["request_id"] == "from-a-proxy"
    (conversation,) = await assistant_on_disk.conversations("ada-lovelace")
    assert turn["conversation_id"] == conversation.id
    assert turn["outcome"] == "unanswered"
    assert "secret" not in log_stream.getvalue()
    assert "lovelace" not in log_stream.getvalue()


async def test_messages_are_logged_when_asked_and_then_masked(
    settings: Settings, assistant_on_disk: Assistant, log_stream: io.StringIO
):
    chatty = settings.model_copy(update={"log_messages": True})
    await ask(create_api(chatty, assistant=assistant_on_disk), assistant_on_disk)
    (turn,) = [one for line in log_stream.getvalue().splitlines() if (one := json.loads(line))["event"] == "turn"]
    assert turn["question"] == "Is [email] a secret question?"
    assert turn["answer"]
    assert "example.org" not in log_stream.getvalue()


@pytest.mark.parametrize("given", ["", "a b", "x" * 65, "a\x7fb", "<script>"])
async def test_a_request_id_that_no_log_should_hold_is_replaced(client: httpx.AsyncClient, given: str):
    response = await client.get("/health/live", headers={"X-Request-Id": given})
    assert re.fullmatch("[0-9a-f]{32}", response.headers["x-request-id"])


async def test_an_error_names_its_request(client: httpx.AsyncClient):
    response = await client.get("/api/nothing", headers={"X-Request-Id": "abc-123"})
    assert response.json()["request_id"] == response.headers["x-request-id"] == "abc-123"


class Slow(ScriptedAssistant):
    """Its database does not answer."""

    async def starters(self) -> list[str]:
        await asyncio.sleep(60)
        return []


class Broken(ScriptedAssistant):
    """Its database cannot be read."""

    async def starters(self) -> list[str]:
        raise TurnFailed("a secret path")


@pytest.mark.parametrize("kind", [Slow, Broken])
async def test_is_not_ready_when_a_dependency_is_not(settings: Settings, kind: type[ScriptedAssistant]):
    async with opened(settings, kind()) as open_, asyncio.timeout(30):
        response = await open_.client.get("/health/ready")
        assert (await open_.client.get("/health/live")).status_code == 200
    assert response.status_code == 503
    assert [error["field"] for error in response.json()["errors"]] == ["documents"]
    assert "secret" not in response.text


async def test_says_that_its_data_folder_is_gone_until_it_is_back(settings: Settings, tmp_path: Path):
    app = create_api(settings)
    transport = httpx.ASGITransport(app=app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client,
    ):
        assert "data folder" in (await client.get("/health/ready")).json()["checks"]
        settings.data_dir.rename(tmp_path / "elsewhere")
        gone = await client.get("/health/ready")
        (tmp_path / "elsewhere").rename(settings.data_dir)
        assert (await client.get("/health/ready")).status_code == 200
    assert gone.status_code == 503
    (wrong,) = gone.json()["errors"]
    assert wrong["field"] == "data folder"
    assert "attune.db, checkpoints.db, knowledge.db is gone" in wrong["message"]
    assert str(tmp_path) not in gone.text


PREFLIGHT = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization,content-type"}


async def test_pages_of_named_origins_may_call(closed_settings: Settings, assistant: ScriptedAssistant):
    named = closed_settings.model_copy(update={"cors_origins": ["https://help.example"]})
    async with opened(named, assistant) as closed:
        allowed = await closed.client.options("/api/query", headers=PREFLIGHT | {"Origin": "https://help.example"})
        assert allowed.headers["access-control-allow-origin"] == "https://help.example"
        assert "access-control-allow-credentials" not in allowed.headers
        other = await closed.client.options("/api/query", headers=PREFLIGHT | {"Origin": "https://evil.example"})
        assert other.status_code == 400
        assert "access-control-allow-origin" not in other.headers


async def test_by_default_no_page_may_call(client: httpx.AsyncClient):
    response = await client.options("/api/query", headers=PREFLIGHT | {"Origin": "https://help.example"})
    assert "access-control-allow-origin" not in response.headers


async def test_the_description_can_be_read_by_people(client: httpx.AsyncClient):
    schema = (await client.get("/openapi.json")).json()
    operations = [
        (path, method, operation) for path, methods in schema["paths"].items() for method, operation in methods.items()
    ]
    ids = [operation["operationId"] for _, _, operation in operations]
    assert len(set(ids)) == len(ids)
    assert all(re.fullmatch("[a-z_]+", name) for name in ids)
    described = {tag["name"] for tag in schema["tags"]}
    assert {tag for _, _, operation in operations for tag in operation["tags"]} <= described
    for path, method, operation in operations:
        assert operation.get("description"), (method, path)
        if not path.startswith("/health"):
            assert operation["security"], (method, path)
            assert "401" in operation["responses"], (method, path)
    assert {"key or token"} == set(schema["components"]["securitySchemes"])
