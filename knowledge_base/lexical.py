"""The words of the passages: an FTS5 table in the store's SQLite file, and BM25 over it.

The caller owns the connection and the transaction, so that words and passages change together. Words are folded by
FTS5's `unicode61` (case, diacritics) and stemmed by `porter`; names that end in signs (C++, C#) are spelled out first.

Source: Robertson & Zaragoza, "The Probabilistic Relevance Framework: BM25 and Beyond" (2009); sqlite.org/fts5.html.
"""

import re
import sqlite3
from collections.abc import Iterable, Mapping

from knowledge_base.passage import Passage

TITLE_WEIGHT, HEADINGS_WEIGHT, TEXT_WEIGHT = 1.0, 1.0, 1.0

_SIGNED = re.compile(r"(?<![^\W_])([A-Za-z])(\+\+|#)(?![\w+#])")
_SIGNS = {"++": "plusplus", "#": "sharp"}
_WORD = re.compile(r"[^\W_]+")
_COMPOUND = re.compile(r"[^\W_]+(?:[-/.:_@+&'][^\W_]+)+")


def create(connection: sqlite3.Connection) -> None:
    """Make the tables unless they are there."""
    connection.execute(
        "CREATE TABLE IF NOT EXISTS lexical_keys (rowid INTEGER PRIMARY KEY, passage_id TEXT NOT NULL UNIQUE)"
    )
    connection.execute(
        "CREATE VIRTUAL TABLE IF NOT EXISTS lexical USING fts5"
        "(title, headings, text, tokenize = 'porter unicode61 remove_diacritics 2')"
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


def terms(text: str) -> list[str]:
    """The text's words in order, lower case, repeats kept; compounds (E-1042, api/v1) also whole, after all parts."""
    spelled = _spelled(text).lower()
    compounds = [" ".join(_WORD.findall(compound)) for compound in _COMPOUND.findall(spelled)]
    return [*_WORD.findall(spelled), *compounds]


def search(connection: sqlite3.Connection, weights: Mapping[str, float], limit: int) -> list[tuple[str, float]]:
    """The passages that hold any of the weighted terms, by the weighted sum of the terms' BM25 scores, best first."""
    wanted = [(term, weight) for term, weight in weights.items() if weight > 0 and _WORD.search(term)]
    if not wanted:
        return []
    columns = f"{TITLE_WEIGHT}, {HEADINGS_WEIGHT}, {TEXT_WEIGHT}"
    one = f"SELECT rowid, ? * -bm25(lexical, {columns}) AS score FROM lexical WHERE lexical MATCH ?"  # noqa: S608
    union = " UNION ALL ".join([one] * len(wanted))
    parameters = [value for term, weight in wanted for value in (weight, _quoted(term))]
    rows = connection.execute(
        f"SELECT passage_id, sum(score) AS total FROM ({union}) JOIN lexical_keys USING (rowid)"  # noqa: S608
        " GROUP BY rowid ORDER BY total DESC, passage_id LIMIT ?",
        [*parameters, limit],
    )
    return [(str(passage_id), float(total)) for passage_id, total in rows]


def _columns(passage: Passage) -> tuple[str, str, str]:
    return passage.title, "\n".join(passage.heading_path), passage.text


def _quoted(term: str) -> str:
    """As an FTS5 string: several words in it are a phrase, and no character is an operator."""
    return '"' + term.replace('"', '""') + '"'


def _spelled(text: str) -> str:
    return _SIGNED.sub(lambda match: match[1] + _SIGNS[match[2]], text)
