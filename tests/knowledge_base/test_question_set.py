"""Files to measure with: what is odd is counted, what is broken is named by file and line."""

import json
from pathlib import Path

import pytest

from knowledge_base.errors import QuestionSetInvalid
from knowledge_base.passage import Utterance
from knowledge_base.question_set import QuestionSet, read_question_set

CORPUS = [{"id": "a b#1", "title": "A", "text": "Alpha."}, {"id": "c", "text": "Gamma."}]
QUERIES = [
    {
        "id": "q 1",
        "text": "alpha?",
        "history": [{"role": "user", "text": "hi"}, {"role": "agent", "text": "hello"}],
        "answer": "Alpha.",
    },
    {"id": "q2", "text": "gamma?"},
]
QRELS = "query-id\tdoc-id\trelevance\nq 1\ta b#1\t1\nq2\tc\t2\n"


def _read(folder: Path, corpus: object = CORPUS, queries: object = QUERIES, qrels: str = QRELS) -> QuestionSet:
    for name, rows in (("corpus.jsonl", corpus), ("queries.jsonl", queries)):
        text = rows if isinstance(rows, str) else "\n".join(json.dumps(row) for row in rows)  # type: ignore[attr-defined]
        (folder / name).write_text(text)
    (folder / "qrels.tsv").write_text(qrels)
    return read_question_set(folder / "corpus.jsonl", folder / "queries.jsonl", folder / "qrels.tsv")


def test_documents_questions_history_and_judgments(tmp_path: Path):
    given = _read(tmp_path)
    assert [(document.id, document.title, document.text) for document in given.documents] == [
        ("a b#1", "A", "Alpha."),
        ("c", "", "Gamma."),
    ]
    first, second = given.questions
    assert first.history == (Utterance("user", "hi"), Utterance("assistant", "hello"))
    assert (first.relevant, first.answer) == ({"a b#1": 1.0}, "Alpha.")
    assert (second.relevant, second.answer, second.history) == ({"c": 2.0}, None, ())
    assert given.problems == ()


@pytest.mark.parametrize("qrels", ["q 1\ta b#1\t1\nq2\tc\t2\n", "q 1\t0\ta b#1\t1\nq2\t0\tc\t2\n", QRELS + "\n\n"])
def test_judgments_come_with_a_header_or_without_or_as_trec_writes_them(tmp_path: Path, qrels: str):
    assert [question.relevant for question in _read(tmp_path, qrels=qrels).questions] == [{"a b#1": 1.0}, {"c": 2.0}]


def test_oddities_are_counted(tmp_path: Path):
    corpus = [*CORPUS, CORPUS[0], {"id": "d", "title": "Delta", "text": ""}]
    queries = [*QUERIES, QUERIES[0], {"id": "q3", "text": "unjudged?"}]
    given = _read(tmp_path, corpus, queries, QRELS + "q1\tnowhere\t1\nunknown\tc\t1\nq2\td\t0\n")
    assert [document.text for document in given.documents] == ["Alpha.", "Gamma.", "Delta"]
    assert len(given.questions) == 2
    assert [question.id for question in given.unjudged] == ["q3"]
    assert set(given.problems) == {
        "documents given twice, of which the first counts: 1",
        "documents without text, which are found by their title: 1",
        "questions given twice, of which the first counts: 1",
        "questions without a relevant document, which are not measured: 1",
        "judgments about documents that are not in the corpus: 1",
        "judgments about questions that are not among the queries: 1",
    }


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        ({"corpus": '{"id": "a", "text": "x"}\n{oops\n'}, r"corpus\.jsonl, line 2: expected a JSON object"),
        ({"corpus": "[1]\n"}, r"corpus\.jsonl, line 1: expected a JSON object, got list"),
        ({"corpus": '{"text": "x"}\n'}, r"corpus\.jsonl, line 1: expected text as 'id', got NoneType"),
        ({"corpus": '{"id": "a", "text": 3}\n'}, r"line 1: expected text as 'text', got int"),
        ({"corpus": "\n"}, r"holds no documents"),
        ({"queries": '{"id": "q2"}\n'}, r"queries\.jsonl, line 1: expected text as 'text'"),
        ({"queries": '{"id": "q2", "text": "x", "history": "hi"}\n'}, r"expected a list as history, got str"),
        ({"queries": '{"id": "q2", "text": "x", "history": [{"role": "system", "text": ""}]}\n'}, r"got 'system'"),
        ({"qrels": QRELS + "q2 c 1\n"}, r"qrels\.tsv, line 4: expected query-id, doc-id and a number"),
        ({"queries": "\n"}, r"queries\.jsonl holds no questions"),
    ],
)
def test_what_is_broken_is_named(tmp_path: Path, broken: dict[str, str], message: str):
    with pytest.raises(QuestionSetInvalid, match=message):
        _read(tmp_path, **broken)


def test_a_missing_file_and_a_wrong_encoding_are_named(tmp_path: Path):
    _read(tmp_path)
    paths = [tmp_path / name for name in ("corpus.jsonl", "queries.jsonl", "qrels.tsv")]
    paths[1].write_bytes(b'{"id": "q", "text": "\xe9"}\n')
    with pytest.raises(QuestionSetInvalid, match=r"queries\.jsonl is not UTF-8"):
        read_question_set(*paths)
    paths[0].unlink()
    with pytest.raises(QuestionSetInvalid, match=r"Cannot read .*corpus\.jsonl: No such file"):
        read_question_set(*paths)
