"""Topic inference measured on small files: what is read, what comes out, and what a broken file is told."""

import json
from pathlib import Path

import pytest

from knowledge_base.errors import QuestionSetInvalid
from tests.tools.profile.words import WordVectors
from tools.profile.topic_evaluation import draw, evaluate_topics, read_labelled

TOPICS = {
    "late_delivery": [
        "my parcel is late",
        "where is the late parcel",
        "parcel still not here",
        "the parcel never came",
    ],
    "refund": ["give me a refund", "refund my money", "how long does a refund take", "money back as refund please"],
    "password": ["forgot my password", "reset the password", "password does not work", "change my password now"],
}


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    train, test = tmp_path / "train.jsonl", tmp_path / "test.jsonl"
    _write(train, [(text, label) for label, texts in TOPICS.items() for text in texts])
    asked = [
        ("the parcel is late again", "late_delivery"),
        ("a refund please", "refund"),
        ("lost my password", "password"),
    ]
    _write(test, [*asked, ("sunny weather in lisbon", "oos"), ("best tea for breakfast", "oos")])
    return train, test


def _write(path: Path, rows: list[tuple[str, str]]) -> None:
    path.write_text("".join(json.dumps({"text": text, "label": label}) + "\n" for text, label in rows))


def test_accuracy_spread_and_abstention_are_reported(files: tuple[Path, Path], tmp_path: Path) -> None:
    report = evaluate_topics(*files, shots=3, embedder=WordVectors(), predictions=tmp_path / "out.jsonl").as_json()
    assert report["accuracy"] == 1.0
    assert len(report["draws"]) == 5
    assert report["abstention AUROC"] == 1.0
    assert (report["topics"], report["texts"], report["texts without topic"]) == (3, 3, 2)
    json.dumps(report)


def test_predictions_are_those_of_the_first_draw_in_the_order_of_the_texts(
    files: tuple[Path, Path], tmp_path: Path
) -> None:
    evaluate_topics(*files, shots=3, embedder=WordVectors(), predictions=tmp_path / "out.jsonl")
    rows = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert [row["text"] for row in rows] == [one.text for one in read_labelled(files[1])]
    assert all(set(row) == {"text", "label", "predicted", "confidence"} for row in rows)
    assert all(0 <= row["confidence"] <= 1 and row["predicted"] in TOPICS for row in rows)


def test_draws_are_seeded_and_without_repetition() -> None:
    first, again, other = (draw(TOPICS, 2, seed) for seed in (0, 0, 1))
    assert first == again != other
    assert all(len(set(topic.examples)) == 2 for topic in first)


def test_each_text_is_embedded_once(files: tuple[Path, Path]) -> None:
    embedder = WordVectors()
    evaluate_topics(*files, shots=2, embedder=embedder)
    assert len(embedder.seen) == len(set(embedder.seen))


def test_too_few_examples_and_unknown_labels_are_named_as_problems(files: tuple[Path, Path]) -> None:
    with files[1].open("a") as file:
        file.write(json.dumps({"text": "a tax question", "label": "taxes"}) + "\n")
    report = evaluate_topics(*files, shots=10, embedder=WordVectors())
    assert len(report.problems) == 2
    assert report.accuracy[0] == 0.75


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "is empty"),
        ("no json\n", "line 1"),
        ('{"text": "a", "label": "b"}\n[1]\n', "line 2: expected a JSON object, got list"),
        ('{"text": "a"}\n', "'label' is None"),
        ('{"text": "  ", "label": "b"}\n', "'text'"),
        ('{"text": "a", "label": "oos"}\n', "no text with a topic"),
    ],
)
def test_a_broken_file_is_told_what_was_expected(files: tuple[Path, Path], content: str, said: str) -> None:
    files[0].write_text(content)
    with pytest.raises(QuestionSetInvalid, match=said):
        evaluate_topics(*files, shots=2, embedder=WordVectors())


def test_a_file_that_is_no_text_or_missing_is_told(tmp_path: Path) -> None:
    (tmp_path / "bytes").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(QuestionSetInvalid, match="UTF-8"):
        read_labelled(tmp_path / "bytes")
    with pytest.raises(QuestionSetInvalid, match=r"Cannot read .*nothing: No such file"):
        read_labelled(tmp_path / "nothing")


def test_a_line_separator_within_a_text_does_not_end_the_line(tmp_path: Path) -> None:
    path = tmp_path / "one.jsonl"
    path.write_text('{"text": "a\u2028b", "label": "c"}\r\n')
    assert [one.text for one in read_labelled(path)] == ["a\u2028b"]
