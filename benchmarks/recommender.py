"""How fast lists are made and models trained, and what boosts add. Prints figures beside their bars.

python -m benchmarks.recommender rank        lists over 10,000 and 100,000 items, candidates included, and from cache
python -m benchmarks.recommender train       1 million interactions × 10,000 items: seconds and peak memory
python -m benchmarks.recommender boosts      opposite users, with and without boosts
"""

import argparse
import asyncio
import resource
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from scipy.sparse import random_array  # type: ignore[import-untyped]

from tools.database import open_database
from tools.profile.model import Interaction
from tools.profile.store import ProfileStore
from tools.recommender.catalogue import CatalogueStore
from tools.recommender.choosing import choose
from tools.recommender.facet_matrix import facet_matrix
from tools.recommender.log import Log
from tools.recommender.model import Item
from tools.recommender.policy import Policy
from tools.recommender.ranking import Ranker, Wish
from tools.recommender.reasons import reasons_of
from tools.recommender.service import Recommender
from tools.recommender.shelf import make_shelf
from tools.recommender.signals import SOURCES, Catalogue, Weights
from tools.recommender.trained import Trained, save, train
from tools.recommender.user_state import UserState

NOW = 1_750_000_000.0
GENRES = [f"genre {number}" for number in range(20)]
Times = list[tuple[float, float]]
"""Seconds by the clock, and of the processor; they differ on a busy machine."""
BARS = {10_000: 5.0, 100_000: 30.0}


def catalogue(size: int, draw: np.random.Generator) -> list[Item]:
    """Items with the facets of films: two genres, three actors, a director, five keywords."""
    genres = draw.integers(0, len(GENRES), (size, 2))
    actors, directors = draw.integers(0, size // 4, (size, 3)), draw.integers(0, size // 8, size)
    words = draw.integers(0, size // 2, (size, 5))
    return [
        Item(
            id=f"i{number}",
            title=f"Film {number}",
            category="movie",
            facets={
                "genre": tuple(GENRES[one] for one in genres[number]),
                "actor": tuple(f"actor {one}" for one in actors[number]),
                "director": (f"director {directors[number]}",),
                "keyword": tuple(f"word {one}" for one in words[number]),
            },
        )
        for number in range(size)
    ]


def learned(items: list[Item], draw: np.random.Generator) -> Trained:
    """Weights with the size of real ones: 300 a row of each kind."""
    size = len(items)
    matrices = [
        random_array((size, size), density=300 / size, rng=draw, dtype=np.float32, format="csr") for _ in range(3)
    ]
    counts = draw.pareto(1.0, (6, size)).astype(np.float32)
    return Trained("benchmark", tuple(item.id for item in items), Weights(*matrices), counts, BLEND, size)


BLEND = np.linspace(0.2, 1.0, len(SOURCES)).astype(np.float32)


def user(number: int, items: list[Item], draw: np.random.Generator) -> UserState:
    """Someone with 100 likes and 50 preferences."""
    liked = tuple(items[one].id for one in draw.choice(len(items), 100, replace=False))
    values = [
        (facet, value) for id in liked[:20] for facet, some in items[int(id[1:])].facets.items() for value in some
    ]
    prefers = {pair: float(draw.uniform(-0.3, 0.9)) for pair in values[:50]}
    return UserState(f"user {number}", liked=liked, met=frozenset(liked), prefers=prefers)


def rank(size: int) -> None:
    """A list of ten from nothing: scores of all, candidates, variety, reasons."""
    draw = np.random.default_rng(0)
    items = catalogue(size, draw)
    ranker = Ranker(make_shelf(items), learned(items, draw), Policy(), now=NOW)
    users = [user(number, items, draw) for number in range(50)]

    def one(state: UserState) -> None:
        scores = ranker.scores(state, Wish(), now=NOW)
        for place in choose(ranker, scores, 10, explore=0.1, draw=draw).places:
            reasons_of(ranker, scores, state, place)

    _report(f"{size:,} items", _times(one, users), BARS[size])


async def from_cache() -> None:
    """The second time, through the service."""
    with tempfile.TemporaryDirectory() as folder:
        draw = np.random.default_rng(0)
        items = catalogue(10_000, draw)
        async with open_database(f"sqlite+aiosqlite:///{folder}/attune.db") as engine:
            await CatalogueStore(engine).put(items, source="benchmark")
            await asyncio.to_thread(save, learned(items, draw), Path(folder))
            recommender = Recommender(engine, ProfileStore(engine), folder=Path(folder))
            await recommender.open()
            await recommender.act("u", [Interaction("save", item_id=item.id) for item in items[:50]])
            _report("whole request, 10,000 items", await _awaited(recommender, warm=False), 5.0)
            _report("from cache", await _awaited(recommender, warm=True), 1.0)
            await recommender.close()


async def _awaited(recommender: Recommender, *, warm: bool) -> Times:
    times = []
    for _ in range(200 if warm else 30):
        if not warm:
            await recommender.changed("u")
        start = time.perf_counter(), time.process_time()
        await recommender.recommend("u", log=False)
        times.append((time.perf_counter() - start[0], time.process_time() - start[1]))
    return times


def training(events: int, size: int) -> None:
    """Interactions whose popularity falls as it does in life, learned from."""
    draw = np.random.default_rng(0)
    popularity = 1 / (np.arange(size) + 10.0)
    users = events // 50
    item = draw.choice(size, events, p=popularity / popularity.sum()).astype(np.int32)
    person = draw.integers(0, users, events).astype(np.int32)
    moment = draw.uniform(NOW - 3e7, NOW, events)
    order = np.lexsort((moment, person))
    log = Log(
        tuple(f"u{number}" for number in range(users)),
        tuple(f"i{number}" for number in range(size)),
        person[order],
        item[order],
        np.ones(events, np.bool_),
        moment[order],
    )
    items = catalogue(size, draw)
    start = time.perf_counter()
    trained = train(log, Catalogue(facet_matrix([one.facets for one in items]), np.full(size, np.nan)))
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"training on {trained.likes:,} × {size:,}: {seconds:.1f} s (bar 60), peak {peak:.2f} GiB (bar 4)")


def boosts() -> None:
    """How many of ten two users share whose histories are opposite, with boosts and without."""
    draw = np.random.default_rng(0)
    items = catalogue(10_000, draw)
    ranker = Ranker(make_shelf(items), learned(items, draw), Policy(), now=NOW)
    sides = []
    for likes, dislikes in ((GENRES[:3], GENRES[10:13]), (GENRES[10:13], GENRES[:3])):
        prefers = {("genre", one): 0.8 for one in likes} | {("genre", one): -0.6 for one in dislikes}
        sides.append(UserState(likes[0], prefers=prefers))
    for boosted in (True, False):
        lists = []
        for state in sides:
            scores = ranker.scores(state, Wish(boosted=boosted), now=NOW)
            lists.append(choose(ranker, scores, 10, explore=0, draw=draw).places)
        matched = [
            sum(not {("genre", one) for one in items[place].facets["genre"]}.isdisjoint(liked(state)) for place in some)
            for state, some in zip(sides, lists, strict=True)
        ]
        shared = len(set(lists[0]) & set(lists[1]))
        print(
            f"{'with' if boosted else 'without'} boosts: opposite users share {shared} of 10"
            f" (bar 3 with), of a liked genre {matched[0]} and {matched[1]}"
        )


def liked(state: UserState) -> set[tuple[str, str]]:
    """What a user is for."""
    return {pair for pair, score in (state.prefers or {}).items() if score > 0}


def _times(work: Callable[[UserState], None], users: list[UserState]) -> Times:
    work(users[0])
    times = []
    for state in users:
        start = time.perf_counter(), time.thread_time()
        work(state)
        times.append((time.perf_counter() - start[0], time.thread_time() - start[1]))
    return times


def _report(what: str, times: Times, bar: float) -> None:
    wall, cpu = (sorted(some) for some in zip(*times, strict=True))
    p50, p95, own = statistics.median(wall), wall[int(len(wall) * 0.95)], statistics.median(cpu)
    times_ms = (
        f"p50 {p50 * 1000:.2f} ms (bar {bar:g}), p95 {p95 * 1000:.2f} ms, p50 of its own time {own * 1000:.2f} ms"
    )
    print(f"{what}: {times_ms}")


def main() -> None:
    """Run what is named, or all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="*", choices=["rank", "train", "boosts"], default=["rank", "boosts", "train"])
    what = parser.parse_args().what
    if "rank" in what:
        for size in BARS:
            rank(size)
        asyncio.run(from_cache())
    if "boosts" in what:
        boosts()
    if "train" in what:
        training(1_000_000, 10_000)


if __name__ == "__main__":
    main()
