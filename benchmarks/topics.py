"""How well topics are recognised, and what learning from a message costs: `python -m benchmarks.topics --data DIR`.

- BANKING77 (below --data or ATTUNE_EVAL_DATA): accuracy with 10 and 5 examples a topic, five seeded draws each; and
  with every fourth topic left out of the examples, how well the confidence tells its texts from the others' (AUROC).
- the time that inference adds to a turn which has the message's vector, and that of learning from a message, also of
  100 kB.

Three minutes on two cores, most of it to embed the texts.
"""

import argparse
import json
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from statistics import median

from benchmarks.question_files import json_lines
from knowledge_base.embeddings import Embedder, MiniLmEmbedder
from knowledge_base.evaluation import Remembering
from tools.profile.lessons import lessons_of
from tools.profile.taxonomy import DEMO, read_taxonomy
from tools.profile.topic_evaluation import NO_TOPIC, evaluate_topics, read_labelled
from tools.profile.topics import TopicModel, Vector, fit_topics, texts_of

BARS = {10: 0.86, 5: 0.80}
LEFT_OUT = 4  # every so many topics one
MOST_MILLISECONDS = 3.0
LONG = 100_000  # characters
TEDIOUS = ("I'm a designer, how do I get paid? ", "My friend said ", "<a ", "'x ", "1:")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--data", type=Path, default=os.environ.get("ATTUNE_EVAL_DATA"))
    options = parser.parse_args()
    embedder = Remembering(MiniLmEmbedder())
    for line in _banking(options.data, embedder):
        print(line, flush=True)
    for line in _times(embedder):
        print(line, flush=True)


def _banking(data: Path | str | None, embedder: Embedder) -> Iterator[str]:
    folder = Path(data, "banking77") if data else None
    if folder is None or not folder.is_dir():
        yield f"Left out: {folder or 'no folder given'}. Name the folder with --data."
        return
    train, test = folder / "train.jsonl", folder / "test.jsonl"
    for shots, bar in BARS.items():
        report = evaluate_topics(train, test, shots=shots, embedder=embedder).as_json()
        missed = ": MISSED" if report["accuracy"] < bar else ""
        yield (
            f"BANKING77, {shots} examples: accuracy {report['accuracy']:.4f} ± {report['spread']:.4f} "
            f"(at least {bar}{missed}), calibration error {report['calibration error']:.3f}"
        )
    with tempfile.TemporaryDirectory() as place:
        files = _with_strangers(train, test, Path(place))
        for shots in BARS:
            report = evaluate_topics(*files, shots=shots, embedder=embedder).as_json()
            yield f"… with topics left out, {shots} examples: AUROC of abstaining {report['abstention AUROC']:.3f}"


def _with_strangers(train: Path, test: Path, place: Path) -> tuple[Path, Path]:
    """The same files without some topics' examples, and their texts without a topic."""
    known, asked = read_labelled(train), read_labelled(test)
    strange = set(sorted({one.label for one in known})[::LEFT_OUT])
    _write(place / "train.jsonl", [(one.text, one.label) for one in known if one.label not in strange])
    _write(place / "test.jsonl", [(one.text, NO_TOPIC if one.label in strange else one.label) for one in asked])
    return place / "train.jsonl", place / "test.jsonl"


def _write(path: Path, rows: Sequence[tuple[str, str]]) -> None:
    path.write_text("".join(json.dumps({"text": text, "label": label}) + "\n" for text, label in rows))


def _times(embedder: Embedder) -> Iterator[str]:
    """Over the demo's taxonomy and questions."""
    entries = read_taxonomy(DEMO)
    embedder.embed([text for entry in entries for text in texts_of(entry)])
    fitting = _milliseconds(lambda: fit_topics(entries, embedder.embed))
    yield f"fitting the demo's {len(entries)} entries, their texts being embedded: {fitting:.0f} ms"
    model = fit_topics(entries, embedder.embed)
    questions = [row["question"] for row in json_lines("demo_questions.jsonl")]
    inferring = _median(model, questions, embedder, learn=False)
    yield f"inferring topics, p50 ms: {inferring:.2f} (at most {MOST_MILLISECONDS})"
    yield f"learning from a message, p50 ms: {_median(model, questions, embedder, learn=True):.2f}"
    slowest = max(
        min(_milliseconds(_learning(part * (LONG // len(part)), None, model)) for _ in range(5)) for part in TEDIOUS
    )
    yield f"learning from {LONG // 1000} kB, the slowest of {len(TEDIOUS)} kinds: {slowest:.1f} ms (at most 20)"


def _median(model: TopicModel, questions: Sequence[str], embedder: Embedder, *, learn: bool) -> float:
    asked = [(question, embedder.embed_query(question)) for question in [*questions] * 5]
    do = _learning if learn else _inferring
    return median(_milliseconds(do(question, vector, model)) for question, vector in asked)


def _learning(text: str, vector: Vector | None, model: TopicModel) -> Callable[[], object]:
    return lambda: lessons_of(text, vector, model=model)


def _inferring(text: str, vector: Vector, model: TopicModel) -> Callable[[], object]:
    return lambda: model.infer(text, vector)


def _milliseconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return 1000 * (time.perf_counter() - started)


if __name__ == "__main__":
    main()
