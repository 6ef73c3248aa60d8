"""The search, on real articles with the real model, index and store."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path, PurePosixPath

import numpy as np
import pytest
from numpy.typing import NDArray

from knowledge_base import loaders
from knowledge_base.embeddings import MiniLmEmbedder
from knowledge_base.index import VectorIndex
from knowledge_base.ingest import index_documents
from knowledge_base.passage import Document, SearchResult, Utterance
from knowledge_base.retrieve import INDIFFERENT, NUDGE, Retriever
from knowledge_base.store import Store

ARTICLES = Path(__file__).parents[2] / "knowledge_base" / "articles"
CHOSEN = """payments/escrow.md payments/fees.md payments/invoices.md contracts/disputes.md accounts/sign-in-problems.md
    teams/invite-members.md api/webhooks.md api/rate-limits-and-pagination.md security/lost-second-factor.md
    freelancers/payouts.md security/identity-verification.md finding-talent/how-vetting-works.md"""

ESCROW = (
    "How does escrow protect a payment?",
    "When is the money released?",
    "What happens if I request changes?",
    "Where is the money kept?",
    "Does it earn interest?",
)


class Knowledge:
    """An indexed set of documents, and a conversation with what is found in it."""

    def __init__(self, folder: Path, documents: list[Document], embedder: MiniLmEmbedder) -> None:
        self.store = Store(folder / "knowledge.db")
        self.index = VectorIndex(self.store, embedder.name, path=folder / "chroma")
        self.embedder = embedder
        self.add(documents)
        self.retriever = Retriever(self.store, self.index, embedder)

    def add(self, documents: list[Document]) -> None:
        index_documents(documents, store=self.store, index=self.index, embedder=self.embedder)

    def close(self) -> None:
        self.index.close()
        self.store.close()

    def after(self, *questions: str) -> list[Utterance]:
        """What is said when these questions are asked and each is answered with the start of the best passage."""
        said: list[Utterance] = []
        for question in questions:
            result = self.retriever.search(question, history=said)
            said += [Utterance("user", question), Utterance("assistant", result.hits[0].passage.text[:400])]
        return said

    def documents(self, question: str, history: list[Utterance] | None = None) -> list[str]:
        result = self.retriever.search(question, history=history or ())
        return list(dict.fromkeys(hit.passage.document_id for hit in result.hits))


def _document(id: str, text: str) -> Document:
    return Document(id, id, text, id, str(hash(text)))


@pytest.fixture(scope="module")
def embedder() -> MiniLmEmbedder:
    return MiniLmEmbedder()


@pytest.fixture(scope="module")
def articles(tmp_path_factory: pytest.TempPathFactory, embedder: MiniLmEmbedder) -> Iterator[Knowledge]:
    documents = [
        loaders.load((ARTICLES / place).read_bytes(), PurePosixPath(place), id=place, source=place)
        for place in CHOSEN.split()
    ]
    knowledge = Knowledge(tmp_path_factory.mktemp("articles"), documents, embedder)
    yield knowledge
    knowledge.close()


def _is_sound(result: SearchResult) -> bool:
    scores = [hit.score for hit in result.hits]
    return scores == sorted(scores, reverse=True) and all(0 <= score <= 1 for score in scores)


@pytest.mark.parametrize(
    ("question", "page"),
    [
        ("What does a client on the Team plan pay on top of a milestone?", "payments/fees.md"),
        ("my code generator was on the phone I lost, how do I get in", "security/lost-second-factor.md"),
        ("E-1042", "security/identity-verification.md"),
        ("what's E-1042?", "security/identity-verification.md"),
        ("Where do I download invoices for the accountant?", "payments/invoices.md"),
        ("429 too many requests", "api/rate-limits-and-pagination.md"),
    ],
)
def test_the_right_page_comes_first(articles: Knowledge, question: str, page: str):
    result = articles.retriever.search(question)
    assert result.hits[0].passage.document_id == page
    assert result.answerable
    assert result.query == question
    assert _is_sound(result)


def test_the_best_hit_s_score_is_the_confidence(articles: Knowledge):
    result = articles.retriever.search("How long can I open a dispute?", limit=3)
    assert result.hits[0].score == pytest.approx(result.confidence)
    assert len(result.hits) == 3


@pytest.mark.parametrize(
    "question",
    [
        "hello",
        "thanks!",
        "asdf qwer zxcv",
        "????",
        "",
        "What's the capital of France?",
        "How do I cook rice?",
        "Can you recommend a good novel?",
        '"NEAR(" OR * AND -escrow: {title}',
    ],
)
def test_what_nobody_s_documents_answer_is_not_answerable(articles: Knowledge, question: str):
    result = articles.retriever.search(question)
    assert not result.answerable or question.startswith('"NEAR')  # this one names escrow
    assert _is_sound(result)


@pytest.mark.parametrize(
    ("said", "question", "page", "query"),
    [
        (
            ["What service fee does a client pay on the Starter plan?"],
            "and on Business?",
            "payments/fees.md",
            "What service fee does a client pay on the Starter plan? and on Business?",
        ),
        (["How do I open a dispute?"], "until when?", "contracts/disputes.md", "How do I open a dispute? until when?"),
        (
            ["How can I pay out my earnings?", "What does a SWIFT transfer cost?"],
            "and an instant one?",
            "freelancers/payouts.md",
            "What does a SWIFT transfer cost? and an instant one?",
        ),
        (
            ["How do I receive webhooks?"],
            "how often are they retried?",
            "api/webhooks.md",
            "How do I receive webhooks? how often are they retried?",
        ),
        (["How does escrow protect a payment?"], "why?", "payments/escrow.md", None),
    ],
)
def test_a_follow_up_is_searched_with_its_context(
    articles: Knowledge, said: list[str], question: str, page: str, query: str | None
):
    result = articles.retriever.search(question, history=articles.after(*said))
    assert result.hits[0].passage.document_id == page
    assert result.answerable
    assert not result.alone
    assert query is None or result.query == query


@pytest.mark.parametrize(
    "question",
    [
        "How do I reset my password?",
        "How do I invite a colleague to our workspace?",
        "What is the API rate limit?",
        "How long is the vetted badge valid?",
        "Which fees do clients pay?",
        "How much is the Business plan?",
    ],
)
def test_a_new_subject_leaves_the_old_one_behind(articles: Knowledge, question: str):
    alone = articles.retriever.search(question)
    after = articles.retriever.search(question, history=articles.after(*ESCROW))
    assert after == alone


@pytest.mark.parametrize("question", ["What is the capital of France?", "How do I cook rice?", "asdf qwer zxcv"])
def test_off_topic_stays_off_topic_in_a_conversation(articles: Knowledge, question: str):
    assert not articles.retriever.search(question, history=articles.after(*ESCROW)).answerable


@pytest.mark.parametrize(
    ("said", "question"),
    [
        (["How does escrow protect a payment?"], "Can it hold gold bars or diamonds?"),
        (["How do I receive webhooks?"], "Do they work over carrier pigeons?"),
        (["What service fee does a client pay on the Starter plan?"], "And do penguins get it cheaper in Antarctica?"),
    ],
)
def test_what_the_conversation_s_document_does_not_speak_of_is_not_answered_by_it(
    articles: Knowledge, said: list[str], question: str
):
    history = articles.after(*said)
    result = articles.retriever.search(question, history=history)
    assert not result.answerable
    assert not result.alone
    assert articles.retriever.search("why?", history=history).answerable


def test_what_nothing_answers_alone_goes_on_with_a_conversation_that_speaks_of_it(articles: Knowledge):
    question = "Who decides in the last stage?"
    assert not articles.retriever.search(question).answerable
    going_on = articles.retriever.search(question, history=articles.after("How do I open a dispute?"))
    assert going_on.hits[0].passage.document_id == "contracts/disputes.md"
    assert going_on.answerable
    elsewhere = articles.retriever.search(question, history=articles.after("How do I invite members to my workspace?"))
    assert elsewhere == articles.retriever.search(question)


def test_a_few_words_that_name_another_document_lead_to_it(articles: Knowledge):
    result = articles.retriever.search("what about a dispute?", history=articles.after("How do I receive webhooks?"))
    assert result.hits[0].passage.document_id == "contracts/disputes.md"


def test_the_wish_for_a_list_is_no_search_word(articles: Knowledge):
    plain, wished = (articles.retriever.search(text) for text in ("webhook events", "list all webhook events"))
    assert wished.hits == plain.hits
    assert wished.query == "list all webhook events"


def test_a_subject_that_was_left_does_not_come_back(articles: Knowledge):
    history = articles.after(*ESCROW, "How do I reset my password?")
    assert articles.documents("and if the email does not arrive?", history)[0] == "accounts/sign-in-problems.md"


def test_threads_find_what_one_finds(articles: Knowledge):
    questions = [*ESCROW, "How do I reset my password?", "E-1042"] * 4
    alone = [articles.retriever.search(question) for question in questions]
    retriever = Retriever(articles.store, articles.index, articles.embedder)
    barrier = threading.Barrier(4)

    def ask(question: str) -> SearchResult:
        if not barrier.broken:
            barrier.wait(10)
        return retriever.search(question)

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(ask, questions)) == alone


def test_copies_do_not_crowd_out_the_rest(tmp_path: Path, embedder: MiniLmEmbedder):
    text = "A refund of money in escrow takes five business days to arrive on the card that you paid with."
    copies = [_document(f"copy{n}.md", text) for n in range(8)]
    near = [_document(f"near{n}.md", f"{text} Page {n}.") for n in range(4)]
    others = [
        _document("card.md", "The card that you paid with is shown in the payment settings, with all refunds."),
        _document("escrow.md", "Escrow holds the money until the work is approved by the client."),
    ]
    knowledge = Knowledge(tmp_path, [*copies, *near, *others], embedder)
    try:
        result = knowledge.retriever.search("How long does a refund of escrow money take?", limit=3)
        again = Retriever(knowledge.store, knowledge.index, embedder).search(result.query, limit=3)
    finally:
        knowledge.close()
    found = [hit.passage.document_id for hit in result.hits]
    assert len(found) == 3
    assert {"card.md", "escrow.md"} < set(found)
    assert again == result


def test_what_is_added_and_changed_is_found_at_once(tmp_path: Path, embedder: MiniLmEmbedder):
    knowledge = Knowledge(tmp_path, [_document("a.md", "Invoices are sent on the first of the month.")], embedder)
    try:
        assert knowledge.documents("When are invoices sent?") == ["a.md"]
        knowledge.add([_document("b.md", "Webhooks are retried for three days.")])
        assert knowledge.documents("How long are webhooks retried?")[0] == "b.md"
        knowledge.add([_document("a.md", "Penguins live on the southern half of the earth.")])
        texts = [hit.passage.text for hit in knowledge.retriever.search("When are invoices sent?").hits]
    finally:
        knowledge.close()
    assert not any("Invoices" in text for text in texts)


def test_an_empty_knowledge_base_finds_nothing(tmp_path: Path, embedder: MiniLmEmbedder):
    with Store(tmp_path / "knowledge.db") as store:
        index = VectorIndex(store, embedder.name, path=tmp_path / "chroma")
        result = Retriever(store, index, embedder).search("anything?", history=[Utterance("user", "hello")])
        index.close()
    assert (result.hits, result.answerable) == ((), False)
    assert result.confidence < 0.05


class Counting:
    """An embedder that counts the texts it is asked for."""

    def __init__(self, inner: MiniLmEmbedder) -> None:
        self._inner = inner
        self.texts: list[str] = []
        self.name, self.dimensions, self.max_tokens = inner.name, inner.dimensions, inner.max_tokens

    def embed(self, texts: list[str]) -> NDArray[np.float32]:
        self.texts += texts
        return self._inner.embed(texts)

    def embed_query(self, text: str) -> NDArray[np.float32]:
        vector: NDArray[np.float32] = self.embed([text])[0]
        return vector

    def token_spans(self, text: str) -> list[tuple[int, int]]:
        return self._inner.token_spans(text)

    def knows(self, word: str) -> bool:
        return self._inner.knows(word)


def test_a_slip_of_the_keyboard_finds_what_was_meant(articles: Knowledge):
    meant, written = (articles.retriever.search(f"How is a {word} protected?") for word in ("payment", "paymnet"))
    assert written.hits == meant.hits
    assert written.query == "How is a payment protected?"


def test_what_was_said_is_embedded_once(articles: Knowledge):
    counting = Counting(articles.embedder)
    retriever = Retriever(articles.store, articles.index, counting)  # type: ignore[arg-type]
    history = articles.after(*ESCROW[:3])
    retriever.search("why?", history=history)
    first = len(counting.texts)
    retriever.search("and then?", history=[*history, Utterance("user", "why?"), Utterance("assistant", "Because.")])
    assert counting.texts[first:] == ["and then?", "Because."]


def test_the_question_s_own_vector_comes_along_without_what_was_said_before(articles: Knowledge):
    alone = articles.embedder.embed_query("and on weekends?")
    result = articles.retriever.search("and on  weekends?", history=articles.after(ESCROW[0]))
    assert result.vector is not None
    np.testing.assert_allclose(result.vector, alone, atol=1e-6)


@pytest.fixture(scope="module")
def twins(tmp_path_factory: pytest.TempPathFactory, embedder: MiniLmEmbedder) -> Iterator[Knowledge]:
    """Two pages that answer alike, on different topics, and one about something else."""
    texts = {
        "monday": "On Monday parking costs five euros a day; pay at the machine.",
        "tuesday": "On Tuesday parking costs five euros a day; pay at the machine.",
        "food": "The canteen serves soup and bread from noon.",
    }
    documents = [replace(_document(topic, text), topic=topic, title="Page") for topic, text in texts.items()]
    knowledge = Knowledge(tmp_path_factory.mktemp("twins"), documents, embedder)
    yield knowledge
    knowledge.close()


def test_of_passages_that_match_alike_the_preferred_topic_comes_first(twins: Knowledge):
    question = "How much does parking cost a day, and where do I pay?"
    plain = twins.retriever.search(question)
    first, second = (hit.passage.topic for hit in plain.hits[:2])
    assert {first, second} == {"monday", "tuesday"}
    nudged = twins.retriever.search(question, prefer={second: 1.0})  # type: ignore[dict-item]
    assert [hit.passage.topic for hit in nudged.hits[:2]] == [second, first]
    assert (nudged.confidence, set(nudged.hits)) == (plain.confidence, set(plain.hits))
    assert twins.retriever.search(question, prefer={second: INDIFFERENT}) == plain  # type: ignore[dict-item]


def test_no_preference_lifts_what_matches_clearly_less(twins: Knowledge):
    prefer = {"food": 50.0, "monday": -1.0}  # beyond what is allowed, and still bounded
    result = twins.retriever.search("How much does parking cost a day?", prefer=prefer)
    assert result.hits[-1].passage.topic == "food"
    for place, hit in enumerate(result.hits):
        overtaken = [later.score for later in result.hits[place + 1 :]]
        assert all(score <= hit.score * (1 + NUDGE) + 1e-9 for score in overtaken)


def test_a_preference_for_unknown_topics_changes_nothing(articles: Knowledge):
    plain = articles.retriever.search(ESCROW[0])
    assert articles.retriever.search(ESCROW[0], prefer={"sailing": 1.0}) == plain
