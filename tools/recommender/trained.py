"""What was learned from the log, kept on disk by version and read whole or not at all.

A version is one file, written beside its place and then renamed; `current` names the newest. A reader that holds an
older version keeps it, and the last two stay on disk.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array  # type: ignore[import-untyped]

from tools.recommender.evaluation import choose_weights
from tools.recommender.item_weights import Matrix
from tools.recommender.log import Log
from tools.recommender.signals import SOURCES, Catalogue, Popularity, Weights, learn_weights

CURRENT = "current"
KEPT = 2
MATRICES = ("ease", "neighbours", "succession")


@dataclass(frozen=True, slots=True)
class Trained:
    """Weights over the items of one log.

    Attributes:
        items: The axis of everything else.
        counts: (half-lives, items) likes, faded to the last event.
        blend: (sources,) what each source is worth.
        likes: How many events it rests on.
    """

    version: str
    items: tuple[str, ...]
    weights: Weights
    counts: Matrix
    blend: NDArray[np.float32]
    likes: int

    def on(self, items: Mapping[str, int]) -> "Trained":
        """The same for another catalogue: what it doesn't have is dropped, what is new to us has no weights."""
        place = np.array([items.get(id, -1) for id in self.items], np.int64)
        size = len(items)
        counts = np.zeros((len(self.counts), size), np.float32)
        counts[:, place[place >= 0]] = self.counts[:, place >= 0]
        moved = Weights(*(_moved(getattr(self.weights, name), place, size) for name in MATRICES))
        return Trained(self.version, tuple(items), moved, counts, self.blend, self.likes)


def untrained(items: tuple[str, ...]) -> Trained:
    """For a log that is empty: nothing is known from it."""
    size = len(items)
    empty = csr_array((size, size), dtype=np.float32)
    blend = np.array([float(name in {"content", "content_recent", "popular"}) for name in SOURCES], np.float32)
    counts = np.zeros((1 + sum(name.startswith("popular_0") for name in SOURCES), size), np.float32)
    return Trained("none", items, Weights(empty, empty, empty), counts, blend, 0)


def train(log: Log, catalogue: Catalogue) -> Trained:
    """Learn everything from a log. About 40 s of two cores for a million events on ten thousand items."""
    blend = choose_weights(log, catalogue, split="user", holdout=0.2)
    popularity = Popularity(log)
    counts = popularity.at(np.array([popularity.last]))[0]
    version = f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{uuid4().hex[:8]}"
    return Trained(version, log.items, learn_weights(log), counts, blend, int(log.liked.sum()))


def save(trained: Trained, folder: Path) -> None:
    """Write a version and make it the current one; older ones than the last two are removed."""
    folder.mkdir(parents=True, exist_ok=True)
    arrays = {
        "items": np.array(trained.items, dtype=np.str_),
        "counts": trained.counts,
        "blend": trained.blend,
        "sources": np.array(SOURCES),
        "likes": np.array(trained.likes),
    }
    for name in MATRICES:
        matrix = getattr(trained.weights, name)
        arrays |= {f"{name}.data": matrix.data, f"{name}.indices": matrix.indices, f"{name}.indptr": matrix.indptr}
    with _replacing(folder / f"{trained.version}.npz") as path, path.open("wb") as file:
        np.savez(file, **arrays)  # type: ignore[arg-type]
    with _replacing(folder / CURRENT) as path:
        path.write_text(trained.version)
    for old in sorted(folder.glob("*.npz"))[:-KEPT]:
        old.unlink(missing_ok=True)


def current_version(folder: Path) -> str | None:
    """The newest version on disk."""
    path = folder / CURRENT
    return path.read_text().strip() if path.exists() else None


def load(folder: Path) -> Trained | None:
    """The newest version, or None where there is none that this code can use."""
    version = current_version(folder)
    path = folder / f"{version}.npz"
    if version is None or not path.exists():
        return None
    with np.load(path, allow_pickle=False) as held:
        if tuple(held["sources"].tolist()) != SOURCES:
            return None  # made by other code: the next training replaces it
        items = tuple(held["items"].tolist())
        matrices = (
            csr_array(
                (held[f"{name}.data"], held[f"{name}.indices"], held[f"{name}.indptr"]), shape=(len(items), len(items))
            )
            for name in MATRICES
        )
        return Trained(version, items, Weights(*matrices), held["counts"], held["blend"], int(held["likes"]))


class _replacing:  # noqa: N801
    """A path to write to, that takes another's place when all went well."""

    def __init__(self, target: Path) -> None:
        self._target = target
        self._path = target.with_name(f".{target.name}.{uuid4().hex[:8]}")

    def __enter__(self) -> Path:
        return self._path

    def __exit__(self, failed: object, *_: object) -> None:
        if failed:
            self._path.unlink(missing_ok=True)
        else:
            os.replace(self._path, self._target)


def _moved(matrix: csr_array, place: NDArray[np.int64], size: int) -> csr_array:
    entries = matrix.tocoo()
    rows, columns = place[entries.coords[0]], place[entries.coords[1]]
    known = (rows >= 0) & (columns >= 0)
    return csr_array((entries.data[known], (rows[known], columns[known])), shape=(size, size), dtype=np.float32)
