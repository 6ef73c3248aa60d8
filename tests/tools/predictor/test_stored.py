"""A stored model says the same again; a damaged one is refused in words and never believed."""

import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks.simulated_year import World
from tools.predictor.errors import ModelFileInvalid
from tools.predictor.stored import ModelFolder
from tools.predictor.training import Trained, cases_of


@pytest.fixture
def folder(tmp_path: Path, trained: Trained) -> Path:
    assert trained.model is not None
    ModelFolder(tmp_path).save(trained.model)
    return tmp_path / trained.model.version


def test_the_same_probabilities_after_loading(folder: Path, trained: Trained, world: World):
    loaded = ModelFolder(folder.parent).load()
    assert loaded is not None
    assert trained.model is not None
    rows = [case.features for history in world.histories.values() for case in cases_of(history, 2e9)[:3]]
    for head, said in trained.model.probabilities(rows).items():
        np.testing.assert_array_equal(loaded.probabilities(rows)[head], said)
    assert loaded.typical == trained.model.typical


def test_before_the_first_training_there_is_none(tmp_path: Path):
    assert ModelFolder(tmp_path).load() is None


@pytest.mark.parametrize("file", ["numbers.npz", "model.json"])
@pytest.mark.parametrize("damage", [b"", b"\x00garbage", None])
def test_a_damaged_file_is_refused(folder: Path, file: str, damage: bytes | None):
    if damage is None:
        (folder / file).unlink()
    else:
        (folder / file).write_bytes(damage)
    with pytest.raises(ModelFileInvalid, match="predictor train"):
        ModelFolder(folder.parent).load()


def test_one_changed_byte_is_noticed(folder: Path):
    numbers = bytearray((folder / "numbers.npz").read_bytes())
    numbers[len(numbers) // 2] ^= 1
    (folder / "numbers.npz").write_bytes(numbers)
    with pytest.raises(ModelFileInvalid, match="not those that were written"):
        ModelFolder(folder.parent).load()


def test_a_model_of_other_features_is_refused(folder: Path, world: World):
    text = (folder / "model.json").read_text(encoding="utf-8").replace('"active_days_30d"', '"something_else"')
    (folder / "model.json").write_text(text, encoding="utf-8")
    loaded = ModelFolder(folder.parent).load()
    assert loaded is not None
    history = next(iter(world.histories.values()))
    with pytest.raises(ModelFileInvalid, match="something_else"):
        loaded.probabilities([cases_of(history, 2e9)[0].features])


def test_a_version_that_leads_elsewhere_is_refused(folder: Path):
    (folder.parent / "serving").write_text("../../etc", encoding="utf-8")
    with pytest.raises(ModelFileInvalid, match="names no version"):
        ModelFolder(folder.parent).load()


def test_only_the_newest_versions_stay(tmp_path: Path, trained: Trained):
    from dataclasses import replace

    assert trained.model is not None
    for number in range(8):
        ModelFolder(tmp_path).save(replace(trained.model, version=f"v{number}"))
    kept = sorted(path.name for path in tmp_path.iterdir() if path.is_dir())
    assert kept == ["v3", "v4", "v5", "v6", "v7"]
    assert json.loads((tmp_path / "v7" / "model.json").read_text(encoding="utf-8"))["heads"]
