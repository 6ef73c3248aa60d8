"""What a turn costs: `python -m benchmarks.turn [--json]`.

- extractive: the whole turn with no model, from the question to the stored reply.
- remote: the same with a scripted model server in a process of its own that answers at once; 30 pieces of answer. The
  server's own share is measured in the same run by asking it over a bare socket.
- long: turn 200 of a conversation beside turn 5 of a fresh one, alternating, so that noise falls on both.

The knowledge base is the demo articles and generated pages, 1,000 passages in all.
"""

import argparse
import asyncio
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from statistics import median
from urllib.parse import urlsplit

from agent.assistant import Assistant, Turn
from agent.build import open_assistant
from agent.events import Replied, Token
from agent.knowledge import open_knowledge
from agent.settings import Settings
from benchmarks.pages import write_pages
from knowledge_base.ingest import ingest
from ui.commands.running import new_runner

QUESTIONS = Path(__file__).parent / "demo_questions.jsonl"
ARTICLES = Path(__file__).parents[1] / "knowledge_base" / "articles"
PASSAGES = 1_000
WARM_UP = 20


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--turns", type=int, default=200)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    # On the event loop that `make run` serves with.
    with tempfile.TemporaryDirectory() as folder, new_runner() as runner:
        results = runner.run(measure(Path(folder), options.turns))
    if options.json:
        print(json.dumps(results, indent=2))
    else:
        report(results)


def report(results: dict[str, float]) -> None:
    bars = {
        "extractive turn p50 (ms)": 60,
        "remote turn less the server p50 (ms)": 25,
        "remote first token p50 (ms)": 20,
        "turn 200 / turn 5": 1.1,
    }
    for name, value in results.items():
        bar = f"   (bar: at most {bars[name]})" if name in bars else ""
        print(f"{name:40} {value:8.2f}{bar}")


async def measure(folder: Path, turns: int) -> dict[str, float]:
    """Every figure by name; times in milliseconds."""
    local = Settings(data_dir=folder, model=None, openai_api_key=None, openai_base_url=None, _env_file=None)
    passages = fill(local, folder / "pages")
    questions = [json.loads(line)["question"] for line in QUESTIONS.read_text().splitlines()]
    results = {"passages": float(passages)}
    async with open_assistant(local) as assistant:
        await _settled(assistant)
        whole, first = await time_turns(assistant, questions, turns)
        results |= {"extractive turn p50 (ms)": whole, "extractive first token p50 (ms)": first}
        results["turn 200 / turn 5"] = await long_conversation(assistant, questions)
    async with model_server() as base_url:
        remote = local.model_copy(update={"openai_base_url": base_url, "model": "scripted"})
        bare = await time_server(base_url, turns)
        async with open_assistant(remote) as assistant:
            await _settled(assistant)
            whole, first = await time_turns(assistant, questions, turns)
    results |= {
        "remote turn p50 (ms)": whole,
        "remote server alone p50 (ms)": bare,
        "remote turn less the server p50 (ms)": whole - bare,
        "remote first token p50 (ms)": first,
    }
    return results


def fill(settings: Settings, pages: Path) -> int:
    """Ingest the demo articles and as many generated pages as make PASSAGES; how many there are."""
    with open_knowledge(settings) as knowledge:
        add = partial(ingest, store=knowledge.store, index=knowledge.index, embedder=knowledge.embedder)
        add([ARTICLES])
        missing = PASSAGES - knowledge.store.counts().passages
        write_pages(pages, count=max(0, missing))
        add([pages])
        return knowledge.store.counts().passages


async def _settled(assistant: Assistant) -> None:
    """Wait for what follows an ingest in the background: the vectors of the catalogue, and the topics."""
    await assistant.follow_taxonomy()
    while not await assistant.recommender.catalogue.all():  # noqa: ASYNC110 (another task fills it)
        await asyncio.sleep(0.1)
    await assistant.recommender.embed_items()


async def time_turns(assistant: Assistant, questions: list[str], turns: int) -> tuple[float, float]:
    """p50 of whole turns and of first tokens, each in a new conversation."""
    whole, first = [], []
    for number in range(WARM_UP + turns):
        started = time.perf_counter()
        token, end = await run_turn(assistant, Turn("bench", questions[number % len(questions)]))
        if number >= WARM_UP:
            first.append(token - started)
            whole.append(end - started)
    return median(whole) * 1000, median(first) * 1000


async def run_turn(assistant: Assistant, turn: Turn) -> tuple[float, float]:
    """When the first token came and when the turn was over."""
    token = 0.0
    async for event in assistant.stream(turn):
        if isinstance(event, Token) and not token:
            token = time.perf_counter()
    return token, time.perf_counter()


async def long_conversation(assistant: Assistant, questions: list[str]) -> float:
    """Turn 200 and later over turn 5: the ratio of the medians of forty pairs."""
    say = _speaker(assistant, questions)
    long = ""
    for number in range(200):
        long, _ = await say(long, number)
    late, early = [], []
    for pair in range(40):
        short = ""
        for number in range(4):
            short, _ = await say(short, number)
        early.append((await say(short, pair))[1])
        late.append((await say(long, pair))[1])
    return median(late) / median(early)


def _speaker(assistant: Assistant, questions: list[str]) -> Callable[[str, int], Awaitable[tuple[str, float]]]:
    async def say(conversation: str, number: int) -> tuple[str, float]:
        started = time.perf_counter()
        async for event in assistant.stream(Turn("bench", questions[number % len(questions)], conversation or None)):
            if isinstance(event, Replied):
                conversation = event.reply.conversation_id
        return conversation, time.perf_counter() - started

    return say


@asynccontextmanager
async def model_server() -> AsyncIterator[str]:
    """The scripted server in a process of its own; gives its base URL."""
    command = [sys.executable, "-m", "tests.model_server", "--tokens", "30"]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)  # noqa: S603, ASYNC220
    assert process.stdin
    assert process.stdout
    try:
        yield process.stdout.readline().strip()
    finally:
        process.stdin.close()
        process.wait(10)


async def time_server(base_url: str, turns: int) -> float:
    """p50 of one streamed answer read off a bare socket, in milliseconds."""
    place = urlsplit(base_url)
    body = json.dumps({"model": "scripted", "stream": True, "messages": [{"role": "user", "content": "?"}]}).encode()
    head = (
        f"POST {place.path}/chat/completions HTTP/1.1\r\nHost: {place.netloc}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    ).encode()
    reader, writer = await asyncio.open_connection(place.hostname, place.port)
    took = []
    for _ in range(turns):
        started = time.perf_counter()
        writer.write(head + body)
        await reader.readuntil(b"[DONE]\n\n")
        took.append(time.perf_counter() - started)
        await reader.readuntil(b"0\r\n\r\n")
    writer.close()
    return median(took) * 1000


if __name__ == "__main__":
    main()
