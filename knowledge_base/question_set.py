"""Reads a corpus, questions and judgments of relevance, as JSON lines and tab-separated values.

corpus   {"id", "title"?, "text"}
queries  {"id", "text", "history"?: [{"role": "user" | "agent" | "assistant", "text"}, …], "answer"?}
qrels    query-id TAB doc-id TAB relevance, with a header or without; TREC's four columns are read too

What makes a file unreadable is an error that names the line. What is merely odd (a document twice, one without text, a
judgment about something unknown) is counted in `problems`.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from knowledge_base.errors import QuestionSetInvalid
from knowledge_base.passage import Document, Utterance

_ROLES: dict[str, Literal["user", "assistant"]] = {"user": "user", "agent": "assistant", "assistant": "assistant"}


@dataclass(frozen=True, slots=True)
class Question:
    """A question, what was said before it, and the ids of the documents that answer it with their gains (above 0)."""

    id: str
    text: str
    history: tuple[Utterance, ...]
    relevant: Mapping[str, float]
    answer: str | None = None


@dataclass(frozen=True, slots=True)
class QuestionSet:
    """Documents, the questions about them that have at least one relevant document, and the others."""

    documents: tuple[Document, ...]
    questions: tuple[Question, ...]
    problems: tuple[str, ...] = ()
    unjudged: tuple[Question, ...] = ()


def read_question_set(corpus: Path, queries: Path, qrels: Path) -> QuestionSet:
    """Raises QuestionSetInvalid when a file is missing or broken, or holds nothing."""
    odd: Counter[str] = Counter()
    documents = _documents(corpus, odd)
    judged = _judgments(qrels, documents, odd)
    questions = _questions(queries, judged, odd)
    problems = tuple(f"{what}: {count}" for what, count in odd.items() if count)
    return QuestionSet(
        documents=tuple(documents.values()),
        questions=tuple(question for question in questions if question.relevant),
        problems=problems,
        unjudged=tuple(question for question in questions if not question.relevant),
    )


def _documents(path: Path, odd: Counter[str]) -> dict[str, Document]:
    found: dict[str, Document] = {}
    for place, row in json_lines(path):
        id, title = _text(row, "id", place), _text(row, "title", place, default="")
        text = _text(row, "text", place, default="")
        if id in found:
            odd["documents given twice, of which the first counts"] += 1
            continue
        if not text.strip():
            odd["documents without text, which are found by their title"] += 1
        digest = hashlib.sha256(f"{title}\0{text}".encode(errors="surrogatepass")).hexdigest()
        found[id] = Document(id, title, text if text.strip() else title, str(path), digest)
    if not found:
        raise QuestionSetInvalid(f"{path} holds no documents. Expected one JSON object a line: id, title, text.")
    return found


def _judgments(path: Path, documents: Mapping[str, Document], odd: Counter[str]) -> dict[str, dict[str, float]]:
    judged: dict[str, dict[str, float]] = {}
    for number, line in _lines(path):
        columns = line.split("\t")
        if len(columns) == 4:
            columns.pop(1)
        gain = _number(columns[2]) if len(columns) == 3 else None
        if gain is None and number == 1:
            continue  # the header
        if gain is None:
            raise QuestionSetInvalid(
                f"{path}, line {number}: expected query-id, doc-id and a number with tabs between, got {line[:100]!r}."
            )
        question, document = columns[0], columns[1]
        if document not in documents:
            odd["judgments about documents that are not in the corpus"] += 1
        elif gain > 0:
            judged.setdefault(question, {})[document] = gain
    return judged


def _questions(path: Path, judged: Mapping[str, Mapping[str, float]], odd: Counter[str]) -> list[Question]:
    found: dict[str, Question] = {}
    for place, row in json_lines(path):
        id, text = _text(row, "id", place), _text(row, "text", place)
        if id in found:
            odd["questions given twice, of which the first counts"] += 1
            continue
        if id not in judged:
            odd["questions without a relevant document, which are not measured"] += 1
        answer = _text(row, "answer", place, default="") or None
        found[id] = Question(id, text, tuple(_history(row, place)), judged.get(id, {}), answer)
    if not found:
        raise QuestionSetInvalid(f"{path} holds no questions. Expected one JSON object a line: id, text.")
    odd["judgments about questions that are not among the queries"] += len(judged.keys() - found.keys())
    return list(found.values())


def _history(row: dict[str, Any], place: str) -> Iterator[Utterance]:
    said = row.get("history") or []
    if not isinstance(said, list):
        raise QuestionSetInvalid(f"{place}: expected a list as history, got {type(said).__name__}.")
    for one in said:
        role = one.get("role") if isinstance(one, dict) else None
        if role not in _ROLES:
            raise QuestionSetInvalid(f'{place}: expected "user" or "agent" as role in history, got {role!r}.')
        yield Utterance(_ROLES[role], _text(one, "text", place))


def json_lines(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each line's place, for messages, and its object. Raises QuestionSetInvalid."""
    for number, line in _lines(path):
        place = f"{path}, line {number}"
        try:
            row = json.loads(line)
        except ValueError as error:
            raise QuestionSetInvalid(f"{place}: expected a JSON object, but this is no JSON ({error}).") from error
        if not isinstance(row, dict):
            raise QuestionSetInvalid(f"{place}: expected a JSON object, got {type(row).__name__}.")
        yield place, row


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """The lines that hold something, numbered from 1."""
    try:
        with path.open(encoding="utf-8-sig", newline="\n") as file:
            for number, line in enumerate(file, 1):
                if line.strip():
                    yield number, line.rstrip("\r\n")
    except OSError as error:
        raise QuestionSetInvalid(f"Cannot read {path}: {error.strerror or error}.") from error
    except UnicodeDecodeError as error:
        raise QuestionSetInvalid(f"{path} is not UTF-8 text: {error.reason} at byte {error.start}.") from error


def _text(row: dict[str, Any], key: str, place: str, default: str | None = None) -> str:
    value = row.get(key, default)
    if value is None and default is not None:
        return default
    if isinstance(value, int) and key == "id":
        return str(value)
    if not isinstance(value, str):
        raise QuestionSetInvalid(f"{place}: expected text as {key!r}, got {type(value).__name__}.")
    return value


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
