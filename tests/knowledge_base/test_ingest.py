import json
import os
import re
import shutil
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from knowledge_base import ingest as deciding
from knowledge_base.chunk import embedded_text
from knowledge_base.errors import EmbeddingsUnavailable, IndexMismatch, IngestRunning
from knowledge_base.index import VectorIndex
from knowledge_base.ingest import IngestReport, Progress, index_documents, ingest
from knowledge_base.passage import Document
from knowledge_base.pipeline import SLICE_TEXTS
from knowledge_base.store import Store
from tests.knowledge_base.fakes import HashEmbedder


class Base:
    """A knowledge base in a folder, and what a search of it would see."""

    def __init__(self, folder: Path, embedder: HashEmbedder | None = None) -> None:
        self.folder = folder
        self.embedder = embedder or HashEmbedder()
        self.store = Store(folder / "data" / "knowledge.db")
        self.index = VectorIndex(self.store, self.embedder.name, path=folder / "data" / "chroma")

    def close(self) -> None:
        self.index.close()
        self.store.close()

    def ingest(self, *paths: Path | str, prune: bool = True, only: bool = False, rebuild: bool = False) -> IngestReport:
        return ingest(
            paths or (self.folder / "kb",),
            store=self.store,
            index=self.index,
            embedder=self.embedder,
            prune=prune,
            only=only,
            rebuild=rebuild,
            wait=0,
        )

    def write(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    def texts(self, document_id: str) -> list[str]:
        return [passage.text for passage in self.store.document_passages(document_id)]

    def assert_in_step(self) -> None:
        """Every passage is found by its own vector, and no vector or word is left over."""
        alive = self.store.passage_ids()
        identity = self.store.identity()
        assert identity
        assert self.index.ids(identity.collection) == alive
        passages = self.store.passages(sorted(alive))
        vectors = self.index.vectors(list(passages))
        expected = [self.embedder.embed_query(embedded_text(passage)) for passage in passages.values()]
        assert np.allclose(vectors, np.array(expected).reshape(vectors.shape), atol=1e-6)
        with self.store.reading() as connection:
            (words,) = connection.execute("SELECT count(*) FROM lexical").fetchone()
        assert words == len(alive)


@pytest.fixture
def base(tmp_path: Path) -> Iterator[Base]:
    opened = Base(tmp_path)
    yield opened
    opened.close()


def counts(report: IngestReport) -> tuple[int, int, int, int, int]:
    return report.added, report.updated, report.unchanged, report.removed, len(report.failed)


class TestIncremental:
    def test_adds_updates_keeps_and_removes(self, base: Base):
        for name in "abc":
            base.write(f"kb/{name}.md", f"# {name}\n\nText of {name}.")
        assert counts(base.ingest()) == (3, 0, 0, 0, 0)
        base.write("kb/a.md", "# a\n\nNew text.")
        (base.folder / "kb/b.md").unlink()
        base.write("kb/d.md", "# d\n\nAnother.")
        assert counts(base.ingest()) == (1, 1, 1, 1, 0)
        assert set(base.store.origins()) == {"kb/a.md", "kb/c.md", "kb/d.md"}
        assert base.texts("kb/a.md") == ["New text."]
        base.assert_in_step()

    def test_a_second_run_embeds_and_writes_nothing(self, base: Base):
        base.write("kb/a.md", "# A\n\nText.")
        base.ingest()
        base.embedder.seen.clear()
        stamp = base.store.stamp()
        report = base.ingest()
        assert counts(report) == (0, 0, 1, 0, 0)
        assert (report.embedded, report.passages) == (0, 1)
        assert base.embedder.seen == []
        assert base.store.stamp() == stamp

    def test_a_change_embeds_only_the_passages_that_changed(self, base: Base):
        sections = [f"## Part {i}\n\n" + f"word{i} " * 150 for i in range(5)]
        base.write("kb/a.md", "# A\n\n" + "\n\n".join(sections))
        assert base.ingest().embedded == 5
        sections[3] += "and more"
        base.write("kb/a.md", "# A\n\n" + "\n\n".join(sections))
        assert base.ingest().embedded == 1
        base.assert_in_step()

    def test_equal_texts_are_embedded_once(self, base: Base):
        for folder in "abcd":
            base.write(f"kb/{folder}/index.md", "---\ntitle: Same\n---\nThe same words everywhere.")
        report = base.ingest()
        assert (report.added, report.passages, report.embedded) == (4, 4, 1)
        base.assert_in_step()

    def test_without_pruning_nothing_is_removed(self, base: Base):
        path = base.write("kb/a.md", "# A\n\nText.")
        base.ingest()
        path.unlink()
        assert counts(base.ingest(prune=False)) == (0, 0, 0, 0, 0)
        assert base.texts("kb/a.md") == ["Text."]

    def test_reports_progress_up_to_the_end(self, base: Base):
        for number in range(2 * SLICE_TEXTS):
            base.write(f"kb/{number}.md", f"# {number}\n\nText of {number}.")
        heard: list[Progress] = []
        ingest([base.folder / "kb"], store=base.store, index=base.index, embedder=base.embedder, progress=heard.append)
        assert len(heard) > 2
        assert heard == sorted(heard, key=lambda progress: (progress.files, progress.embedded))
        assert heard[-1] == Progress(2 * SLICE_TEXTS, 2 * SLICE_TEXTS, 2 * SLICE_TEXTS)

    def test_the_report_is_json(self, base: Base):
        base.write("kb/a.md", "")
        written = json.loads(json.dumps(base.ingest().as_json()))
        assert written["failed"] == [{"path": str(base.folder / "kb/a.md"), "reason": "is empty"}]
        assert written["seconds"] >= 0


def test_every_module_that_reads_files_makes_them_be_read_again():
    """What a deciding module imports decides, too (errors only say what went wrong)."""
    folder = Path(deciding.__file__).parent
    for name in deciding._DECIDING:
        imported = set(re.findall(r"from knowledge_base\.(\w+) import", (folder / f"{name}.py").read_text("utf-8")))
        imported |= set(re.findall(r"from knowledge_base import ([\w, ]+)", (folder / f"{name}.py").read_text("utf-8")))
        assert {one for names in imported for one in names.split(", ")} <= {*deciding._DECIDING, "errors"}, name


class TestRootsAndNames:
    def test_ingesting_one_folder_leaves_the_others_alone(self, base: Base):
        base.write("one/a.md", "# A\n\nOne.")
        base.write("two/b.md", "# B\n\nTwo.")
        base.ingest(base.folder / "one")
        assert counts(base.ingest(base.folder / "two")) == (1, 0, 0, 0, 0)
        assert set(base.store.origins()) == {"one/a.md", "two/b.md"}

    def test_only_these_paths_can_be_asked_for(self, base: Base):
        base.write("demo/a.md", "# A\n\nOne.")
        base.write("docs/b.md", "# B\n\nTwo.")
        base.ingest(base.folder / "demo")
        assert counts(base.ingest(base.folder / "docs", only=True)) == (1, 0, 0, 1, 0)
        assert set(base.store.origins()) == {"docs/b.md"}
        base.assert_in_step()

    def test_a_misspelled_path_removes_nothing(self, base: Base):
        base.write("docs/b.md", "# B\n\nTwo.")
        base.ingest(base.folder / "docs")
        assert counts(base.ingest(base.folder / "dosc", only=True)) == (0, 0, 0, 0, 1)
        assert set(base.store.origins()) == {"docs/b.md"}

    def test_one_file_is_one_document_however_its_path_is_spelled(self, base: Base, tmp_path: Path):
        path = base.write("kb/guide/a.md", "# A\n\nText.")
        base.ingest(path)
        (tmp_path / "link").symlink_to(tmp_path / "kb")
        for spelling in (
            tmp_path / "kb",
            tmp_path / "kb" / "guide" / ".." / "guide",
            tmp_path / "link",
            os.path.relpath(path),
        ):
            assert counts(base.ingest(spelling)) == (0, 0, 1, 0, 0)
        assert len(base.store.origins()) == 1

    def test_equal_names_below_two_roots_are_two_documents(self, base: Base):
        base.write("x/kb/a.md", "# A\n\nFrom x.")
        base.write("y/kb/a.md", "# A\n\nFrom y.")
        assert counts(base.ingest(base.folder / "x/kb", base.folder / "y/kb")) == (2, 0, 0, 0, 0)
        assert counts(base.ingest(base.folder / "y/kb", base.folder / "x/kb")) == (0, 0, 2, 0, 0)
        assert {tuple(base.texts(id)) for id in base.store.origins()} == {("From x.",), ("From y.",)}

    def test_a_folder_that_moved_keeps_its_documents(self, base: Base):
        base.write("x/kb/a.md", "# A\n\nText.")
        base.ingest(base.folder / "x/kb")
        shutil.move(base.folder / "x", base.folder / "z")
        assert counts(base.ingest(base.folder / "z/kb")) == (0, 0, 1, 0, 0)
        assert base.store.origins()["kb/a.md"].path == str((base.folder / "z/kb/a.md").resolve())
        (base.folder / "z/kb/a.md").unlink()
        assert counts(base.ingest(base.folder / "z/kb")) == (0, 0, 0, 1, 0)

    def test_overlapping_paths_count_a_file_once(self, base: Base):
        base.write("kb/guide/a.md", "# A\n\nText.")
        kb = base.folder / "kb"
        assert counts(base.ingest(kb, kb / "guide", kb / "guide/a.md")) == (1, 0, 0, 0, 0)

    def test_a_given_file_that_is_gone_is_removed_and_an_unknown_one_reported(self, base: Base):
        path = base.write("kb/a.md", "# A\n\nText.")
        base.write("kb/b.md", "# B\n\nText.")
        base.ingest()
        path.unlink()
        report = base.ingest(path, base.folder / "kb/never.md")
        assert counts(report) == (0, 0, 0, 1, 1)
        assert report.failed[0].reason == "does not exist"
        assert set(base.store.origins()) == {"kb/b.md"}


class TestBadInput:
    def test_is_reported_by_file_and_stops_nothing(self, base: Base):
        base.write("kb/good.md", "# Good\n\nText.")
        base.write("kb/empty.md", "  \n")
        base.write("kb/front.md", "---\ntitle: [open\n---\nText.")
        (base.folder / "kb/binary.md").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(200))
        (base.folder / "kb/broken.pdf").write_bytes(b"%PDF-1.7\nnothing else")
        (base.folder / "kb/dangling.md").symlink_to("nowhere.md")
        os.mkfifo(base.folder / "kb/pipe.md")
        with (base.folder / "kb/large.md").open("wb") as file:
            file.truncate(50 * 2**20)
        report = base.ingest()
        assert report.added == 1
        reasons = {Path(failure.path).name: failure.reason for failure in report.failed}
        assert set(reasons) == {"empty.md", "front.md", "binary.md", "broken.pdf", "dangling.md", "pipe.md", "large.md"}
        assert reasons["large.md"] == "is too large: 50 MB, and at most 20 MB are read"
        assert reasons["binary.md"].startswith("holds a PNG image, not text")
        assert "not valid YAML: line 3" in reasons["front.md"]
        assert reasons["pipe.md"] == "is not a regular file"
        base.assert_in_step()

    def test_a_file_that_went_bad_keeps_its_last_good_version(self, base: Base):
        base.write("kb/a.md", "# A\n\nGood.")
        base.ingest()
        base.write("kb/a.md", "---\ntitle: {\n---\nBad.")
        report = base.ingest()
        assert report.failed[0].reason.endswith("(what was read from it before stays)")
        assert base.texts("kb/a.md") == ["Good."]

    def test_a_file_with_a_title_only(self, base: Base):
        base.write("kb/a.md", "# A\n")
        assert base.ingest().failed[0].reason == "holds no text, only headings"

    @pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="the superuser may read everything")
    def test_what_lies_in_a_closed_folder_stays(self, base: Base):
        base.write("kb/closed/a.md", "# A\n\nText.")
        base.ingest()
        (base.folder / "kb/closed").chmod(0)
        try:
            report = base.ingest()
        finally:
            (base.folder / "kb/closed").chmod(0o755)
        assert counts(report) == (0, 0, 0, 0, 1)


class TestModels:
    def test_another_model_is_refused(self, base: Base):
        base.write("kb/a.md", "# A\n\nText.")
        base.ingest()
        other = Base(base.folder, HashEmbedder("other", 8))
        with pytest.raises(IndexMismatch, match=r"'hash' \(16 dimensions\), and 'other' is configured"):
            other.ingest()
        other.close()

    def test_a_rebuild_takes_the_new_model_and_what_came_from_elsewhere(self, base: Base):
        base.write("one/a.md", "# A\n\nOne.")
        base.write("two/b.md", "# B\n\nTwo.")
        base.ingest(base.folder / "one", base.folder / "two")
        (base.folder / "two/b.md").unlink()
        other = Base(base.folder, HashEmbedder("other", 8))
        other.write("one/c.md", "# C\n\nThree.")
        report = other.ingest(base.folder / "one", rebuild=True)
        assert (report.added, report.passages, report.embedded) == (1, 3, 3)
        assert set(other.store.origins()) == {"one/a.md", "one/c.md", "two/b.md"}
        other.assert_in_step()
        with pytest.raises(IndexMismatch):
            base.index.search(base.embedder.embed_query("a"), 1)
        other.close()

    def test_a_rebuild_that_fails_changes_nothing(self, base: Base):
        for number in range(3 * SLICE_TEXTS):
            base.write(f"kb/{number}.md", f"# {number}\n\nText of {number}.")
        base.ingest()
        before = base.store.identity()
        failing = Base(base.folder, FailingEmbedder(after=SLICE_TEXTS))
        with pytest.raises(EmbeddingsUnavailable):
            failing.ingest(rebuild=True)
        failing.close()
        assert base.store.identity() == before
        base.ingest()
        base.assert_in_step()
        assert not base.store.is_unfinished()


class FailingEmbedder(HashEmbedder):
    """Stops working after so many texts."""

    def __init__(self, after: int) -> None:
        super().__init__()
        self.left = after

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        self.left -= len(texts)
        if self.left < 0:
            raise EmbeddingsUnavailable("scripted")
        return super().embed(texts)


class InterruptedEmbedder(HashEmbedder):
    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        if len(self.seen) >= 300:
            raise KeyboardInterrupt
        return super().embed(texts)


class TestCutOff:
    def test_an_interrupt_keeps_whole_documents_and_a_second_run_does_the_rest(self, tmp_path: Path):
        base = Base(tmp_path, InterruptedEmbedder())
        for number in range(450):
            base.write(f"kb/{number:03}.md", f"# {number}\n\nText of {number}.")
        with pytest.raises(KeyboardInterrupt):
            base.ingest()
        kept = base.store.counts().documents
        assert 0 < kept < 450
        base.assert_in_step()
        base.close()
        again = Base(tmp_path)
        assert counts(again.ingest()) == (450 - kept, 0, kept, 0, 0)
        again.assert_in_step()
        again.close()

    def test_a_failing_embedder_keeps_what_it_had_done(self, tmp_path: Path):
        base = Base(tmp_path, FailingEmbedder(after=300))
        for number in range(450):
            base.write(f"kb/{number:03}.md", f"# {number}\n\nText of {number}.")
        with pytest.raises(EmbeddingsUnavailable):
            base.ingest()
        assert base.store.counts().documents > 0
        base.assert_in_step()
        base.close()

    def test_lost_vectors_are_made_again(self, base: Base):
        for name in "abc":
            base.write(f"kb/{name}.md", f"# {name}\n\nText of {name}.")
        base.ingest()
        base.index.close()
        shutil.rmtree(base.folder / "data" / "chroma")
        report = base.ingest()
        assert (report.unchanged, report.embedded) == (3, 3)
        base.assert_in_step()


class TestTwoAtOnce:
    def test_the_second_says_that_another_is_running(self, base: Base):
        base.write("kb/a.md", "# A\n\nText.")
        with closing(sqlite3.connect(base.store.path.with_name("knowledge.db.ingest-lock"))) as other:
            other.execute("BEGIN EXCLUSIVE")
            with pytest.raises(IngestRunning, match="did not finish within 0 seconds"):
                base.ingest()
        assert base.store.counts().documents == 0

    def test_the_second_waits(self, base: Base):
        for name in "ab":
            base.write(f"{name}/x.md", f"# {name}\n\nText of {name}.")
        other = Base(base.folder)
        reports: list[IngestReport] = []

        def run(one: Base, folder: str) -> None:
            reports.append(
                ingest([one.folder / folder], store=one.store, index=one.index, embedder=one.embedder, wait=60)
            )

        threads = [threading.Thread(target=run, args=(one, name)) for one, name in ((base, "a"), (other, "b"))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert [report.added for report in reports] == [1, 1]
        assert set(base.store.origins()) == {"a/x.md", "b/x.md"}
        base.assert_in_step()
        other.close()


class TestDocuments:
    def test_documents_without_files_are_kept_and_updated(self, base: Base):
        documents = [Document(f"d{i}", f"Title {i}", f"Text {i}.", "set", "") for i in range(3)]

        def run() -> IngestReport:
            return index_documents(documents, store=base.store, index=base.index, embedder=base.embedder)

        assert counts(run()) == (3, 0, 0, 0, 0)
        assert counts(run()) == (0, 0, 3, 0, 0)
        documents[1] = Document("d1", "Title 1", "Changed.", "set", "")
        assert counts(run()) == (0, 1, 2, 0, 0)
        assert base.texts("d1") == ["Changed."]
        base.assert_in_step()

    def test_files_leave_them_alone(self, base: Base):
        document = Document("kb/a.md", "Given", "Given text.", "set", "")
        index_documents([document], store=base.store, index=base.index, embedder=base.embedder)
        base.write("kb/a.md", "# A\n\nFrom a file.")
        assert counts(base.ingest()) == (1, 0, 0, 0, 0)
        assert base.texts("kb/a.md") == ["Given text."]
        assert len(base.store.origins()) == 2
