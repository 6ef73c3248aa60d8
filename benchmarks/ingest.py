"""How fast documents get in: the ingest's throughput beside the embedder's own, and a second run over many files.

    python -m benchmarks.ingest [--documents 120] [--files 5000] [--json]

Both throughputs are taken in one run, on the same passages: half of them by the embedder alone, then all by the
ingest, then the other half by the embedder alone, so that a machine that slows down meanwhile slows both. Beside the
clock stand the cores' seconds, which other work on the machine hardly changes.
"""

import argparse
import json
import random
import re
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath

from knowledge_base.chunk import embedded_text, split
from knowledge_base.embeddings import MiniLmEmbedder
from knowledge_base.index import VectorIndex
from knowledge_base.ingest import IngestReport, ingest
from knowledge_base.loaders import load
from knowledge_base.store import Store

WORDS = re.findall(
    r"\w+",
    "account invoice payment contract freelancer client team fee refund dispute milestone proposal search profile"
    " review password security token webhook project deadline budget currency tax report export plan seat message",
)


@dataclass(frozen=True)
class Took:
    """Seconds by the clock, and of all cores together."""

    clock: float
    cores: float

    def __add__(self, other: "Took") -> "Took":
        return Took(self.clock + other.clock, self.cores + other.cores)

    def each(self, count: int) -> "Took":
        return Took(self.clock / count, self.cores / count)


@dataclass(frozen=True)
class Throughput:
    """Passages, and what one of them takes the embedder alone and the whole ingest."""

    passages: int
    embedder: Took
    ingest: Took

    @property
    def kept(self) -> Took:
        """The share of the embedder's throughput that the ingest reaches."""
        return Took(self.embedder.clock / self.ingest.clock, self.embedder.cores / self.ingest.cores)


@dataclass(frozen=True)
class SecondRun:
    files: int
    first_seconds: float
    second_seconds: float
    embedded: int


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--documents", type=int, default=120, help="of about ten passages each, for the throughput")
    parser.add_argument("--files", type=int, default=5_000, help="of one short passage each, for the second run")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    throughput, second = measure_throughput(options.documents), measure_second_run(options.files)
    if options.json:
        measured = asdict(throughput) | {"kept": asdict(throughput.kept)}
        print(json.dumps({"throughput": measured, "second_run": asdict(second)}))
    else:
        show(throughput, second)


def show(throughput: Throughput, second: SecondRun) -> None:
    alone, whole, kept = throughput.embedder, throughput.ingest, throughput.kept
    print(f"{throughput.passages:>6} passages, ms each     clock    cores")
    print(f"       embedder alone    {alone.clock * 1e3:9.1f}{alone.cores * 1e3:9.1f}")
    print(f"       ingest            {whole.clock * 1e3:9.1f}{whole.cores * 1e3:9.1f}")
    print(f"       throughput kept   {kept.clock:9.0%}{kept.cores:9.0%}   (bar: 80 %)")
    print(f"{second.files:>6} files, seconds")
    print(f"       first run         {second.first_seconds:9.2f}")
    print(f"       second run        {second.second_seconds:9.2f}   (bar: 3 s, {second.embedded} embedded)")


def measure_throughput(documents: int) -> Throughput:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        write_documents(root / "kb", documents, sections=10, words=130)
        embedder = MiniLmEmbedder()
        texts = passage_texts(root / "kb", embedder)
        half = len(texts) // 2
        parts: list[Took] = []
        with taking(parts):
            embedder.embed(texts[:half])
        with Store(root / "knowledge.db") as store, taking(parts):
            index = VectorIndex(store, embedder.name, path=root / "chroma")
            report = ingest([root / "kb"], store=store, index=index, embedder=embedder)
            index.close()
        with taking(parts):
            embedder.embed(texts[half:])
    before, whole, after = parts
    return Throughput(report.embedded, (before + after).each(len(texts)), whole.each(report.embedded))


@contextmanager
def taking(parts: list[Took]) -> Iterator[None]:
    """Adds what the block took to `parts`."""
    clock, cores = time.perf_counter(), time.process_time()
    yield
    parts.append(Took(time.perf_counter() - clock, time.process_time() - cores))


def passage_texts(folder: Path, embedder: MiniLmEmbedder) -> list[str]:
    """What an ingest of the folder embeds, in no order that would favour either half."""
    texts: list[str] = []
    for path in folder.rglob("*.md"):
        place = PurePosixPath(folder.name, path.relative_to(folder).as_posix())
        document = load(path.read_bytes(), place, id=str(place), source=str(place))
        texts.extend(map(embedded_text, split(document, embedder)))
    random.Random(7).shuffle(texts)  # noqa: S311 - nothing secret
    return texts


def measure_second_run(files: int) -> SecondRun:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        write_documents(root / "kb", files, sections=1, words=12)
        first = _ingest_anew(root)
        second = _ingest_anew(root)
    return SecondRun(files, first.seconds, second.seconds, second.embedded)


def _ingest_anew(root: Path) -> IngestReport:
    """As a new process would: with a store, an index and an embedder that were just opened."""
    embedder = MiniLmEmbedder()
    with Store(root / "knowledge.db") as store:
        index = VectorIndex(store, embedder.name, path=root / "chroma")
        report = ingest([root / "kb"], store=store, index=index, embedder=embedder)
        index.close()
    return report


def write_documents(folder: Path, count: int, *, sections: int, words: int) -> None:
    """Markdown files of made-up words, the same in every run."""
    source = random.Random(7)  # noqa: S311 - nothing secret
    for number in range(count):
        path = folder / f"part-{number % 20}" / f"article-{number}.md"
        path.parent.mkdir(parents=True, exist_ok=True)
        parts = [f"## Section {part}\n\n{prose(source, words)}" for part in range(sections)]
        path.write_text(f"# Article {number}\n\n" + "\n\n".join(parts) + "\n", encoding="utf-8")


def prose(source: random.Random, words: int) -> str:
    picked = source.choices(WORDS, k=words)
    sentences = [" ".join(picked[start : start + 12]).capitalize() + "." for start in range(0, words, 12)]
    return " ".join(sentences)


if __name__ == "__main__":
    main()
