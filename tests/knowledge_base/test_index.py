import threading
from pathlib import Path

import numpy as np
import pytest

from knowledge_base.errors import IndexMismatch, IndexUnavailable
from knowledge_base.index import Staging, VectorIndex
from knowledge_base.store import IndexIdentity
from tests.knowledge_base.fakes import HashEmbedder

EMBEDDER = HashEmbedder("hash", 16)


class Named:
    """Says what a store would say."""

    def __init__(self) -> None:
        self.current: IndexIdentity | None = None
        self.announced: list[str] = []

    def identity(self) -> IndexIdentity | None:
        return self.current

    def name(self, staging: Staging, dimensions: int = 16) -> None:
        staging.close()
        self.current = IndexIdentity("hash", dimensions, staging.collection)
        staging.settle()


@pytest.fixture
def truth() -> Named:
    return Named()


@pytest.fixture
def index(truth: Named, tmp_path: Path):
    opened = VectorIndex(truth, "hash", path=tmp_path / "chroma")
    yield opened
    opened.close()


def put(index: VectorIndex, truth: Named, *words: str, remove: tuple[str, ...] = ()) -> None:
    base = truth.current.collection if truth.current else None
    staging = index.stage(base, truth.announced.append)
    if words:
        staging.add(words, EMBEDDER.embed(words))
    staging.remove(remove)
    truth.name(staging)


def test_finds_the_nearest_with_their_cosines(index: VectorIndex, truth: Named):
    words = [f"word {i}" for i in range(200)]
    put(index, truth, *words)
    query = EMBEDDER.embed_query("question")
    found = index.search(query, 20)
    cosines = dict(zip(words, EMBEDDER.embed(words) @ query, strict=True))
    assert [id for id, _ in found] == sorted(words, key=cosines.__getitem__, reverse=True)[:20]
    assert all(abs(score - cosines[id]) < 1e-5 for id, score in found)


def test_an_index_without_anything_finds_nothing(index: VectorIndex):
    assert index.search(EMBEDDER.embed_query("a"), 5) == []
    assert index.vectors(["a"]).shape == (1, 0)
    index.open()


def test_a_limit_larger_than_the_index(index: VectorIndex, truth: Named):
    put(index, truth, "a", "b")
    assert {id for id, _ in index.search(EMBEDDER.embed_query("a"), 100)} == {"a", "b"}


def test_a_change_is_not_seen_before_it_is_named(index: VectorIndex, truth: Named):
    put(index, truth, "old")
    assert truth.current
    staging = index.stage(truth.current.collection, truth.announced.append)
    staging.add(["new"], EMBEDDER.embed(["new"]))
    staging.remove(["old"])
    assert [id for id, _ in index.search(EMBEDDER.embed_query("new"), 5)] == ["old"]
    truth.name(staging)
    assert [id for id, _ in index.search(EMBEDDER.embed_query("new"), 5)] == ["new"]


def test_another_reader_follows_a_change(index: VectorIndex, truth: Named, tmp_path: Path):
    put(index, truth, "a")
    other = VectorIndex(truth, "hash", path=tmp_path / "chroma")
    assert [id for id, _ in other.search(EMBEDDER.embed_query("b"), 1)] == ["a"]
    put(index, truth, "b")
    assert [id for id, _ in other.search(EMBEDDER.embed_query("b"), 1)] == ["b"]
    other.close()


def test_an_abandoned_change_leaves_nothing(index: VectorIndex, truth: Named, tmp_path: Path):
    put(index, truth, "a")
    assert truth.current
    index.stage(truth.current.collection, truth.announced.append).abort()
    assert [folder.name for folder in (tmp_path / "chroma").iterdir()] == [truth.current.collection]


def test_the_collection_is_announced_before_it_is_made(index: VectorIndex, tmp_path: Path):
    present: list[bool] = []
    staging = index.stage(None, lambda name: present.append((tmp_path / "chroma" / name).exists()))
    assert present == [False]
    staging.abort()


def test_discarding_spares_the_current_and_the_last(index: VectorIndex, truth: Named, tmp_path: Path):
    names = []
    for word in "abc":
        put(index, truth, word)
        assert truth.current
        names.append(truth.current.collection)
    (tmp_path / "chroma" / "left-by-a-crash").mkdir()
    index.discard(names[:2], current=names[2])
    assert {folder.name for folder in (tmp_path / "chroma").iterdir()} == set(names[1:])


def test_vectors_come_in_the_order_asked_for(index: VectorIndex, truth: Named):
    put(index, truth, "a", "b")
    vectors = index.vectors(["b", "missing", "a", "b"])
    assert np.allclose(vectors[[0, 2, 3]], EMBEDDER.embed(["b", "a", "b"]), atol=1e-6)
    assert not vectors[1].any()


def test_writes_more_than_chroma_takes_at_once(index: VectorIndex, truth: Named):
    words = [f"w{i}" for i in range(6_000)]
    put(index, truth, *words)
    assert truth.current
    assert index.ids(truth.current.collection) == set(words)
    put(index, truth, remove=tuple(words[10:]))
    assert index.ids(truth.current.collection) == set(words[:10])


def test_another_model_is_refused(index: VectorIndex, truth: Named):
    truth.current = IndexIdentity("other", 16, "attune-1")
    with pytest.raises(IndexMismatch, match=r"'other' \(16 dimensions\), and 'hash' is configured.*--rebuild"):
        index.search(EMBEDDER.embed_query("a"), 1)


def test_a_vector_of_another_size_is_refused(index: VectorIndex, truth: Named):
    put(index, truth, "a")
    with pytest.raises(IndexMismatch, match="16 dimensions"):
        index.search(np.ones(3, np.float32), 1)


def test_missing_vectors_are_named(index: VectorIndex, truth: Named):
    truth.current = IndexIdentity("hash", 16, "attune-gone")
    with pytest.raises(IndexUnavailable, match=r"missing.*--rebuild"):
        index.search(EMBEDDER.embed_query("a"), 1)
    assert not index.exists("attune-gone")


def test_a_damaged_index_is_reported(index: VectorIndex, truth: Named, tmp_path: Path):
    put(index, truth, "a")
    assert truth.current
    (tmp_path / "chroma" / truth.current.collection / "chroma.sqlite3").write_bytes(b"no database" * 1000)
    with pytest.raises(IndexUnavailable, match="make it anew"):
        index.search(EMBEDDER.embed_query("a"), 1)


def test_threads_search_while_the_index_changes(index: VectorIndex, truth: Named):
    put(index, truth, "always")
    wrong: list[object] = []
    done = threading.Event()

    def search() -> None:
        while not done.is_set():
            found = index.search(EMBEDDER.embed_query("always"), 1)
            if [id for id, _ in found] != ["always"]:
                wrong.append(found)

    threads = [threading.Thread(target=search) for _ in range(3)]
    for thread in threads:
        thread.start()
    for i in range(5):
        put(index, truth, f"word {i}")
    done.set()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_may_be_used_after_closing(index: VectorIndex, truth: Named):
    put(index, truth, "a")
    index.search(EMBEDDER.embed_query("a"), 1)
    index.close()
    assert index.search(EMBEDDER.embed_query("a"), 1)[0][0] == "a"


def test_a_server_that_is_not_there(truth: Named):
    index = VectorIndex(truth, "hash", url="http://127.0.0.1:9")
    truth.current = IndexIdentity("hash", 16, "attune-1")
    with pytest.raises(IndexUnavailable, match=r"Chroma server at http://127\.0\.0\.1:9 cannot be used"):
        index.search(EMBEDDER.embed_query("a"), 1)


def test_needs_one_place(truth: Named, tmp_path: Path):
    with pytest.raises(ValueError, match="either a path or a url"):
        VectorIndex(truth, "hash")
    with pytest.raises(ValueError, match="either a path or a url"):
        VectorIndex(truth, "hash", path=tmp_path, url="http://127.0.0.1:8000")
