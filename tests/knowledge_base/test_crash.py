"""A process that is killed in the middle of an ingest: every document stays whole, and the next run mends."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.knowledge_base.ingest_and_die import MOMENTS
from tests.knowledge_base.test_ingest import Base, counts

ROOT = Path(__file__).parents[2]
DOCUMENTS = 12


@pytest.fixture
def base(tmp_path: Path) -> Iterator[Base]:
    opened = Base(tmp_path)
    yield opened
    opened.close()


def write(base: Base, version: int) -> None:
    for number in range(DOCUMENTS):
        sections = [f"## Part {part}\n\nversion {version}, part {part}. " + "words " * 200 for part in range(3)]
        base.write(f"kb/{number}.md", f"# Number {number}\n\n" + "\n\n".join(sections))


def versions(base: Base, document_id: str) -> set[str]:
    return {text.partition("version ")[2][:1] for text in base.texts(document_id)}


def run_and_die(base: Base, moment: str) -> int:
    command = [sys.executable, "-m", "tests.knowledge_base.ingest_and_die"]
    arguments = [str(base.folder / "data"), str(base.folder / "kb"), moment]
    return subprocess.run([*command, *arguments], cwd=ROOT, check=False).returncode  # noqa: S603


@pytest.mark.parametrize("moment", MOMENTS)
def test_killed(base: Base, moment: str):
    write(base, 1)
    base.ingest()
    write(base, 2)
    (base.folder / "kb/0.md").unlink()
    assert run_and_die(base, moment) == -signal.SIGKILL

    assert base.store.is_unfinished()
    swapped = moment in {"after the swap", "before the end"}
    assert set(base.store.origins()) == {f"kb/{number}.md" for number in range(1 if swapped else 0, DOCUMENTS)}
    for id in base.store.origins():
        assert versions(base, id) == ({"2"} if swapped else {"1"})
    base.assert_in_step()

    report = base.ingest()
    expected = (0, 0, DOCUMENTS - 1, 0, 0) if swapped else (0, DOCUMENTS - 1, 0, 1, 0)
    assert counts(report) == expected
    assert {version for id in base.store.origins() for version in versions(base, id)} == {"2"}
    base.assert_in_step()
    assert not base.store.is_unfinished()
    base.write("kb/1.md", "# One\n\nversion 3")
    base.ingest()
    assert len(list((base.folder / "data/chroma").iterdir())) == 2, "what the killed process left is gone"


def test_killed_in_the_first_ingest_of_all(base: Base):
    write(base, 1)
    assert run_and_die(base, "before the swap") == -signal.SIGKILL
    assert base.store.counts().documents == 0
    assert counts(base.ingest()) == (DOCUMENTS, 0, 0, 0, 0)
    base.assert_in_step()


def test_a_running_reader_sees_what_another_process_ingested(base: Base):
    write(base, 1)
    base.ingest()
    query = base.embedder.embed_query("anything")
    assert len(base.index.search(query, 100)) == 3 * DOCUMENTS
    (base.folder / "kb/0.md").unlink()
    assert run_and_die(base, "never") == 0
    found = {id for id, _ in base.index.search(query, 100)}
    assert found == base.store.passage_ids()
    assert len(found) == 3 * (DOCUMENTS - 1)
