"""The same ingest and search against a Chroma server on this machine."""

import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from knowledge_base.index import VectorIndex
from tests.knowledge_base.fakes import HashEmbedder
from tests.knowledge_base.test_ingest import Base, counts

CHROMA = shutil.which("chroma", path=str(Path(sys.executable).parent))

pytestmark = pytest.mark.skipif(CHROMA is None, reason="the chroma command is not installed")


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("server")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [str(CHROMA), "run", "--host", "127.0.0.1", "--port", str(port), "--path", str(folder)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:  # noqa: S603
        _wait_for(port)
        yield f"http://127.0.0.1:{port}"
        server.kill()


def _wait_for(port: int) -> None:
    for _ in range(300):
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.1)
    raise TimeoutError("the Chroma server did not start")


@pytest.fixture
def base(tmp_path: Path, url: str) -> Iterator[Base]:
    opened = Base(tmp_path)
    opened.index = VectorIndex(opened.store, "hash", url=url)
    for name in "abc":
        opened.write(f"kb/{name}.md", f"# {name}\n\nText of {name}.")
    yield opened
    opened.close()


def test_ingest_update_remove_and_rebuild(base: Base):
    assert counts(base.ingest()) == (3, 0, 0, 0, 0)
    base.write("kb/a.md", "# a\n\nNew text.")
    (base.folder / "kb/b.md").unlink()
    assert counts(base.ingest()) == (0, 1, 1, 1, 0)
    base.assert_in_step()
    before = base.store.identity()
    assert counts(base.ingest(rebuild=True)) == (0, 0, 2, 0, 0)
    base.assert_in_step()
    after = base.store.identity()
    assert before
    assert after
    assert before.collection != after.collection


def test_vectors_that_a_killed_run_left_are_removed(base: Base):
    base.ingest()
    identity = base.store.identity()
    assert identity
    staging = base.index.stage(identity.collection, base.store.begin)
    staging.add(["left over"], HashEmbedder().embed(["left over"]))
    assert base.index.search(HashEmbedder().embed_query("left over"), 1)[0][0] == "left over"
    assert base.store.passages(["left over"]) == {}
    base.ingest()
    base.assert_in_step()
    assert not base.store.is_unfinished()
