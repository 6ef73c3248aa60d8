import sqlite3
import threading
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from knowledge_base.errors import IndexMismatch
from knowledge_base.passage import Document, Passage
from knowledge_base.store import Counts, IndexIdentity, Origin, Outline, Store, StoredDocument, TopicCount

IDENTITY = IndexIdentity("hash", 16, "attune-1")


@pytest.fixture
def store(tmp_path: Path):
    with Store(tmp_path / "knowledge.db") as opened:
        yield opened


def stored(id: str = "kb/fees.md", *, texts: tuple[str, ...] = ("one", "two"), topic: str | None = "Fees"):
    document = Document(
        id=id,
        title="Fees",
        text="\n\n".join(texts),
        source=id,
        content_hash="0" * 64,
        url="https://help.example/fees",
        topic=topic,
        category="Money",
        tags=("fees", "Gebühren"),
        level="beginner",
        updated=date(2026, 9, 15),
    )
    passages = tuple(
        Passage(
            id=f"{id}#{ordinal}-{text}",
            document_id=id,
            ordinal=ordinal,
            title="Fees",
            heading_path=("What it costs", f"Part {ordinal}"),
            text=text,
            url=f"https://help.example/fees#part-{ordinal}",
            topic=topic,
            category="Money",
            tags=("fees", "Gebühren"),
            level="beginner",
            updated=date(2026, 9, 15),
        )
        for ordinal, text in enumerate(texts)
    )
    return StoredDocument(document, Origin("v1", "/kb", f"/{id}"), passages, tuple("d" * len(texts)))


def found_by_words(store: Store, word: str) -> int:
    with store.reading() as connection:
        (count,) = connection.execute("SELECT count(*) FROM lexical WHERE lexical MATCH ?", (word,)).fetchone()
    return int(count)


def test_gives_back_what_it_was_given(store: Store):
    one = stored()
    store.apply([one], identity=IDENTITY)
    assert store.document(one.document.id) == one.document
    assert store.document_passages(one.document.id) == list(one.passages)
    assert store.origins() == {one.document.id: one.origin}
    assert store.embedded([one.document.id]) == {passage.id: "d" for passage in one.passages}
    assert store.identity() == IDENTITY


def test_an_empty_store_answers_everything(store: Store):
    assert store.identity() is None
    assert store.counts() == Counts(0, 0)
    assert store.document("no") is None
    assert store.passages(["no"]) == {}
    assert store.document_passages("no") == []
    assert store.topics() == []
    assert store.outlines() == []
    assert not store.is_unfinished()


def test_passages_come_in_the_order_asked_for_without_the_dead(store: Store):
    one = stored(texts=tuple(f"text {i}" for i in range(1200)))
    store.apply([one], identity=IDENTITY)
    ids = [passage.id for passage in reversed(one.passages)]
    assert list(store.passages([*ids, "dead"])) == ids


def test_a_window_of_a_document(store: Store):
    one = stored(texts=("a", "b", "c", "d"))
    store.apply([one], identity=IDENTITY)
    assert [passage.text for passage in store.document_passages("kb/fees.md", first=1, last=2)] == ["b", "c"]


def test_a_new_version_replaces_passages_and_words(store: Store):
    store.apply([stored(texts=("alpha", "beta", "gamma"))], identity=IDENTITY)
    store.apply([stored(texts=("alpha", "delta"))], identity=IDENTITY)
    assert [passage.text for passage in store.document_passages("kb/fees.md")] == ["alpha", "delta"]
    assert found_by_words(store, "alpha") == 1
    assert found_by_words(store, "gamma") == 0
    assert store.counts() == Counts(1, 2)


def test_a_removed_document_leaves_nothing(store: Store):
    store.apply([stored("a", texts=("alpha",)), stored("b", texts=("beta",))], identity=IDENTITY)
    store.apply([], ["a"], identity=IDENTITY)
    assert store.document("a") is None
    assert found_by_words(store, "alpha") == 0
    assert store.counts() == Counts(1, 1)


def test_a_change_that_fails_changes_nothing(store: Store):
    store.apply([stored("a", texts=("alpha",))], identity=IDENTITY)
    stamp = store.stamp()
    twice = replace(stored("b"), passages=stored("b").passages[:1] * 2)
    with pytest.raises(sqlite3.IntegrityError):
        store.apply([stored("a", texts=("changed",)), twice], identity=IDENTITY)
    assert [passage.text for passage in store.document_passages("a")] == ["alpha"]
    assert found_by_words(store, "alpha") == 1
    assert store.stamp() == stamp


def test_replacing_everything_names_the_collection_that_may_go(store: Store):
    store.apply([stored("a"), stored("b")], identity=IDENTITY)
    new = IndexIdentity("other", 8, "attune-2")
    store.begin("attune-2")
    store.replace_all([stored("c")], identity=new)
    assert set(store.origins()) == {"c"}
    assert store.identity() == new
    assert store.abandoned() == ["attune-1"]


def test_what_an_ingest_began_is_remembered_until_it_finishes(store: Store):
    store.apply([stored("a")], identity=IDENTITY)
    store.begin("attune-2")
    assert store.is_unfinished()
    assert store.abandoned() == ["attune-2"]
    store.finish()
    assert not store.is_unfinished()
    assert store.abandoned() == []


def test_topics_by_how_common_they_are(store: Store):
    documents = [
        stored("a", topic="Fees"),
        stored("b", topic="Teams"),
        stored("c", topic="Fees"),
        stored("d", topic=None),
    ]
    store.apply(documents, identity=IDENTITY)
    assert store.topics() == [TopicCount("Fees", 2), TopicCount("Teams", 1)]


def test_outlines_hold_each_heading_once(store: Store):
    store.apply([stored("a")], identity=IDENTITY)
    assert store.outlines() == [Outline("a", "Fees", "Fees", ("What it costs", "Part 0", "Part 1"))]


def test_a_moved_document_keeps_everything_else(store: Store):
    one = stored("a")
    store.apply([one], identity=IDENTITY)
    store.move({"a": Origin("v2", "/elsewhere", "/elsewhere/a")})
    assert store.origins() == {"a": Origin("v2", "/elsewhere", "/elsewhere/a")}
    assert store.document("a") == one.document


def test_the_stamp_changes_with_every_write_of_any_process(store: Store):
    stamps = [store.stamp()]
    store.apply([stored("a")], identity=IDENTITY)
    stamps.append(store.stamp())
    with Store(store.path) as other:
        other.apply([], ["a"], identity=IDENTITY)
    stamps.append(store.stamp())
    assert len(set(stamps)) == 3


def test_threads_read_whole_documents_while_one_writes(store: Store):
    versions = [stored("a", texts=(f"v{n}",) * 1 + tuple(f"v{n} part {i}" for i in range(5))) for n in range(30)]
    store.apply([versions[0]], identity=IDENTITY)
    mixed: list[set[str]] = []
    done = threading.Event()

    def read() -> None:
        while not done.is_set():
            seen = {passage.text.split()[0] for passage in store.document_passages("a")}
            if len(seen) != 1:
                mixed.append(seen)

    readers = [threading.Thread(target=read) for _ in range(3)]
    for reader in readers:
        reader.start()
    for version in versions:
        store.apply([version], identity=IDENTITY)
    done.set()
    for reader in readers:
        reader.join()
    assert mixed == []


def test_two_processes_may_open_a_new_file_at_once(tmp_path: Path):
    errors: list[Exception] = []

    def make() -> None:
        try:
            Store(tmp_path / "new" / "knowledge.db").close()
        except sqlite3.Error as error:
            errors.append(error)

    threads = [threading.Thread(target=make) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []


def test_a_newer_format_is_refused(tmp_path: Path):
    Store(tmp_path / "knowledge.db").close()
    connection = sqlite3.connect(tmp_path / "knowledge.db")
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(IndexMismatch, match="has format 99"):
        Store(tmp_path / "knowledge.db")


@settings(max_examples=40, deadline=None)
@given(texts=st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=60), min_size=1, max_size=4))
def test_any_text_survives(tmp_path_factory: pytest.TempPathFactory, texts: list[str]):
    one = stored(texts=tuple(texts))
    with Store(tmp_path_factory.mktemp("store") / "knowledge.db") as store:
        store.apply([one], identity=IDENTITY)
        assert [passage.text for passage in store.document_passages(one.document.id)] == texts
