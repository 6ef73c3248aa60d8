"""Any table with a target of two values is measured; what cannot be learned from is refused in words."""

import csv
from pathlib import Path

import numpy as np
import pytest

from tools.predictor.errors import TableInvalid
from tools.predictor.evaluation import evaluate_predictions
from tools.predictor.learner import fit


def write(path: Path, columns: dict[str, list[object]]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        lines = csv.writer(file)
        lines.writerow(columns)
        lines.writerows(zip(*columns.values(), strict=True))
    return path


def table(rows: int, seed: int = 0) -> dict[str, list[object]]:
    """Who leaves: by plan, tickets and town, with gaps, an identifier and a date."""
    draw = np.random.default_rng(seed)
    plan, tickets, town = draw.choice(["basic", "pro"], rows), draw.poisson(2, rows), draw.integers(0, 40, rows)
    odds = 1.5 * (plan == "basic") + 0.7 * tickets - 3 + 0.05 * (town - 20)
    leaves = draw.random(rows) < 1 / (1 + np.exp(-odds))
    return {
        "customer": [f"c-{number:05}" for number in range(rows)],
        "plan": ["" if draw.random() < 0.2 else str(one) for one in plan],
        "tickets": [int(one) for one in tickets],
        "town": [f"town {one}" for one in town],
        "since": [f"2025-{draw.integers(1, 13):02}-{draw.integers(1, 29):02}" for _ in range(rows)],
        "left": ["Yes" if one else "No" for one in leaves],
    }


def test_out_of_fold_probabilities_of_every_row_with_a_target(tmp_path: Path):
    columns, out = table(160), tmp_path / "out.csv"
    columns["left"][7] = ""
    report = evaluate_predictions(write(tmp_path / "t.csv", columns), "left", predictions=out)
    rows = list(csv.DictReader(out.read_text(encoding="utf-8").splitlines()))
    assert [int(row["row"]) for row in rows] == [row for row in range(160) if row != 7]
    assert all(0 < float(row["probability"]) < 1 for row in rows)
    assert {row["label"] for row in rows} == {"0", "1"}
    assert (report.positive, report.rows, report.left_out) == ("Yes", 159, 1)
    assert report.local.auroc > 0.6
    assert report.columns == {"plan": "category", "tickets": "code", "town": "words", "since": "date"}


def test_the_same_twice():
    columns = table(80)
    truth = np.array([float(one == "Yes") for one in columns.pop("left")])
    first, second = fit(columns, truth), fit(columns, truth)  # type: ignore[arg-type]
    np.testing.assert_array_equal(first.predict(columns), second.predict(columns))  # type: ignore[arg-type]


def test_nothing_is_found_in_noise(tmp_path: Path):
    """A target that has nothing to do with the columns: out of fold the order must be chance, even for rare levels."""
    draw = np.random.default_rng(3)
    columns = table(200) | {"left": [str(one) for one in draw.random(200) < 0.5]}
    report = evaluate_predictions(write(tmp_path / "t.csv", columns), "left", drop=["since,tickets"])
    assert 0.38 < report.local.auroc < 0.62
    assert report.local.log_loss < 0.74


@pytest.mark.parametrize(
    ("change", "target", "drop", "says"),
    [
        ({}, "gone", [], "no column 'gone'; it has customer, plan"),
        ({}, "left", ["gone"], "no column 'gone'"),
        ({}, "left", ["left"], "cannot be dropped"),
        ({}, "tickets", [], "two values"),
        ({"left": ["Yes"] * 3 + ["No"] * 117}, "left", [], "at least 14 rows of each label"),
        ({"plan": [""] * 120, "tickets": ["1"] * 120}, "left", ["town", "since"], "No column is left"),
    ],
)
def test_what_cannot_be_learned_from_is_refused_in_words(
    tmp_path: Path, change: dict[str, list[object]], target: str, drop: list[str], says: str
):
    data = write(tmp_path / "t.csv", table(120) | change)
    with pytest.raises(TableInvalid, match=says):
        evaluate_predictions(data, target, drop=drop)


@pytest.mark.parametrize(
    ("content", "says"),
    [("", "a line of column names"), ("a,b\n1\n", "line 2: expected 2 values, got 1"), ("a,a\n1,2\n", "twice")],
)
def test_a_broken_file_is_refused_in_words(tmp_path: Path, content: str, says: str):
    (tmp_path / "t.csv").write_text(content, encoding="utf-8")
    with pytest.raises(TableInvalid, match=says):
        evaluate_predictions(tmp_path / "t.csv", "a")
