"""Ingests a folder and is killed at a chosen moment. Run as a process of its own by test_crash.py:

python -m tests.knowledge_base.ingest_and_die DATA KB MOMENT
"""

import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from knowledge_base.index import Staging, VectorIndex
from knowledge_base.ingest import ingest
from knowledge_base.store import IndexIdentity, Store, StoredDocument
from tests.knowledge_base.fakes import HashEmbedder

MOMENTS = ("staged", "before the swap", "after the swap", "before the end")


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


class DyingStore(Store):
    moment = ""

    def apply(
        self, documents: Sequence[StoredDocument], removed: Sequence[str] = (), *, identity: IndexIdentity
    ) -> None:
        if self.moment == "before the swap":
            die()
        super().apply(documents, removed, identity=identity)
        if self.moment == "after the swap":
            die()

    def finish(self) -> None:
        if self.moment == "before the end":
            die()
        super().finish()


class DyingIndex(VectorIndex):
    moment = ""

    def stage(self, *arguments: object) -> Staging:
        staging = super().stage(*arguments)  # type: ignore[arg-type]
        if self.moment == "staged":
            staging.add(["half written"], HashEmbedder().embed(["half written"]))
            die()
        return staging


def main(data: Path, kb: Path, moment: str) -> None:
    store = DyingStore(data / "knowledge.db")
    index = DyingIndex(store, "hash", path=data / "chroma")
    store.moment = index.moment = moment
    ingest([kb], store=store, index=index, embedder=HashEmbedder(), wait=0)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])
