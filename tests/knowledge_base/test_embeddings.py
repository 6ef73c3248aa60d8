import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from knowledge_base.build_minilm_graph import build
from knowledge_base.embeddings import (
    GRAPH,
    MiniLmEmbedder,
    OpenAIEmbedder,
    estimated_token_spans,
    minilm_folder,
    open_embedder,
)
from knowledge_base.errors import EmbeddingsUnavailable
from tests.knowledge_base.make_reference_vectors import TARGET, TEXTS

TOLERANCE = 1e-5
ROOT = Path(__file__).parents[2]


@cache
def shared() -> MiniLmEmbedder:
    return MiniLmEmbedder(threads=2)


@pytest.fixture
def minilm() -> MiniLmEmbedder:
    return shared()


class TestMiniLm:
    def test_agrees_with_sentence_transformers(self, minilm: MiniLmEmbedder):
        reference = np.load(TARGET)
        texts = json.loads(reference["texts"].tobytes())
        assert texts == TEXTS
        difference = np.abs(minilm.embed(texts) - reference["vectors"]).max(axis=1)
        assert difference.max() < TOLERANCE, texts[int(difference.argmax())][:80]

    def test_the_committed_graph_is_the_one_that_its_script_builds(self):
        assert build(minilm_folder() / "model.safetensors") == GRAPH.read_bytes()

    def test_a_vector_does_not_depend_on_its_neighbours(self, minilm: MiniLmEmbedder):
        texts = ["short", "a much longer text " * 50, "", "short"]
        together = minilm.embed(texts)
        for text, row in zip(texts, together, strict=True):
            assert np.array_equal(row, minilm.embed_query(text))

    def test_shapes_and_lengths(self, minilm: MiniLmEmbedder):
        assert minilm.embed([]).shape == (0, 384)
        vectors = minilm.embed(["one", "two", "three"])
        assert vectors.shape == (3, 384)
        assert vectors.dtype == np.float32
        assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)
        assert minilm.embed_query("one").shape == (384,)

    def test_sees_254_tokens_and_no_more(self, minilm: MiniLmEmbedder):
        seen = "word " * minilm.max_tokens
        assert len(minilm.token_spans(seen)) == 254
        assert np.array_equal(minilm.embed_query(seen), minilm.embed_query(f"{seen} unseen"))
        assert not np.array_equal(minilm.embed_query(seen), minilm.embed_query(f"seen {seen}"))

    def test_counts_the_tokens_of_the_whole_text(self, minilm: MiniLmEmbedder):
        assert len(minilm.token_spans("word " * 1000)) == 1000
        assert minilm.token_spans("") == []

    @settings(deadline=None)
    @given(st.text(max_size=80))
    def test_token_spans_lie_in_order_inside_any_text(self, text: str):
        spans = shared().token_spans(text)
        assert all(0 <= start < end <= len(text) for start, end in spans)
        assert all(before[0] <= after[0] for before, after in pairwise(spans))

    def test_token_spans_name_the_characters(self, minilm: MiniLmEmbedder):
        text = "Größe des Kontos 🎉"
        assert text[slice(*minilm.token_spans(text)[0])] == "Gr"
        assert text[slice(*minilm.token_spans(text)[-1])] == "🎉"

    def test_knows_common_words_whole(self, minilm: MiniLmEmbedder):
        assert minilm.knows("payment")
        assert not minilm.knows("paymnet")

    def test_a_lone_surrogate_is_embedded_like_a_question_mark(self, minilm: MiniLmEmbedder):
        assert np.array_equal(minilm.embed_query("a \ud800 b"), minilm.embed_query("a ? b"))
        assert minilm.token_spans("a \ud800 b") == minilm.token_spans("a ? b")

    def test_threads_share_one_embedder(self, minilm: MiniLmEmbedder):
        expected = minilm.embed_query("shared")
        found: list[Any] = []
        threads = [
            threading.Thread(target=lambda: found.append(minilm.embed(["shared", "other"])[0])) for _ in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(found) == 8
        assert all(np.array_equal(row, expected) for row in found)


class TestTheWeights:
    def test_missing_weights_are_named(self, tmp_path: Path):
        with pytest.raises(EmbeddingsUnavailable, match=r"lacks .*model.safetensors.*make setup"):
            MiniLmEmbedder(folder=tmp_path)

    def test_a_half_written_file_is_refused(self, tmp_path: Path):
        self._copy(tmp_path)
        weights = tmp_path / "model.safetensors"
        weights.write_bytes(weights.read_bytes()[:-100])
        with pytest.raises(EmbeddingsUnavailable, match="expected 90868376 bytes, found 90868276"):
            MiniLmEmbedder(folder=tmp_path)

    def test_altered_weights_are_refused_before_the_first_vector(self, tmp_path: Path):
        self._copy(tmp_path)
        with (tmp_path / "model.safetensors").open("r+b") as file:
            file.seek(50_000_000)
            file.write(b"\0\0\0\1")
        with pytest.raises(EmbeddingsUnavailable, match="expected sha256 53aa5117"):
            MiniLmEmbedder(folder=tmp_path).embed_query("anything")

    def test_an_altered_vocabulary_is_refused(self, tmp_path: Path):
        self._copy(tmp_path)
        vocabulary = tmp_path / "tokenizer.json"
        vocabulary.write_text(vocabulary.read_text().replace('"hello"', '"hullo"'))
        with pytest.raises(EmbeddingsUnavailable, match=r"tokenizer\.json is not the file"):
            MiniLmEmbedder(folder=tmp_path).load()

    def _copy(self, target: Path) -> None:
        for name in ("model.safetensors", "tokenizer.json"):
            shutil.copyfile(minilm_folder() / name, target / name)


class Endpoint(ThreadingHTTPServer):
    """An embeddings endpoint that records its requests and answers from a script."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.requests: list[dict[str, Any]] = []
        self.keys: list[str | None] = []
        self.statuses: list[int] = []  # answered first, one a request
        self.body: Any = None
        self.delay = threading.Event()
        self.hangs = False

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/v1"

    def vectors(self, texts: list[str]) -> dict[str, Any]:
        rows = [{"index": i, "embedding": [float(len(text)) + 1, 2.0, 0.0]} for i, text in enumerate(texts)]
        return {"object": "list", "model": "m", "data": rows, "usage": {"prompt_tokens": 1, "total_tokens": 1}}


class _Handler(BaseHTTPRequestHandler):
    server: Endpoint

    def do_POST(self) -> None:
        sent = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.requests.append({"path": self.path, **sent})
        self.server.keys.append(self.headers["Authorization"])
        if self.server.hangs:
            self.server.delay.wait(10)
            return
        status = self.server.statuses.pop(0) if self.server.statuses else 200
        body = self.server.body if self.server.body is not None else self.server.vectors(sent["input"])
        payload = json.dumps(body if status == 200 else {"error": {"message": f"scripted {status}"}}).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(payload)))
        if status == 429:
            self.send_header("Retry-After", "0")
        self.end_headers()
        self.wfile.write(payload)

    def log_message(self, format: str, *args: Any) -> None:
        pass


@contextmanager
def serving() -> Iterator[Endpoint]:
    with Endpoint() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server
        finally:
            server.delay.set()
            server.shutdown()
            thread.join()


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    with serving() as server:
        yield server


class TestOpenAI:
    def test_sends_texts_in_batches_and_keeps_their_order(self, endpoint: Endpoint):
        embedder = OpenAIEmbedder("m", endpoint.url, "secret", batch=4)
        texts = ["x" * length for length in range(1, 11)]
        vectors = embedder.embed(texts)
        assert vectors.shape == (10, 3)
        assert sorted(len(request["input"]) for request in endpoint.requests) == [2, 4, 4]
        expected = np.array([[len(text) + 1.0, 2.0, 0.0] for text in texts])
        assert np.allclose(vectors, expected / np.linalg.norm(expected, axis=1, keepdims=True), atol=1e-6)
        assert {request["path"] for request in endpoint.requests} == {"/v1/embeddings"}
        assert set(endpoint.keys) == {"Bearer secret"}

    def test_sends_text_and_not_tokens(self, endpoint: Endpoint):
        OpenAIEmbedder("text-embedding-3-small", endpoint.url, "k").embed_query("How do I pay?")
        assert endpoint.requests[0]["input"] == ["How do I pay?"]
        assert endpoint.requests[0]["model"] == "text-embedding-3-small"

    def test_an_empty_text_is_sent_as_a_space(self, endpoint: Endpoint):
        assert OpenAIEmbedder("m", endpoint.url).embed(["", "a"]).shape == (2, 3)
        assert endpoint.requests[0]["input"] == [" ", "a"]

    def test_needs_no_key_where_the_server_needs_none(self, endpoint: Endpoint):
        assert OpenAIEmbedder("m", endpoint.url).embed_query("a").shape == (3,)

    def test_asks_for_the_dimensions_once(self, endpoint: Endpoint):
        embedder = OpenAIEmbedder("m", endpoint.url)
        assert [embedder.dimensions, embedder.dimensions] == [3, 3]
        assert embedder.embed([]).shape == (0, 3)
        assert len(endpoint.requests) == 1

    def test_tries_again_when_told_to(self, endpoint: Endpoint):
        endpoint.statuses = [429, 500]
        assert OpenAIEmbedder("m", endpoint.url, retries=2).embed_query("a").shape == (3,)
        assert len(endpoint.requests) == 3

    def test_gives_up_after_the_retries(self, endpoint: Endpoint):
        endpoint.statuses = [429] * 10
        with pytest.raises(EmbeddingsUnavailable, match="limits the rate"):
            OpenAIEmbedder("m", endpoint.url, retries=1).embed_query("a")
        assert len(endpoint.requests) == 2

    @pytest.mark.parametrize(
        ("status", "advice"),
        [(401, "refused the key. Set ATTUNE_EMBEDDINGS_API_KEY"), (404, "does not know this model"), (400, "failed")],
    )
    def test_says_what_to_do(self, endpoint: Endpoint, status: int, advice: str):
        endpoint.statuses = [status]
        with pytest.raises(EmbeddingsUnavailable, match=advice) as caught:
            OpenAIEmbedder("m", endpoint.url, "k", retries=0).embed_query("a")
        assert endpoint.url in str(caught.value)
        assert f"scripted {status}" in str(caught.value)

    def test_a_server_that_hangs_is_given_up(self, endpoint: Endpoint):
        endpoint.hangs = True
        with pytest.raises(EmbeddingsUnavailable, match=r"did not answer within 0\.2 seconds"):
            OpenAIEmbedder("m", endpoint.url, timeout=0.2, retries=0).embed_query("a")

    def test_a_server_that_is_not_there(self):
        with serving() as gone:
            url = gone.url
        with pytest.raises(EmbeddingsUnavailable, match="cannot be reached"):
            OpenAIEmbedder("m", url, retries=0).embed_query("a")

    @pytest.mark.parametrize(
        "body",
        [
            {"object": "list", "data": []},
            {"object": "list", "data": [{"index": 0, "embedding": []}]},
            {"object": "list", "data": [{"index": 0, "embedding": [0.0, 0.0]}]},
            {"object": "list", "data": [{"index": 0, "embedding": [1.0]}, {"index": 1, "embedding": [1.0]}]},
            {"unexpected": True},
            ["not", "an", "object"],
        ],
    )
    def test_a_body_that_is_no_embedding(self, endpoint: Endpoint, body: Any):
        endpoint.body = body
        with pytest.raises(EmbeddingsUnavailable):
            OpenAIEmbedder("m", endpoint.url, retries=0).embed_query("a")


class TestEstimatedTokens:
    @settings(deadline=None)
    @given(st.text(max_size=200))
    def test_spans_lie_in_order_inside_any_text(self, text: str):
        spans = estimated_token_spans(text)
        assert all(0 <= start < end <= len(text) for start, end in spans)
        assert spans == sorted(spans)

    def test_counts_no_fewer_than_word_pieces_need(self):
        # Another vocabulary proves nothing about theirs, but an estimate far below it could not be safe.
        few = [text for text in TEXTS if len(estimated_token_spans(text)) < 0.75 * len(shared().token_spans(text))]
        assert few == []


def test_open_embedder_chooses_by_name():
    assert open_embedder("local").name == "all-MiniLM-L6-v2"
    other = open_embedder("text-embedding-3-small", base_url="http://127.0.0.1:9/v1", api_key="k")
    assert other.name == "text-embedding-3-small"
    assert isinstance(other, OpenAIEmbedder)


def test_the_local_model_reports_to_nobody(tmp_path: Path):
    """What ONNX Runtime would send it keeps in the home folder, with an id of the machine."""
    code = "from knowledge_base.embeddings import LOCAL, open_embedder; open_embedder(LOCAL).embed_query('escrow')"
    kept = {name: value for name, value in os.environ.items() if name not in ("CI", "ORT_DISABLE_TELEMETRY")}
    home = {"HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    subprocess.run([sys.executable, "-c", code], env=kept | home, cwd=ROOT, check=True, timeout=120)  # noqa: S603
    assert list(tmp_path.rglob("*")) == []
