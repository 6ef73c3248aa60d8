"""Models on disk: a folder a version, with numbers, feature list and figures; one file names the served one.

Nothing in these files can run: numbers are plain arrays, everything else is JSON. A version appears whole or not at
all, and its digest is checked before it is believed.
"""

import hashlib
import io
import json
import os
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from tools.predictor.encoding import Basis, Encoder
from tools.predictor.errors import ModelFileInvalid
from tools.predictor.learner import Classifier, Linear
from tools.predictor.local import HeadModel, LocalModel
from tools.predictor.topics import TopicModel
from tools.predictor.trees import Trees

FORMAT = 1
KEPT = 5
"""Versions that stay on disk, the newest."""
_VERSION = re.compile(r"[0-9A-Za-z-]{1,40}")
_BASIS = ("mean", "scale", "middle", "knots", "lowest", "highest", "gaps")

Arrays = dict[str, NDArray[Any]]


class ModelFolder:
    """A folder of versions."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def save(self, model: LocalModel) -> None:
        """Write a version and serve it from now on."""
        final, half = self._folder / model.version, self._folder / f".{model.version}"
        shutil.rmtree(half, ignore_errors=True)
        half.mkdir(parents=True)
        numbers = _packed(_arrays(model))
        (half / "numbers.npz").write_bytes(numbers)
        description = _description(model) | {"digest": hashlib.sha256(numbers).hexdigest()}
        (half / "model.json").write_text(json.dumps(description, indent=1), encoding="utf-8")
        shutil.rmtree(final, ignore_errors=True)
        half.rename(final)
        self._serve(model.version)
        self._clear(model.version)

    def _serve(self, version: str) -> None:
        half = self._folder / ".serving"
        half.write_text(version, encoding="utf-8")
        half.replace(self._folder / "serving")

    def _clear(self, serving: str) -> None:
        versions = sorted(path for path in self._folder.iterdir() if path.is_dir() and path.name != serving)
        for old in versions[: -KEPT + 1]:
            shutil.rmtree(old, ignore_errors=True)

    def load(self) -> LocalModel | None:
        """The model that is served; None before the first training. Raises ModelFileInvalid."""
        try:
            version = (self._folder / "serving").read_text(encoding="utf-8").strip()
        except FileNotFoundError:
            return None
        except (OSError, UnicodeDecodeError) as error:
            raise self._invalid("serving", error) from error
        if not _VERSION.fullmatch(version):
            raise ModelFileInvalid(f"{self._folder / 'serving'} names no version: expected letters, digits and dashes")
        return self._read(version)

    def _read(self, version: str) -> LocalModel:
        try:
            numbers = (self._folder / version / "numbers.npz").read_bytes()
            description = json.loads((self._folder / version / "model.json").read_text(encoding="utf-8"))
            if description["format"] != FORMAT:
                raise ModelFileInvalid(
                    f"The model {version} has format {description['format']}, not {FORMAT}: train anew"
                )
            if hashlib.sha256(numbers).hexdigest() != description["digest"]:
                raise ModelFileInvalid(
                    f"The numbers of model {version} are not those that were written: remove {self._folder / version} "
                    "and run `python -m ui predictor train`"
                )
            with np.load(io.BytesIO(numbers), allow_pickle=False) as arrays:
                return _model(description, dict(arrays))
        except (OSError, ValueError, KeyError, TypeError, IndexError) as error:
            raise self._invalid(version, error) from error

    def _invalid(self, what: str, error: Exception) -> ModelFileInvalid:
        return ModelFileInvalid(
            f"The model in {self._folder / what} cannot be read ({type(error).__name__}: {error}): remove it and run "
            "`python -m ui predictor train`"
        )


def _packed(arrays: Arrays) -> bytes:
    file = io.BytesIO()
    np.savez_compressed(file, **cast("Any", arrays))
    return file.getvalue()


def _arrays(model: LocalModel) -> Arrays:
    found: Arrays = {}
    for head, one in model.heads.items():
        found[f"{head}.seen"] = one.seen
        found |= {f"{head}.{name}": array for name, array in _classifier_arrays(one.classifier).items()}
    return found


def _classifier_arrays(classifier: Classifier) -> Arrays:
    found: Arrays = {f"trees.{name}": array for name, array in classifier.trees.arrays().items()}
    for part, linear in enumerate(classifier.linear):
        found |= {f"linear.{part}.{name}": np.asarray(getattr(linear.basis, name)) for name in _BASIS}
        found[f"linear.{part}.weights"] = linear.weights
        for index, table in enumerate(classifier.rates[part]):
            found[f"rates.{part}.{index}"] = table
    return found


def _description(model: LocalModel) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "version": model.version,
        "trained_until": model.trained_until,
        "topics": model.topics.as_json(),
        "typical": dict(model.typical),
        "heads": {
            name: {
                "figures": dict(head.figures),
                "features": head.classifier.encoder.as_json(),
                "linear_weight": head.classifier.linear_weight,
                "offset": head.classifier.offset,
                "linear_offsets": [one.offset for one in head.classifier.linear],
            }
            for name, head in model.heads.items()
        },
    }


def _model(description: Mapping[str, Any], arrays: Arrays) -> LocalModel:
    heads = {}
    for name, of in description["heads"].items():
        own = {key.removeprefix(f"{name}."): array for key, array in arrays.items() if key.startswith(f"{name}.")}
        heads[name] = HeadModel(_classifier(of, own), own["seen"], of["figures"])
    topics = TopicModel.from_json(description["topics"])
    return LocalModel(description["version"], heads, topics, description["trained_until"], description["typical"])


def _classifier(of: Mapping[str, Any], arrays: Arrays) -> Classifier:
    encoder = Encoder.from_json(of["features"])
    parts, rated = len(of["linear_offsets"]), len(encoder.rated)
    levels = tuple(len(column.levels) for column in encoder.codes)
    return Classifier(
        encoder,
        tuple(tuple(arrays[f"rates.{part}.{index}"] for index in range(rated)) for part in range(parts)),
        Trees(**{name: arrays[f"trees.{name}"] for name in Trees.__slots__}),
        tuple(_linear(arrays, part, levels, offset) for part, offset in enumerate(of["linear_offsets"])),
        of["linear_weight"],
        of["offset"],
    )


def _linear(arrays: Arrays, part: int, levels: tuple[int, ...], offset: float) -> Linear:
    basis = Basis(levels, **{name: arrays[f"linear.{part}.{name}"] for name in _BASIS})
    return Linear(basis, arrays[f"linear.{part}.weights"], offset)


def usable(folder: Path) -> bool:
    """Whether models can be written here."""
    folder.mkdir(parents=True, exist_ok=True)
    return os.access(folder, os.W_OK)
