"""Sends the API thousands of made-up requests, with credentials: `python -m benchmarks.fuzz_api [--examples 60]`.

schemathesis makes them from the API's own description, right ones and wrong ones, and checks that no answer is a 5xx
and that each has a documented status, the media type and the schema that are documented for it, and that nothing is
answered without credentials. The application is the real one, with the extractive model and the demo's articles, on a
loopback port. The exit code is 0 when nothing was found.
"""

import argparse
import asyncio
import json
import re
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import jwt
from pydantic import SecretStr

from agent.build import open_assistant
from agent.knowledge import open_knowledge
from agent.settings import Settings
from knowledge_base.ingest import ingest
from ui.app import create_api
from ui.server import Server, bind

SECRET = "only for as long as this program runs"  # noqa: S105
ISSUER, AUDIENCE = "https://login.example", "attune"
ARTICLES = Path(__file__).parents[1] / "knowledge_base" / "articles"
# What these would add is wrong here: a good id may name nothing, and where one path is also an instance of another
# (/links/codes of /links/{link_id}) the header Allow rightly names the methods of both.
LEFT_OUT = "positive_data_acceptance,ensure_resource_availability,allow_header_conformance"
# A wrong request may also be one that is too long.
CONFIG = '[checks]\nnegative_data_rejection.expected-statuses = ["4xx"]\n'


@dataclass(frozen=True)
class Outcome:
    """What schemathesis says."""

    code: int
    cases: int
    output: str


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--examples", type=int, default=60, help="made up at random for each operation, at most")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--tag", action="append", default=[], help="only operations with one of these tags")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        settings = settings_in(Path(folder))
        with open_knowledge(settings) as knowledge:
            ingest([ARTICLES], store=knowledge.store, index=knowledge.index, embedder=knowledge.embedder)
        started = time.perf_counter()
        outcome = asyncio.run(fuzz(settings, examples=options.examples, seed=options.seed, tags=options.tag))
    if options.json:
        print(json.dumps({"cases": outcome.cases, "failed": outcome.code != 0}))
    else:
        print(outcome.output)
        print(f"{outcome.cases} cases in {time.perf_counter() - started:.0f} s (bar: 2,000 or more, nothing found)")
    sys.exit(outcome.code)


def settings_in(folder: Path) -> Settings:
    """Everyone signs in, and may ask as much as they like."""
    return Settings(
        _env_file=None,
        data_dir=folder,
        jwt_secret=SecretStr(SECRET),
        jwt_issuer=ISSUER,
        jwt_audience=AUDIENCE,
        rate_limit="off",
        turn_rate_limit="off",
    )


async def fuzz(
    settings: Settings,
    *,
    examples: int,
    seed: int,
    phases: str = "examples,coverage,fuzzing",
    tags: Sequence[str] = (),
) -> Outcome:
    """Serve, and let schemathesis ask."""
    chosen = ["--max-examples", str(examples), "--seed", str(seed), "--phases", phases]
    chosen += [word for tag in tags for word in ("--include-tag", tag)]
    listener = bind("127.0.0.1", 0)
    async with AsyncExitStack() as stack:
        assistant = await stack.enter_async_context(open_assistant(settings))
        server = Server(create_api(settings, assistant=assistant), patience=1)
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        try:
            return await _schemathesis(url, chosen, settings.data_dir)
        finally:
            server.should_exit = True
            await serving


async def _schemathesis(url: str, chosen: Sequence[str], folder: Path) -> Outcome:
    command = ["run", f"{url}/openapi.json", "--checks", "all", "--exclude-checks", LEFT_OUT]
    command += ["--header", f"Authorization: Bearer {_admin()}", "--request-timeout", "30", *chosen]
    command += ["--suppress-health-check", "all", "--warnings", "off", "--no-shrink"]
    (folder / "schemathesis.toml").write_text(CONFIG)
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "schemathesis.cli",
        *command,
        cwd=folder,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    text = output.decode(errors="replace")
    return Outcome(process.returncode or 0, _cases(text), text)


def _admin() -> str:
    """An admin may name any user, so that good requests come as far as they can."""
    claims = {"sub": "fuzz", "iss": ISSUER, "aud": AUDIENCE, "exp": int(time.time()) + 3600, "scope": "attune:admin"}
    return jwt.encode(claims, SECRET, algorithm="HS256")


def _cases(output: str) -> int:
    """The number in '2,345 generated'."""
    found = re.search(r"^\s*([\d,]+) generated", output, re.MULTILINE)
    return int(found[1].replace(",", "")) if found else 0


if __name__ == "__main__":
    main()
