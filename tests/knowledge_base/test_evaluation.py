"""The evaluation: through the real ingest and search, in a place of its own."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from knowledge_base.errors import QuestionSetInvalid
from knowledge_base.evaluation import Remembering, RetrievalReport, evaluate_retrieval, taken_out
from knowledge_base.question_set import Question
from tests.knowledge_base.fakes import HashEmbedder

SUBJECTS = ["escrow", "invoice", "password", "webhook", "vetting", "dispute", "payout", "timesheet"]


def _write(folder: Path) -> tuple[Path, Path, Path]:
    """A corpus with a document for each subject, and for each a question that names it, the last by its history."""
    documents = [{"id": f"doc {s}", "title": s, "text": f"All about the {s}. It has rules."} for s in SUBJECTS]
    queries: list[dict[str, object]] = [{"id": s, "text": f"what is the {s}?"} for s in SUBJECTS[:-1]]
    said = [{"role": "user", "text": f"what is the {SUBJECTS[-1]}?"}, {"role": "agent", "text": "A thing with rules."}]
    queries.append({"id": SUBJECTS[-1], "text": "and why?", "history": said})
    qrels = "".join(f"{s}\tdoc {s}\t1\n" for s in SUBJECTS)
    (folder / "corpus.jsonl").write_text("".join(json.dumps(row) + "\n" for row in documents))
    (folder / "queries.jsonl").write_text("".join(json.dumps(row) + "\n" for row in queries))
    (folder / "qrels.tsv").write_text("query-id\tdoc-id\trelevance\n" + qrels)
    return folder / "corpus.jsonl", folder / "queries.jsonl", folder / "qrels.tsv"


def _evaluate(folder: Path, **options: object) -> RetrievalReport:
    return evaluate_retrieval(*_write(folder), embedder=HashEmbedder(), **options)  # type: ignore[arg-type]


def test_words_find_what_is_named_also_through_the_history(tmp_path: Path):
    report = _evaluate(tmp_path)
    assert (report.documents, report.passages, report.questions) == (8, 8, 8)
    assert report.words.ndcg == report.words.recall == report.words.mrr == 1
    assert report.vectors.ndcg < 1  # these vectors know nothing
    assert report.problems == ()


def test_the_report_is_json(tmp_path: Path):
    report = json.loads(json.dumps(_evaluate(tmp_path, no_answer=True).as_json()))
    assert report["fused"].keys() == {"nDCG@10", "Recall@10", "MRR"}
    assert report["no answer"]["answered"] + report["no answer"]["unanswered"] == 8
    assert 0 <= report["no answer"]["auroc"] <= 1
    assert report["no answer"]["copied"] == 0
    assert report["no answer"]["auroc_without_copies"] == report["no answer"]["auroc"]


def test_the_run_file_ranks_documents_best_first(tmp_path: Path):
    _evaluate(tmp_path, run=tmp_path / "out.trec")
    rows = [line.split("\t") for line in (tmp_path / "out.trec").read_text().splitlines()]
    assert {row[0] for row in rows} == set(SUBJECTS)
    for subject in SUBJECTS:
        mine = [row for row in rows if row[0] == subject]
        assert [row[3] for row in mine] == [str(rank) for rank in range(1, len(mine) + 1)]
        scores = [float(row[4]) for row in mine]
        assert scores == sorted(scores, reverse=True)
        assert all(0 <= score <= 1 for score in scores)
        assert {(row[1], row[5]) for row in mine} == {("Q0", "attune")}
    assert len({tuple(row[:3]) for row in rows}) == len(rows)


def test_questions_without_a_document_are_ranked_but_not_measured(tmp_path: Path):
    files = _write(tmp_path)
    files[0].write_text("".join(files[0].read_text().splitlines(keepends=True)[2:]))
    report = evaluate_retrieval(*files, embedder=HashEmbedder(), run=tmp_path / "out.trec")
    assert (report.questions, report.words.ndcg) == (6, 1)
    assert "judgments about documents that are not in the corpus: 2" in report.problems
    assert {line.split("\t")[0] for line in (tmp_path / "out.trec").read_text().splitlines()} == set(SUBJECTS)


def test_files_that_do_not_belong_together_are_refused_unless_a_ranking_is_wanted(tmp_path: Path):
    files = _write(tmp_path)
    files[2].write_text("elsewhere\tdoc escrow\t1\n")
    with pytest.raises(QuestionSetInvalid, match="Check that the three files belong together"):
        evaluate_retrieval(*files, embedder=HashEmbedder())
    report = evaluate_retrieval(*files, embedder=HashEmbedder(), run=tmp_path / "out.trec")
    assert (report.questions, report.fused.ndcg) == (0, 0)
    assert (tmp_path / "out.trec").read_text().count("\t1\t") == len(SUBJECTS)


def test_a_sample_is_the_same_for_the_same_seed(tmp_path: Path):
    for name in ("one", "two"):
        _evaluate(tmp_path, limit=3, seed=5, run=tmp_path / name)
    assert (tmp_path / "one").read_text() == (tmp_path / "two").read_text()
    assert len({line.split("\t")[0] for line in (tmp_path / "one").read_text().splitlines()}) == 3


def test_progress_is_told_for_documents_and_questions(tmp_path: Path):
    heard: list[tuple[int, int, str]] = []
    _evaluate(tmp_path, progress=lambda done, total, what: heard.append((done, total, what)))
    assert (8, 8, "documents") in heard
    assert heard[-1] == (8, 8, "questions")


def _asked(*relevant: Sequence[str]) -> list[Question]:
    return [Question(str(n), "?", (), dict.fromkeys(ids, 1.0)) for n, ids in enumerate(relevant)]


@pytest.mark.parametrize("seed", range(5))
def test_a_question_loses_all_of_its_documents_or_none(seed: int):
    questions = _asked("a", "ab", "bc", "d", "de", "f", "g", "hi", "i", "j")
    out = taken_out(questions, seed)
    lost = [out.intersection(question.relevant) for question in questions]
    assert all(not gone or gone == set(question.relevant) for gone, question in zip(lost, questions, strict=True))
    assert 5 <= sum(map(bool, lost)) <= 7
    assert taken_out(questions, seed) == out


def test_nothing_is_embedded_twice():
    inner = HashEmbedder()
    embedder = Remembering(inner)
    first = embedder.embed(["a", "b", "a"])
    assert (first[0] == first[2]).all()
    assert (embedder.embed_query("b") == first[1]).all()
    assert inner.seen == ["a", "b"]
    assert embedder.embed([]).shape == (0, 16)
