"""What a profile costs: `python -m benchmarks.profile [--users N] [--postgres URL] [--json]`.

- read: one profile out of 100,000 users with 50 preferences each, in random order, p50 and p95.
- learn: one message with three signals and a tag, in a transaction of its own, as after a turn; `begin and commit` is
  the same transaction with one small insert, which is the disk's share.

Each on SQLite and, given a URL or ATTUNE_TEST_POSTGRES, on PostgreSQL in a schema of its own, dropped at the end.
"""

import argparse
import asyncio
import json
import os
import random
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from statistics import median, quantiles
from typing import Any
from uuid import uuid4

from sqlalchemy import bindparam, insert, make_url, text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.schema import CreateSchema, DropSchema

from tools.database import UtcDateTime, now, open_database
from tools.profile.model import Interaction, Lessons, Signal, TagSeen
from tools.profile.store import ProfileStore
from tools.profile.tables import profiles

PREFERENCES = 50
NUMBERS = """
    CREATE TABLE numbers AS
    WITH RECURSIVE series(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM series WHERE n < :last) SELECT n FROM series
"""
FEW = "CREATE TABLE few AS SELECT n FROM numbers WHERE n < :preferences"
USERS = """
    INSERT INTO profiles (user_id, learning, corrected, interactions, created_at, updated_at)
    SELECT 'user-' || n, true, false, 0, :time, :time FROM numbers
"""
THEIR_PREFERENCES = """
    INSERT INTO preferences (user_id, facet, value, score, evidence, seen_at)
    SELECT 'user-' || users.n, 'facet ' || (which.n % 5), 'Value ' || which.n,
           ((users.n * 31 + which.n * 17) % 120 - 20) / 100.0, 1 + which.n % 7, :now - 86400.0 * which.n
      FROM numbers AS users CROSS JOIN few AS which
"""
BARS = {
    "sqlite": {"read p50 (ms)": 1.0, "learn p50 (ms)": 4.0},
    "postgresql": {"read p50 (ms)": 3.0},
}
LESSONS = Lessons(
    [Signal("topic", f"Topic {n}", 0.3, "how does this work") for n in range(3)], [TagSeen("Topic 1", 0.6, "this")]
)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--users", type=int, default=100_000)
    parser.add_argument("--reads", type=int, default=2_000)
    parser.add_argument("--postgres", default=os.environ.get("ATTUNE_TEST_POSTGRES"), help="a database's URL")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    results = asyncio.run(measure_all(options.users, options.reads, options.postgres))
    if options.json:
        print(json.dumps(results, indent=2))
    else:
        report(results)


def report(results: dict[str, dict[str, float]]) -> None:
    for database, measured in results.items():
        print(database)
        for name, value in measured.items():
            bar = BARS[database].get(name)
            print(f"  {name:28} {value:10.3f}" + (f"   (bar: below {bar:g})" if bar else ""))


async def measure_all(users: int, reads: int, postgres: str | None) -> dict[str, dict[str, float]]:
    results = {}
    with tempfile.TemporaryDirectory() as folder:
        results["sqlite"] = await measure(f"sqlite+aiosqlite:///{Path(folder) / 'attune.db'}", users, reads)
    if postgres:
        async with schema(postgres) as url:
            results["postgresql"] = await measure(url, users, reads)
    return results


@asynccontextmanager
async def schema(url: str) -> AsyncIterator[str]:
    """A URL on a new schema, dropped at the end."""
    name = f"benchmark_{uuid4().hex[:12]}"
    admin = create_async_engine(url, isolation_level="AUTOCOMMIT")
    async with admin.connect() as connection:
        await connection.execute(CreateSchema(name))
    try:
        inside = make_url(url).update_query_dict({"options": f"-csearch_path={name}"})
        yield inside.render_as_string(hide_password=False)
    finally:
        async with admin.connect() as connection:
            await connection.execute(DropSchema(name, cascade=True))
        await admin.dispose()


async def measure(url: str, users: int, reads: int) -> dict[str, float]:
    async with open_database(url) as engine:
        started = time.perf_counter()
        await fill(engine, users)
        filled = time.perf_counter() - started
        store = ProfileStore(engine)
        chosen = [f"user-{random.randrange(users)}" for _ in range(reads)]  # noqa: S311

        async def read(number: int) -> None:
            assert len((await store.read(chosen[number])).preferences) == PREFERENCES

        async def learn(number: int) -> None:
            async with engine.begin() as connection:
                asked = Interaction("question", metadata={"text": "how does this work?"})
                await store.learn(connection, chosen[number], asked, LESSONS, message_id=uuid4().hex)

        async def commit(number: int) -> None:
            async with engine.begin() as connection:
                await connection.execute(insert(profiles).values(_profile(f"other-{number}")))

        read_times = await timed(read, reads)
        learn_times, commit_times = await timed(learn, 300), await timed(commit, 300)
    return {
        "users": users,
        "filling (s)": filled,
        "read p50 (ms)": median(read_times),
        "read p95 (ms)": quantiles(read_times, n=20)[-1],
        "learn p50 (ms)": median(learn_times),
        "begin and commit p50 (ms)": median(commit_times),
    }


async def timed(work: Callable[[int], Awaitable[None]], times: int) -> list[float]:
    """Milliseconds of each run; the first tenth warms up and is not counted."""
    taken = []
    for number in range(times):
        started = time.perf_counter()
        await work(number)
        taken.append((time.perf_counter() - started) * 1000)
    return taken[times // 10 :]


async def fill(engine: AsyncEngine, users: int) -> None:
    """Users and their preferences, made by the database itself."""
    async with engine.begin() as connection:
        await connection.execute(text(NUMBERS), {"last": users - 1})
        await connection.execute(text(FEW), {"preferences": PREFERENCES})
        await connection.execute(text(USERS).bindparams(bindparam("time", type_=UtcDateTime)), {"time": now()})
        await connection.execute(text(THEIR_PREFERENCES), {"now": time.time()})
    async with engine.connect() as connection:
        await (await connection.execution_options(isolation_level="AUTOCOMMIT")).execute(text("ANALYZE"))


def _profile(user_id: str) -> dict[str, Any]:
    times = {"created_at": now(), "updated_at": now()}
    return {"user_id": user_id, "learning": True, "corrected": False, "interactions": 0, **times}


if __name__ == "__main__":
    main()
