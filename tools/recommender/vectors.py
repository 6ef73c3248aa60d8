"""The meaning of items, as vectors of what they are about: made once for each text and kept beside what was trained."""

import hashlib
import os
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from uuid import uuid4

import numpy as np

from tools.recommender.item_weights import Matrix
from tools.recommender.model import Item

Embed = Callable[[Sequence[str]], Awaitable[Matrix]]
"""Texts → (texts, dimensions), unit vectors."""

FILE = "vectors.npz"
TEXT_CHARS = 400
BATCH = 64


class ItemVectors:
    """Vectors by the hash of the text that they were made of, in memory and in a file."""

    def __init__(self, folder: Path, embed: Embed | None) -> None:
        self._path = folder / FILE
        self._embed = embed
        self._held: dict[str, Matrix] = {}

    def read(self) -> None:
        """Take in what the file holds."""
        if self._path.exists():
            with np.load(self._path, allow_pickle=False) as held:
                self._held = dict(zip(held["keys"].tolist(), held["vectors"], strict=True))

    def of(self, items: Sequence[Item]) -> Matrix | None:
        """(items, dimensions), zeros where a vector is missing; None when there is none at all."""
        found = [self._held.get(_key(item)) for item in items]
        width = next((len(one) for one in found if one is not None), None)
        if width is None:
            return None
        missing = np.zeros(width, np.float32)
        return np.stack([missing if one is None else one for one in found]).astype(np.float32, copy=False)

    async def make_missing(self, items: Sequence[Item]) -> int:
        """Embed what has no vector yet, and keep it; how many there were."""
        missing = {key: item for item in items if (key := _key(item)) not in self._held}
        if self._embed is None or not missing:
            return 0
        keys = list(missing)
        for start in range(0, len(keys), BATCH):
            some = keys[start : start + BATCH]
            vectors = await self._embed([described(missing[key]) for key in some])
            self._held.update(zip(some, np.asarray(vectors, np.float32), strict=True))
        self._write()
        return len(keys)

    async def one(self, text: str) -> Matrix | None:
        """(dimensions,) the vector of a text; None where nothing embeds."""
        return None if self._embed is None else np.asarray(await self._embed([text]), np.float32)[0]

    def _write(self) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        beside = self._path.with_name(f".{FILE}.{uuid4().hex[:8]}")
        with beside.open("wb") as file:
            np.savez(file, keys=np.array(list(self._held)), vectors=np.stack(list(self._held.values())))
        os.replace(beside, self._path)


def described(item: Item) -> str:
    """What an item is about, in a few words."""
    about = ", ".join(value for values in item.facets.values() for value in values[:5])
    return f"{item.title}. {about}. {item.text}"[:TEXT_CHARS]


def _key(item: Item) -> str:
    return hashlib.sha256(described(item).encode("utf-8", "replace")).hexdigest()
