"""A disk that takes no writes is reported in words, with the folder."""

import sqlite3
from pathlib import Path

import pytest

from knowledge_base.disk import writing_to
from knowledge_base.errors import IndexUnavailable
from knowledge_base.index import VectorIndex
from knowledge_base.ingest import ingest
from knowledge_base.knowledge import open_knowledge_base
from knowledge_base.store import Store
from tests.knowledge_base.fakes import HashEmbedder


def test_what_sqlite_says_comes_with_the_folder(tmp_path: Path):
    with pytest.raises(IndexUnavailable, match="database or disk is full") as raised, writing_to(tmp_path):
        raise sqlite3.OperationalError("database or disk is full")
    assert str(tmp_path) in str(raised.value)


def test_a_store_that_cannot_be_opened(tmp_path: Path):
    (tmp_path / "knowledge.db").mkdir()
    with pytest.raises(IndexUnavailable, match="unable to open"), open_knowledge_base(tmp_path, HashEmbedder()):
        pass


def test_an_ingest_that_cannot_write(tmp_path: Path):
    (tmp_path / "knowledge.db.ingest-lock").mkdir()
    with Store(tmp_path / "knowledge.db") as store:
        embedder = HashEmbedder()
        index = VectorIndex(store, embedder.name, path=tmp_path / "chroma")
        with pytest.raises(IndexUnavailable, match="unable to open"):
            ingest([tmp_path], store=store, index=index, embedder=embedder)
        index.close()
