"""The words of passages: whatever a user types is looked up as words, and what is found is what is alive."""

import sqlite3
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from knowledge_base import lexical
from knowledge_base.passage import Passage

TEXTS = {
    "error": "When verification fails with E-1042, upload the marriage certificate.",
    "api": "Send a POST to api/v1/contracts with your key.",
    "cpp": "We look for C++ developers.",
    "csharp": "We look for C# developers.",
    "cafe": "The café is open. Colours of your organisation can be changed.",
}


def _passage(id: str, text: str, title: str = "", path: tuple[str, ...] = ()) -> Passage:
    return Passage(id, "d", 0, title, path, text)


@pytest.fixture
def connection() -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(":memory:")
    lexical.create(connection)
    lexical.create(connection)  # a second time changes nothing
    lexical.add(connection, [_passage(id, text) for id, text in TEXTS.items()])
    yield connection
    connection.close()


def _found(connection: sqlite3.Connection, word: str) -> set[str]:
    posting = lexical.posting(connection, word, len(TEXTS))
    return set(lexical.passages_at(connection, posting.rows.tolist()).values())


@pytest.mark.parametrize(
    ("question", "found"),
    [
        ("certificates?", "error"),
        ("1042", "error"),
        ("v1", "api"),
        ("C++", "cpp"),
        ("c++", "cpp"),
        ("C#", "csharp"),
        ("cafe", "cafe"),
        ("CAFÉ", "cafe"),
        ("color", "cafe"),
        ("organizations", "cafe"),
        ("changing", "cafe"),
    ],
)
def test_words_are_found_however_they_are_written(connection: sqlite3.Connection, question: str, found: str):
    (word,) = lexical.words(question)
    assert _found(connection, word) == {found}


def test_an_identifier_is_its_parts_side_by_side(connection: sqlite3.Connection):
    assert lexical.words("E-1042") == ["E", "1042"]
    rows = lexical.near(connection, "E", "1042")
    assert lexical.passages_at(connection, rows.tolist()) == {int(rows[0]): "error"}
    assert len(lexical.near(connection, "marriage", "E")) == 0


def test_hours_stay_hours():
    assert lexical.words("four hours of your tour") == ["four", "hours", "of", "your", "tour"]


@given(text=st.text(max_size=80))
def test_nothing_that_is_typed_is_a_syntax_error(text: str):
    connection = sqlite3.connect(":memory:")
    lexical.create(connection)
    lexical.add(connection, [_passage("p", text)])
    for word in [*lexical.words(text), text]:
        lexical.near(connection, word, text)
        assert lexical.posting(connection, word, 1).idf >= 0
    connection.close()


def test_a_rare_word_scores_above_a_common_one(connection: sqlite3.Connection):
    rare = lexical.posting(connection, "certificate", len(TEXTS))
    common = lexical.posting(connection, "developers", len(TEXTS))
    assert rare.idf > common.idf > 0
    assert 0 < rare.scores[0] < rare.idf * (lexical.K1 + 1)


def test_title_and_headings_are_searched_too(connection: sqlite3.Connection):
    lexical.add(connection, [_passage("titled", "Nothing here.", "Refunds", ("Deadlines",))])
    assert _found(connection, "refund") == {"titled"}
    assert _found(connection, "deadline") == {"titled"}


def test_removed_passages_are_found_no_more(connection: sqlite3.Connection):
    lexical.remove(connection, ["cpp", "never there"])
    assert _found(connection, "developers") == {"csharp"}
    assert lexical.rows_of(connection, ["cpp", "csharp"]).keys() == {"csharp"}
    assert lexical.size(connection)[0] == len(TEXTS) - 1
    lexical.add(connection, [_passage("cpp", TEXTS["cpp"])])
    assert _found(connection, "developers") == {"cpp", "csharp"}


def test_stems_are_those_of_the_index():
    stemmer = lexical.Stemmer()
    assert stemmer.stem("Categories") == stemmer.stem("category")
    assert stemmer.stem("naïve") == "naiv"
    assert stemmer.stem("…") == ""
