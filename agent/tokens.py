"""How long a prompt is, and what to leave out when it is too long. Counting never waits for anything.

tiktoken fetches its tables over the network at first use, with no time limit, and again for ever when it cannot. Here a
table is used only once it is on disk and whole; reading it (0.5 s), and fetching it where that is wanted, happen in a
thread beside the turns. Until then, and for models whose tokenizer is not OpenAI's, lengths are estimated, and high.
"""

import hashlib
import json
import logging
import os
import re
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from math import ceil
from pathlib import Path
from typing import Protocol

from langchain_core.messages import AIMessage, AnyMessage, BaseMessage, HumanMessage, SystemMessage, ToolMessage
from langchain_core.tools import BaseTool

log = logging.getLogger(__name__)

PER_MESSAGE = 4
"""Tokens that a message's frame takes in OpenAI's chat format, and about that in others."""
SHORTEST_PIECE = 48
"""Tokens below which a cut piece is not worth keeping."""
FETCH_SECONDS = 30.0

_SMALL_LETTERS = bytes(range(ord("a"), ord("z") + 1)) + b" "
_CAPITALS = bytes(range(ord("A"), ord("Z") + 1))
_ASCII = bytes(range(128))
_PASSAGE_END = re.compile(r"(?<=</passage>)\n")
_BOUNDARIES = ("\n\n", "\n", ". ", " ")
_ELLIPSIS = " …"


@dataclass(frozen=True, slots=True)
class Table:
    """Where tiktoken gets an encoding's table from, and its sha256."""

    address: str
    sha256: str


_O200K = Table(
    "https://openaipublic.blob.core.windows.net/encodings/o200k_base.tiktoken",
    "446a9538cb6c348e3516120d7c08b09f57c36495e2acfffe59a5bf8b0cfb1a2d",
)
TABLES: Mapping[str, Table] = {
    "o200k_base": _O200K,
    "o200k_harmony": _O200K,
    "cl100k_base": Table(
        "https://openaipublic.blob.core.windows.net/encodings/cl100k_base.tiktoken",
        "223921b76ee99bde995b7ff738513eef100fb51d18c93597a113bcffe865b2a7",
    ),
}
"""As in tiktoken_ext/openai_public.py, which keeps them inside functions."""

_failed_fetches: set[str] = set()
"""Addresses that could not be fetched; they are not tried again in this process."""


def estimated(text: str) -> int:
    """A length in tokens that is rarely too low.

    On OpenAI's two encodings it gives 1.6 to 1.7 times the true length for English documents, 1.3 to 1.5 for German,
    1.0 to 1.8 for code, JSON, addresses and numbers; only random strings come out shorter (0.6).
    """
    encoded = text.encode("utf-8", "surrogatepass")
    beside = encoded.translate(None, _SMALL_LETTERS)
    marks = beside.translate(None, _CAPITALS)
    foreign = len(marks.translate(None, _ASCII))
    small, capitals, other = len(encoded) - len(beside), len(beside) - len(marks), len(marks) - foreign
    return ceil(small / 3 + capitals * 0.45 + other * 0.8 + foreign * 0.5)


class Encoding(Protocol):
    """The part of a tiktoken encoding that counting needs."""

    def encode_ordinary(self, text: str) -> list[int]: ...


class TokenCounter:
    """Counts with the encoding of a model once its table is there, by `estimated` before and otherwise.

    Args:
        model: The model's name; None, or one whose encoding is unknown, means that everything is estimated.
        fetch: Whether a missing table may be fetched from its address, in the background.
        tables: Where the tables are.
        load: Makes an encoding from its table on disk, by name; tiktoken's own by default.
    """

    def __init__(
        self,
        model: str | None = None,
        *,
        fetch: bool = False,
        tables: Mapping[str, Table] = TABLES,
        load: Callable[[str], Encoding] | None = None,
    ) -> None:
        self._encoding: Encoding | None = None
        self._make = load or _from_tiktoken
        self._thread: threading.Thread | None = None
        name = _encoding_name(model) if model else None
        table = tables.get(name) if name else None
        if name is None or table is None:
            return
        path = table_path(table)
        if path is not None and (path.exists() or (fetch and table.address not in _failed_fetches)):
            work = threading.Thread(target=self._load, args=(name, table, path, fetch), name="token-table", daemon=True)
            self._thread = work
            work.start()

    @property
    def exact(self) -> bool:
        """Whether the model's own encoding counts by now."""
        return self._encoding is not None

    @property
    def loading(self) -> bool:
        """Whether the table is still being read or fetched."""
        return self._thread is not None and self._thread.is_alive()

    def ready(self, timeout: float) -> bool:
        """Wait at most so many seconds for the table; whether the encoding counts now. No turn calls this."""
        if self._thread is not None:
            self._thread.join(timeout)
        return self.exact

    def count(self, text: str) -> int:
        """The length of a text in tokens."""
        encoding = self._encoding
        return len(encoding.encode_ordinary(text)) if encoding else estimated(text)

    def _load(self, name: str, table: Table, path: Path, fetch: bool) -> None:
        try:
            if not _is_whole(path, table):
                if not fetch:
                    log.warning("%s is not the table of %s: token counts are estimated", path, name)
                    return
                _fetch(table, path)
            self._encoding = self._make(name)
        except (OSError, ValueError, RuntimeError) as error:
            _failed_fetches.add(table.address)
            log.info("no token table for %s (%s): counts are estimated", name, error)


def _encoding_name(model: str) -> str | None:
    import tiktoken

    try:
        return tiktoken.encoding_name_for_model(model)
    except KeyError:
        return None


def _from_tiktoken(name: str) -> Encoding:
    import tiktoken

    return tiktoken.get_encoding(name)


def table_path(table: Table) -> Path | None:
    """Where tiktoken keeps this table: its own variables decide (see tiktoken/load.py). None: it keeps none."""
    folder = os.environ.get("TIKTOKEN_CACHE_DIR", os.environ.get("DATA_GYM_CACHE_DIR"))
    if folder == "":
        return None
    parent = Path(folder) if folder else Path(tempfile.gettempdir()) / "data-gym-cache"
    return parent / hashlib.sha1(table.address.encode(), usedforsecurity=False).hexdigest()


def _is_whole(path: Path, table: Table) -> bool:
    """tiktoken deletes a table that is not, and fetches it anew."""
    return path.exists() and hashlib.sha256(path.read_bytes()).hexdigest() == table.sha256


def _fetch(table: Table, path: Path) -> None:
    """Bring the table to where tiktoken looks for it, whole or not at all."""
    give_up = time.monotonic() + FETCH_SECONDS
    content = bytearray()
    with urllib.request.urlopen(table.address, timeout=FETCH_SECONDS / 3) as response:  # noqa: S310 (our own addresses)
        while piece := response.read1(2**16):
            content += piece
            if time.monotonic() > give_up:
                raise TimeoutError(f"the table did not arrive within {FETCH_SECONDS:g} s")
    if hashlib.sha256(content).hexdigest() != table.sha256:
        raise ValueError(f"what {table.address} sent is not the table")
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    partial.write_bytes(content)
    partial.replace(path)


# Fitting a prompt


def tool_tokens(tools: Sequence[BaseTool]) -> int:
    """What offering these tools takes of a prompt: their descriptions travel with it. Estimated."""
    from langchain_core.utils.function_calling import convert_to_openai_tool

    return sum(estimated(json.dumps(convert_to_openai_tool(offered))) + PER_MESSAGE for offered in tools)


def fit(messages: Sequence[AnyMessage | BaseMessage], *, budget: int, counter: TokenCounter) -> list[BaseMessage]:
    """The messages that fit into `budget` tokens, in order; the given ones when all do.

    What is kept, first things first: the system messages and the last question (its beginning, if it is longer than all
    that is left), then what the tools found for it, passage by passage from the best of each search, then earlier
    messages from the newest. A tool call and its results stay or go together. Nothing given is changed; messages that
    are cut are copies.

    A budget that cannot even hold the system messages and a few words of the question is exceeded by just those.
    """
    if sum(_length(message, estimated) for message in messages) <= budget:
        return list(messages)
    return _Fitting(messages, budget, counter.count).run()


Count = Callable[[str], int]


def _text(message: BaseMessage) -> str:
    return message.content if isinstance(message.content, str) else str(message.text)


def _calls(message: BaseMessage) -> str:
    if not isinstance(message, AIMessage) or not (message.tool_calls or message.invalid_tool_calls):
        return ""
    return json.dumps([*message.tool_calls, *message.invalid_tool_calls], ensure_ascii=False, default=str)


def _length(message: BaseMessage, count: Count) -> int:
    """The tokens of a message: its text, its tool calls and its frame."""
    identity = message.tool_call_id if isinstance(message, ToolMessage) else ""
    beside = _calls(message) + identity + (message.name or "")
    return count(_text(message)) + (count(beside) if beside else 0) + PER_MESSAGE


def _with_text(message: BaseMessage, text: str) -> BaseMessage:
    return message.model_copy(update={"content": text})


@dataclass(slots=True)
class _Group:
    """Messages that stay or go together: one, or a message with tool calls and their results."""

    places: list[int] = field(default_factory=list)


class _Fitting:
    """One prompt on its way into its budget. Counts every message once."""

    def __init__(self, messages: Sequence[BaseMessage], budget: int, count: Count) -> None:
        self._messages = list(messages)
        self._count = count
        self._lengths = [_length(message, count) for message in self._messages]
        self._left = budget
        self._kept: dict[int, BaseMessage] = {}
        self._question = max((i for i, m in enumerate(self._messages) if isinstance(m, HumanMessage)), default=-1)

    def run(self) -> list[BaseMessage]:
        if sum(self._lengths) <= self._left:
            return self._messages
        for place, message in enumerate(self._messages):
            if isinstance(message, SystemMessage):
                self._keep(place)
        if self._question >= 0:
            self._keep_question()
        groups = self._groups()
        self._keep_results([group for group in groups if group.places[0] > self._question])
        self._keep_history([group for group in groups if group.places[0] < self._question])
        return [self._kept[place] for place in sorted(self._kept)]

    def _keep(self, place: int) -> None:
        self._kept[place] = self._messages[place]
        self._left -= self._lengths[place]

    def _keep_question(self) -> None:
        place = self._question
        if self._lengths[place] <= self._left:
            self._keep(place)
            return
        room = max(self._left - PER_MESSAGE, SHORTEST_PIECE // 4)
        cut = _with_text(self._messages[place], truncated(_text(self._messages[place]), room, self._count))
        self._kept[place] = cut
        self._left -= _length(cut, self._count)

    def _groups(self) -> list[_Group]:
        """Everything but the question and the system messages, with tool results beside their call. Results that no
        call asked for cannot be sent."""
        groups: list[_Group] = []
        owner: dict[str, _Group] = {}
        for place, message in enumerate(self._messages):
            if place == self._question or isinstance(message, SystemMessage):
                continue
            if isinstance(message, ToolMessage):
                if message.tool_call_id in owner:
                    owner[message.tool_call_id].places.append(place)
                continue
            group = _Group([place])
            groups.append(group)
            if isinstance(message, AIMessage):
                calls = [*message.tool_calls, *message.invalid_tool_calls]
                owner |= {call["id"]: group for call in calls if call["id"]}
        return groups

    def _keep_results(self, groups: Sequence[_Group]) -> None:
        """Calls and results after the question: all of them with fewer passages, or the newest with any at all."""
        results: list[int] = []
        for group in reversed(groups):
            frame = sum(self._frame(place) for place in group.places)
            if frame > self._left:
                break
            self._left -= frame
            results += [place for place in group.places if isinstance(self._messages[place], ToolMessage)]
            for place in group.places:
                self._kept[place] = self._messages[place]
        self._fill(sorted(results))

    def _frame(self, place: int) -> int:
        """What a message takes when its text, if it is a tool's, is empty."""
        message = self._messages[place]
        if not isinstance(message, ToolMessage):
            return self._lengths[place]
        return self._lengths[place] - self._count(_text(message))

    def _fill(self, places: Sequence[int]) -> None:
        """Give the tool results their texts, in turn one passage each, until no more fits."""
        taken: dict[int, list[str]] = {place: [] for place in places}
        full: set[int] = set()
        for rank in zip_longest(*(_PASSAGE_END.split(_text(self._messages[place])) for place in places)):
            for place, piece in zip(places, rank, strict=True):
                if piece is None or place in full:
                    continue
                fitting = self._piece(piece)
                if fitting != piece:
                    full.add(place)
                if fitting:
                    taken[place].append(fitting)
        for place, pieces in taken.items():
            self._kept[place] = _with_text(self._messages[place], "\n".join(pieces))

    def _piece(self, piece: str) -> str:
        """The passage, or as much of it as is worth keeping. Its end tag and the line end between two are counted."""
        length = self._count(piece) + 1
        if length > self._left:
            closing = "\n</passage>" if piece.endswith("</passage>") else ""
            room = self._left - self._count(closing) - 2
            if room < SHORTEST_PIECE:
                return ""
            piece = truncated(piece.removesuffix(closing), room, self._count) + closing
            length = self._count(piece) + 1
        self._left -= length
        return piece

    def _keep_history(self, groups: Sequence[_Group]) -> None:
        """Earlier messages, newest first, without a gap; they never begin with an answer whose question is missing."""
        fitting: list[_Group] = []
        for group in reversed(groups):
            length = sum(self._lengths[place] for place in group.places)
            if length > self._left:
                break
            fitting.append(group)
            self._left -= length
        while fitting and len(fitting) < len(groups) and not self._is_human(fitting[-1]):
            fitting.pop()
        for group in fitting:
            for place in group.places:
                self._kept[place] = self._messages[place]

    def _is_human(self, group: _Group) -> bool:
        return isinstance(self._messages[group.places[0]], HumanMessage)


def truncated(text: str, tokens: int, count: Count) -> str:
    """The longest beginning of a text that takes at most so many tokens, cut after a paragraph, a line, a sentence or a
    word where one of these ends in its last third; an ellipsis says that there was more. "" when nothing fits."""
    if count(text) <= tokens:
        return text
    low, high = 0, len(text)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if count(text[:middle] + _ELLIPSIS) <= tokens else (low, middle - 1)
    for end in _ends(text[:low]):
        cut = text[:end].rstrip() + _ELLIPSIS
        if count(cut) <= tokens:
            return cut
    return ""


def _ends(text: str) -> Iterable[int]:
    for boundary in _BOUNDARIES:
        end = text.rfind(boundary)
        if end > len(text) * 2 // 3:
            yield end + len(boundary)
    yield from range(len(text), 0, -1)
