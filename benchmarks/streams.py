"""Many conversations at once, and many turns after each other: `python -m benchmarks.streams [--json]`.

- streams: 8 and then 64 clients, each with a conversation of its own, stream turns over HTTP from one process; the
  model is a scripted server in another. Each client checks that every event is of its own turn. Reported are
  errors, events that belong to another turn, turns per second at 8 and at 64, and how much longer the slowest
  conversation took than the median. Server, clients and model share the machine, so these are lower bounds.
- memory: the resident memory of the serving process over thousands of turns, after a warm-up.
"""

import argparse
import asyncio
import gc
import json
import os
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from agent.build import open_assistant
from agent.knowledge import open_knowledge
from agent.settings import Settings
from benchmarks.turn import model_server
from knowledge_base.ingest import ingest
from ui.app import create_api
from ui.server import Server, bind, freeze_garbage

ARTICLES = Path(__file__).parents[1] / "knowledge_base" / "articles"
QUESTIONS = Path(__file__).parent / "demo_questions.jsonl"
ROUNDS = 3
BARS = {
    "errors": "0",
    "mixed-up events": "0",
    "throughput at 64 / at 8": "at least 1",
    "slowest / median at 64": "at most 2",
    "memory growth (%)": "below 5",
}


@dataclass
class Round:
    """What the clients of one round saw; `took` has the seconds of each conversation."""

    took: list[float] = field(default_factory=list)
    first: list[float] = field(default_factory=list)
    turns: int = 0
    errors: int = 0
    mixed: int = 0
    seconds: float = 0
    cpu: float = 0
    unfair: float = 0

    def add(self, other: "Round", cpu: float) -> None:
        """One round more, in which the server used this much CPU time; `unfair` is that of the worst round."""
        self.turns += other.turns
        self.errors += other.errors
        self.mixed += other.mixed
        self.seconds += other.seconds
        self.cpu += cpu
        self.first += other.first
        self.unfair = max(self.unfair, max(other.took) / median(other.took))

    @property
    def throughput(self) -> float:
        """Turns a second."""
        return self.turns / self.seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--turns", type=int, default=640, help="of each round, over all conversations")
    parser.add_argument("--memory-turns", type=int, default=10_000)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--serve", metavar="FOLDER", help=argparse.SUPPRESS)
    parser.add_argument("--model-url", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        import uvloop

        uvloop.run(serve(Path(options.serve), options.model_url))
        return
    with tempfile.TemporaryDirectory() as folder:
        results = asyncio.run(measure(Path(folder), options.turns, options.memory_turns))
    if options.json:
        print(json.dumps(results, indent=2))
        return
    for name, value in results.items():
        print(f"{name:32} {value:10.2f}" + (f"   (bar: {BARS[name]})" if name in BARS else ""))


def settings_in(folder: Path, model_url: str | None) -> Settings:
    """The extractive model, or the scripted one at this address."""
    model = "scripted" if model_url else None
    return Settings(
        _env_file=None, data_dir=folder, model=model, openai_base_url=model_url, openai_api_key=None, max_streams=64
    )


async def serve(folder: Path, model_url: str | None) -> None:
    """The process that is measured: the real application, until its input ends."""
    settings = settings_in(folder, model_url)
    with bind("127.0.0.1", 0) as listener:
        async with open_assistant(settings) as assistant:
            server = Server(create_api(settings, assistant=assistant), when_ready=freeze_garbage)
            serving = asyncio.create_task(server.serve(sockets=[listener]))
            print(listener.getsockname()[1], flush=True)
            await asyncio.to_thread(sys.stdin.read)
            server.should_exit = True
            await serving


async def measure(folder: Path, turns: int, memory_turns: int) -> dict[str, float]:
    """Every figure by name."""
    with open_knowledge(settings_in(folder, None)) as knowledge:
        ingest([ARTICLES], store=knowledge.store, index=knowledge.index, embedder=knowledge.embedder)
    questions = [json.loads(line)["question"] for line in QUESTIONS.read_text().splitlines()]
    async with model_server() as model_url, served(folder, model_url) as (port, pid):
        await clients(port, 8, 64, questions)  # warm up
        few, many = Round(), Round()
        for _ in range(ROUNDS):  # alternating, so that noise falls on both
            for count, total in ((8, few), (64, many)):
                before = cpu(pid)
                total.add(await clients(port, count, turns, questions), cpu(pid) - before)
        return _figures(few, many) | await memory(port, pid, memory_turns, questions)


def _figures(few: Round, many: Round) -> dict[str, float]:
    return {
        "errors": float(few.errors + many.errors),
        "mixed-up events": float(few.mixed + many.mixed),
        "turns a second at 8": few.throughput,
        "turns a second at 64": many.throughput,
        "throughput at 64 / at 8": many.throughput / few.throughput,
        "slowest / median at 64": many.unfair,
        "first event p50 at 64 (ms)": median(many.first) * 1000,
        "server's CPU a turn at 8 (ms)": few.cpu / few.turns * 1000,
        "server's CPU a turn at 64 (ms)": many.cpu / many.turns * 1000,
    }


def cpu(pid: int) -> float:
    """Seconds of CPU that a process has used: unlike a clock, not changed by what else the machine does."""
    user, system = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


async def memory(port: int, pid: int, turns: int, questions: list[str]) -> dict[str, float]:
    """Resident memory after a tenth of the turns and at the end. Each client starts a conversation every ten turns."""
    if not turns:
        return {}
    await clients(port, 16, turns // 10, questions)
    before, errors = resident(pid), 0
    for _ in range(9):
        done = await clients(port, 16, turns // 10, questions)
        errors += done.errors + done.mixed
        print(f"  {resident(pid):.1f} MB", file=sys.stderr)
    after = resident(pid)
    return {
        "errors in the long run": float(errors),
        "memory after warm-up (MB)": before,
        "memory at the end (MB)": after,
        "memory growth (%)": (after / before - 1) * 100,
    }


def resident(pid: int) -> float:
    """What a process holds in memory, in MB."""
    gc.collect()
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise RuntimeError("Expected /proc with VmRSS: run this on Linux")


@asynccontextmanager
async def served(folder: Path, model_url: str) -> AsyncIterator[tuple[int, int]]:
    """The serving process: its port and its process id."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "benchmarks.streams",
        "--serve",
        str(folder),
        "--model-url",
        model_url,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdin
    assert process.stdout
    try:
        yield int(await process.stdout.readline()), process.pid
    finally:
        process.stdin.close()
        await process.wait()


async def clients(port: int, count: int, turns: int, questions: list[str]) -> Round:
    """So many conversations at once, with so many turns in all."""
    seen = Round()
    started = time.perf_counter()
    await asyncio.gather(*(_converse(port, name, turns // count, questions, seen) for name in range(count)))
    seen.seconds = time.perf_counter() - started
    return seen


async def _converse(port: int, name: int, turns: int, questions: list[str], seen: Round) -> None:
    """One client on one connection; a conversation has ten turns."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    started, conversation = time.perf_counter(), None
    for number in range(turns):
        conversation = None if number % 10 == 0 else conversation
        question = questions[(name * 31 + number) % len(questions)]
        asked = {"user_id": f"client-{name}", "query": question, "conversation_id": conversation}
        conversation = await _turn(reader, writer, asked, seen)
        seen.turns += 1
    seen.took.append(time.perf_counter() - started)
    writer.close()
    await writer.wait_closed()


async def _turn(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, asked: dict[str, str | None], seen: Round
) -> str | None:
    """One streamed turn, checked; the conversation's id."""
    body = json.dumps(asked).encode()
    head = f"POST /api/query/stream HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n"
    started = time.perf_counter()
    writer.write(f"{head}Content-Type: application/json\r\n\r\n".encode() + body)
    status = await reader.readuntil(b"\r\n\r\n")
    seen.first.append(time.perf_counter() - started)
    events = [json.loads(data) for data in _data(await _chunked(reader))]
    if b" 200 " not in status.partition(b"\r\n")[0] or not events or events[-1]["type"] != "reply":
        seen.errors += 1
        return None
    begun, said = events[0], "".join(event["text"] for event in events if event["type"] == "token")
    last = events[-1]["reply"]
    same = all(begun[name] == last[name] for name in ("conversation_id", "message_id"))
    going_on = asked["conversation_id"] in (None, begun["conversation_id"])
    looked_for = [event["arguments"].get("query") for event in events if event["type"] == "tool_started"]
    if not (same and going_on and said.strip() == last["answer"] and asked["query"] in looked_for):
        seen.mixed += 1
    return str(begun["conversation_id"])


async def _chunked(reader: asyncio.StreamReader) -> bytes:
    """A body in chunks (RFC 9112, 7.1), put together."""
    body = bytearray()
    while size := int(await reader.readline(), 16):
        body += await reader.readexactly(size)
        await reader.readexactly(2)
    await reader.readexactly(2)
    return bytes(body)


def _data(stream: bytes) -> list[bytes]:
    return [line.removeprefix(b"data: ") for line in stream.split(b"\n") if line.startswith(b"data: ")]


if __name__ == "__main__":
    main()
