"""Scores by words: shares of what a query could reach."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from knowledge_base.passage import Document, Passage
from knowledge_base.store import IndexIdentity, Origin, Store, StoredDocument
from knowledge_base.words import Held, WordSearch, content_words

TEXTS = {
    "fee": "The service fee is charged on each payment to a freelancer.",
    "refund": "A refund of the service fee takes five days.",
    "day": "Five days of notice end a contract with a freelancer.",
    "key": "Rotate the key of the API twice a year.",
}


def _store(store: Store, texts: dict[str, str]) -> None:
    stored = [
        StoredDocument(Document(id, "", text, id, "0"), Origin("1"), (Passage(id, id, 0, "", (), text),), ("digest",))
        for id, text in texts.items()
    ]
    store.apply(stored, identity=IndexIdentity("none", 1, "none"))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "words.db") as store:
        _store(store, TEXTS)
        yield store


def _ranked(search: WordSearch, *texts: tuple[str, float]) -> dict[str, float]:
    scores = search.search(search.analyse(texts))
    rows = scores.best_rows(10)
    ids = search.passages_at(rows)
    return {ids[row]: float(scores.by_row[row]) for row in rows}


def test_passages_rank_by_the_share_of_the_question_they_hold(store: Store):
    found = _ranked(WordSearch(store), ("Is the service fee refunded?", 1.0))
    assert list(found) == ["refund", "fee"]
    assert 0 < found["fee"] < found["refund"] <= 1


def test_words_that_stand_together_in_the_question_count_for_more_together(store: Store):
    _store(store, {"apart": "A fee. Whoever provides a service and much else may charge it; see payment freelancer."})
    found = _ranked(WordSearch(store), ("service fee", 1.0))
    assert found["fee"] > found["apart"]


def test_unknown_words_lower_the_score(store: Store):
    search = WordSearch(store)
    known = _ranked(search, ("API key", 1.0))["key"]
    assert _ranked(search, ("API key flamingo", 1.0))["key"] < known


def test_weights_decide_between_texts(store: Store):
    search = WordSearch(store)
    assert next(iter(_ranked(search, ("notice", 1.0), ("API", 0.3)))) == "day"
    assert next(iter(_ranked(search, ("notice", 0.3), ("API", 1.0)))) == "key"


def test_nothing_to_look_for_finds_nothing(store: Store):
    search = WordSearch(store)
    assert _ranked(search) == {}
    assert _ranked(search, ("what is this, and why?", 1.0), ("…", 1.0)) == {}


def test_what_is_written_later_is_found(store: Store):
    search = WordSearch(store)
    assert _ranked(search, ("invoices", 1.0)) == {}
    _store(store, {"invoice": "Download an invoice."})
    assert list(_ranked(search, ("invoices", 1.0))) == ["invoice"]
    store.apply([], ["invoice"], identity=IndexIdentity("none", 1, "none"))
    assert _ranked(search, ("invoices", 1.0)) == {}


def test_a_pasted_log_is_bounded(store: Store):
    words = WordSearch(store).analyse([(" ".join(f"word{n} key" for n in range(5_000)), 1.0)])
    assert len(words.words) <= 64
    assert len(words.pairs) <= 64
    assert "kei" in words.words  # said most often


def test_a_title_is_its_content_words(store: Store):
    assert WordSearch(store).stems("Refund of the fees?") == {"refund", "fee"}


def test_content_words_keep_abbreviations():
    assert content_words("Does IT pay in the US?") == ["IT", "pay", "US"]
    assert content_words("WHAT IS IT") == []


@given(st.text(max_size=60))
def test_content_words_come_from_the_text(text: str):
    assert all(
        word in text or "plusplus" in word or "sharp" in word or "z" in word or "or" in word
        for word in content_words(text)
    )


def test_each_passage_tells_which_words_and_pairs_it_holds(store: Store):
    search = WordSearch(store)
    scores = search.search(search.analyse([("service fee, five days, blue moon", 1.0)]))
    rows = search.rows_of(["refund", "fee", "key"])
    at = np.array([rows["refund"], rows["fee"], rows["key"], -1])
    pairs, given = scores.pairs_held(at), list(scores.pairs)
    assert pairs.places[given.index(("servic", "fee"))].tolist() == [True, True, False, False]
    assert pairs.places[given.index(("five", "dai"))].tolist() == [True, False, False, False]
    assert not pairs.places[given.index(("blue", "moon"))].any()
    words, stems = scores.words_held(at), list(scores.words)
    assert words.places[stems.index("fee")].tolist() == [True, True, False, False]
    assert not words.places[stems.index("moon")].any()
    assert (pairs.worth > 0).all()
    assert words.worth.tolist() == [scores.worth[stem] for stem in stems]


def test_passages_hold_together_what_any_of_them_holds():
    held = Held(np.array([[True, False, False], [False, True, True], [False, False, True]]), np.array([1.0, 2.0, 4.0]))
    assert held.by(np.array([True, True, False])) == 3
    assert held.by(np.array([False, False, False])) == 0
    assert held.anywhere() == 7
    assert Held(np.zeros((2, 1), np.bool_), np.ones(2)).anywhere() == 0


def test_how_many_passages_hold_a_word_of_the_stem(store: Store):
    assert WordSearch(store).holding(["fees", "day", "unheard"]) == [2, 2, 0]
    assert WordSearch(store).holding([]) == []
