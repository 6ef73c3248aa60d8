"""The words of the passages: an FTS5 table in the store's SQLite file, and the BM25 scores of single words in it.

The caller owns the connection and the transaction, so that words and passages change together. Words are folded by
FTS5's `unicode61` (case, diacritics) and stemmed by `porter`; names that end in signs (C++, C#) are spelled out first,
on both sides. Rows are FTS5's: small integers that hold as long as nothing is written.

Source: Robertson & Zaragoza, "The Probabilistic Relevance Framework: BM25 and Beyond" (2009); sqlite.org/fts5.html.
"""

import math
import re
import sqlite3
import threading
import weakref
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from cachetools import LRUCache
from numpy.typing import NDArray

from knowledge_base.passage import Passage

TITLE_WEIGHT, HEADINGS_WEIGHT, TEXT_WEIGHT = 1.0, 1.0, 1.0
K1 = 1.2  # FTS5's own: a word's score stays below idf · (K1 + 1), however often it stands in a passage

_TOKENIZER = "porter unicode61 remove_diacritics 2"
_IDS_PER_QUERY = 500
_WORD = re.compile(r"[^\W_]+")
_SIGNED = re.compile(r"(?<![^\W_])([A-Za-z])(\+\+|#)(?![\w+#])")
_SIGNS = {"++": "plusplus", "#": "sharp"}

# colour and color, organise and organize must find each other. What else this changes (detour, promise) is changed in
# passages and questions alike.
_BRITISH = re.compile(
    r"(?<=[a-z]{3})(our)(?=(?:s|ed|ing|ful|less|ite|ites|able|al|hood)?\b)"
    r"|(?<=[a-z]{4})(is(?=(?:e|es|ed|er|ers|ing|ation|ations)\b)|ys(?=(?:e|es|ed|er|ers|ing)\b))",
    re.IGNORECASE,
)

Rows = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Posting:
    """Where a word stands: `rows` ascending, the word's BM25 score in each, and how rare it is (`idf`, 0 and more)."""

    rows: Rows
    scores: NDArray[np.float64]
    idf: float


def create(connection: sqlite3.Connection) -> None:
    """Make the tables unless they are there."""
    connection.execute(
        "CREATE TABLE IF NOT EXISTS lexical_keys (rowid INTEGER PRIMARY KEY, passage_id TEXT NOT NULL UNIQUE)"
    )
    connection.execute(
        f"CREATE VIRTUAL TABLE IF NOT EXISTS lexical USING fts5(title, headings, text, tokenize = '{_TOKENIZER}')"
    )


def add(connection: sqlite3.Connection, passages: Iterable[Passage]) -> None:
    """Index the passages' words; none of them may be indexed yet."""
    for passage in passages:
        cursor = connection.execute("INSERT INTO lexical_keys (passage_id) VALUES (?)", (passage.id,))
        row = (cursor.lastrowid, *(_spelled(column) for column in _columns(passage)))
        connection.execute("INSERT INTO lexical (rowid, title, headings, text) VALUES (?, ?, ?, ?)", row)


def remove(connection: sqlite3.Connection, passage_ids: Iterable[str]) -> None:
    """Forget the passages' words; unknown ids are ignored."""
    keys = [(passage_id,) for passage_id in passage_ids]
    connection.executemany(
        "DELETE FROM lexical WHERE rowid = (SELECT rowid FROM lexical_keys WHERE passage_id = ?)", keys
    )
    connection.executemany("DELETE FROM lexical_keys WHERE passage_id = ?", keys)


def size(connection: sqlite3.Connection) -> tuple[int, int]:
    """How many passages there are, and the highest row."""
    count, highest = connection.execute("SELECT count(*), coalesce(max(rowid), 0) FROM lexical_keys").fetchone()
    return int(count), int(highest)


def words(text: str) -> list[str]:
    """The text's words in order, in its own spelling, repeats kept: `E-1042` is two words, `C++` one."""
    return _WORD.findall(_spelled(text))


def posting(connection: sqlite3.Connection, word: str, count: int) -> Posting:
    """The passages that hold a word (or another of its stem), of `count` passages in all."""
    query = "SELECT rowid, -bm25(lexical, ?, ?, ?) FROM lexical WHERE lexical MATCH ? ORDER BY rowid"
    weights = (TITLE_WEIGHT, HEADINGS_WEIGHT, TEXT_WEIGHT)
    found = np.array(connection.execute(query, (*weights, _quoted(word))).fetchall(), np.float64).reshape(-1, 2)
    idf = rarity(len(found), count)
    return Posting(found[:, 0].astype(np.int64), found[:, 1] * (idf / _fts5_idf(len(found), count)), idf)


def near(connection: sqlite3.Connection, first: str, second: str) -> Rows:
    """The passages in which the two words stand side by side, in any order, with at most one word between them."""
    query = "SELECT rowid FROM lexical WHERE lexical MATCH ? ORDER BY rowid"
    found = connection.execute(query, (f"NEAR({_quoted(first)} {_quoted(second)}, 1)",)).fetchall()
    return np.array(found, np.int64).reshape(-1)


def rarity(holding: int, count: int) -> float:
    """The inverse document frequency of what `holding` of `count` passages hold; never negative."""
    return math.log(1 + (max(count, holding) - holding + 0.5) / (holding + 0.5))


def rows_of(connection: sqlite3.Connection, passage_ids: Sequence[str]) -> dict[str, int]:
    """The rows of passages; unknown ids are left out."""
    return {id: row for row, id in _keys(connection, "passage_id", passage_ids)}


def passages_at(connection: sqlite3.Connection, rows: Sequence[int]) -> dict[int, str]:
    """The ids of the passages in these rows."""
    return dict(_keys(connection, "rowid", rows))


class Stemmer:
    """The stems that FTS5 makes of words, for telling whether two words are the same. Safe to share between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._stems: LRUCache[str, str] = LRUCache(20_000)
        self._connection = sqlite3.connect(":memory:", check_same_thread=False)
        weakref.finalize(self, self._connection.close)
        self._connection.execute(f"CREATE VIRTUAL TABLE given USING fts5(word, tokenize = '{_TOKENIZER}')")
        self._connection.execute("CREATE VIRTUAL TABLE stems USING fts5vocab(given, instance)")

    def stem(self, word: str) -> str:
        """The word's stem; empty when FTS5 sees no word in it."""
        with self._lock:
            if word not in self._stems:
                self._stems[word] = self._made(word)
            return self._stems[word]

    def _made(self, word: str) -> str:
        self._connection.execute("INSERT INTO given (rowid, word) VALUES (1, ?)", (word,))
        found = self._connection.execute("SELECT term FROM stems ORDER BY offset").fetchall()
        self._connection.execute("DELETE FROM given")
        return " ".join(term for (term,) in found)


def _keys(
    connection: sqlite3.Connection, column: str, values: Sequence[str] | Sequence[int]
) -> Iterable[tuple[int, str]]:
    for start in range(0, len(values), _IDS_PER_QUERY):
        some = values[start : start + _IDS_PER_QUERY]
        marks = ", ".join("?" * len(some))
        yield from connection.execute(
            f"SELECT rowid, passage_id FROM lexical_keys WHERE {column} IN ({marks})",  # noqa: S608 (own names)
            some,
        )


def _fts5_idf(holding: int, count: int) -> float:
    """The factor that FTS5 puts into a score; it treats what most passages hold as worth next to nothing."""
    value = math.log((max(count, holding) - holding + 0.5) / (holding + 0.5))
    return value if value > 0 else 1e-6


def _columns(passage: Passage) -> tuple[str, str, str]:
    return passage.title, "\n".join(passage.heading_path), passage.text


def _quoted(word: str) -> str:
    """As an FTS5 string, in which no character is an operator."""
    return '"' + word.replace('"', '""').replace("\0", " ") + '"'


def _spelled(text: str) -> str:
    """The text with names like C++ spelled out, and British endings as American ones."""
    text = _SIGNED.sub(lambda match: match[1] + _SIGNS[match[2]], text)
    return _BRITISH.sub(lambda match: "or" if match[1] else match[2][0] + "z", text)
