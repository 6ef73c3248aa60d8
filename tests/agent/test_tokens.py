import hashlib
import json
import threading
from collections.abc import Iterator, Sequence
from http.server import BaseHTTPRequestHandler, HTTPServer
from itertools import count
from pathlib import Path
from uuid import uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage, ToolMessage
from langchain_core.tools import tool

from agent import tokens
from agent.tokens import Table, TokenCounter, estimated, fit, table_path, tool_tokens, truncated
from tests.model_server import blackhole

SYSTEM = SystemMessage("Answer from the passages.")
COUNTER = TokenCounter()


class Words:
    """An encoding that counts words."""

    def encode_ordinary(self, text: str) -> list[int]:
        return [0] * len(text.split())


def search(*passages: str, call_id: str = "call_1") -> list[BaseMessage]:
    call = {"name": "search_knowledge_base", "args": {"query": "fees"}, "id": call_id}
    text = "\n".join(f'<passage number="{n}">\n{text}\n</passage>' for n, text in enumerate(passages, 1))
    return [AIMessage("", tool_calls=[call]), ToolMessage(text, tool_call_id=call_id)]


def length(messages: Sequence[BaseMessage]) -> int:
    """Written apart from the code under test: text, tool calls, call ids and frames."""
    total = 0
    for message in messages:
        beside = ""
        if isinstance(message, AIMessage) and message.tool_calls:
            beside = json.dumps(message.tool_calls, ensure_ascii=False)
        if isinstance(message, ToolMessage):
            beside = message.tool_call_id
        total += COUNTER.count(str(message.content)) + COUNTER.count(beside) + 4
    return total


# Fitting


def test_a_prompt_that_fits_is_left_alone() -> None:
    prompt = [SYSTEM, HumanMessage("Fees?"), *search("5 %")]
    assert fit(prompt, budget=500, counter=COUNTER) == prompt


def test_older_history_goes_before_passages() -> None:
    old, new = HumanMessage("old " * 100), HumanMessage("new " * 20)
    prompt = [SYSTEM, old, AIMessage("answer " * 50), new, AIMessage("yes"), HumanMessage("Fees?"), *search("5 %" * 40)]
    kept = fit(prompt, budget=length(prompt) - 20, counter=COUNTER)
    assert kept == [SYSTEM, new, AIMessage("yes"), HumanMessage("Fees?"), *prompt[-2:]]


def test_history_never_begins_with_an_answer() -> None:
    prompt = [SYSTEM, HumanMessage("old " * 100), AIMessage("short"), HumanMessage("Fees?"), *search("5 %")]
    assert fit(prompt, budget=length(prompt) - 20, counter=COUNTER) == [SYSTEM, HumanMessage("Fees?"), *prompt[-2:]]


def test_the_lowest_passages_go_first_and_stay_closed() -> None:
    passages = [f"Passage {n}. " + "word " * 60 for n in range(6)]
    budget = length([SYSTEM, HumanMessage("Fees?"), *search(*passages[:3])]) + 80
    kept = fit([SYSTEM, HumanMessage("Fees?"), *search(*passages)], budget=budget, counter=COUNTER)
    text = str(kept[-1].content)
    assert text.count("<passage") == text.count("</passage>") == 4
    assert "Passage 3." in text
    assert text.endswith("…\n</passage>")
    assert length(kept) <= budget


def test_two_searches_share_what_is_left() -> None:
    first = search(*["one " * 100] * 4)
    second = search(*["two " * 100] * 4, call_id="call_2")
    kept = fit([SYSTEM, HumanMessage("Fees?"), *first, *second], budget=800, counter=COUNTER)
    assert [message.type for message in kept] == ["system", "human", "ai", "tool", "ai", "tool"]
    assert "one" in str(kept[3].content)
    assert "two" in str(kept[5].content)


def test_a_question_longer_than_the_window_keeps_its_beginning() -> None:
    question = HumanMessage("How do I. " * 2000)
    kept = fit([SYSTEM, HumanMessage("before"), question, *search("5 %")], budget=300, counter=COUNTER)
    assert [message.type for message in kept] == ["system", "human"]
    assert str(kept[1].content).startswith("How do I. How do I.")
    assert str(kept[1].content).endswith("…")
    assert length(kept) <= 300


def test_the_last_instruction_stays_last() -> None:
    last = SystemMessage("Answer now.")
    prompt = [SYSTEM, HumanMessage("Fees?"), *search(*["word " * 200] * 6), last]
    assert fit(prompt, budget=300, counter=COUNTER)[-1] == last


def test_what_was_given_is_not_changed() -> None:
    prompt = [SYSTEM, HumanMessage("Fees?"), *search(*["word " * 200] * 6)]
    before = [message.model_copy(deep=True) for message in prompt]
    fit(prompt, budget=300, counter=COUNTER)
    assert prompt == before


def test_results_that_no_call_asked_for_are_left_out() -> None:
    stray = ToolMessage("stray", tool_call_id="other")
    kept = fit([SYSTEM, stray, HumanMessage("Fees? " * 100)], budget=100, counter=COUNTER)
    assert stray not in kept


WORDS = st.lists(st.sampled_from(["fee", "escrow", "Zahlung", "支付", "12,50", "`x[0]`", "\n", "\n\n", "."])).map(
    " ".join
)
EXCHANGES = st.lists(st.tuples(WORDS, WORDS), max_size=5)
SEARCHES = st.lists(st.lists(WORDS, max_size=6), max_size=3)


@given(EXCHANGES, WORDS, SEARCHES, st.integers(120, 2000), st.booleans())
@settings(max_examples=200, deadline=None)
def test_a_prompt_is_within_its_budget_keeps_its_question_and_its_pairs(
    exchanges: list[tuple[str, str]], question: str, searches: list[list[str]], budget: int, last_round: bool
) -> None:
    asked = HumanMessage(f"Q {question}")
    prompt: list[BaseMessage] = [SYSTEM]
    numbers = count()
    for said, answered in exchanges:
        prompt += [HumanMessage(said, id=f"m{next(numbers)}"), AIMessage(answered, id=f"m{next(numbers)}")]
    prompt.append(asked)
    for passages in searches:
        prompt += search(*passages, call_id=str(uuid4()))
    prompt += [SystemMessage("Answer now.")] if last_round else []

    kept = fit(prompt, budget=budget, counter=COUNTER)

    assert length(kept) <= budget
    assert SYSTEM in kept
    assert any(isinstance(message, HumanMessage) and str(message.content).startswith("Q") for message in kept)
    calls = [call["id"] for message in kept if isinstance(message, AIMessage) for call in message.tool_calls]
    assert calls == [message.tool_call_id for message in kept if isinstance(message, ToolMessage)]
    order = [prompt.index(message) for message in kept if message in prompt]
    assert order == sorted(order)


@given(WORDS, st.integers(0, 60))
@settings(deadline=None)
def test_a_cut_text_is_a_beginning_within_its_limit(text: str, limit: int) -> None:
    cut = truncated(text, limit, estimated)
    assert estimated(cut) <= limit
    assert cut == text or text.startswith(cut.removesuffix(" …"))


def test_a_text_is_cut_after_a_sentence() -> None:
    text = "The first sentence is here. The second is longer than what fits, and it goes on and on without an end"
    assert truncated(text, 14, estimated) == "The first sentence is here. …"


# Counting


@pytest.mark.parametrize(
    ("text", "true"),  # lengths in cl100k_base
    [
        ("Money is held in escrow until the client approves the work.", 13),
        ("Rückerstattungen dauern bis zu fünf Werktage.", 15),
        ("我们的平台会在客户批准工作之前托管资金", 21),
        ('{"query": "escrow fees", "limit": 6}', 14),
        ("1234567890", 4),
    ],
)
def test_estimates_err_high(text: str, true: int) -> None:
    assert true <= estimated(text) <= true * 2


def test_tools_take_room_too() -> None:
    @tool
    def look(query: str) -> str:
        """Look something up in the documents, as a whole question."""
        return query

    assert tool_tokens([]) == 0
    assert 40 < tool_tokens([look]) < 150
    assert tool_tokens([look, look]) == 2 * tool_tokens([look])


def test_no_model_and_unknown_models_are_estimated() -> None:
    for model in (None, "llama3.1:8b"):
        counter = TokenCounter(model, fetch=True, tables={})
        assert not counter.exact
        assert counter.count("Money is held.") == estimated("Money is held.")


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(tmp_path))
    return tmp_path


def test_tables_are_looked_for_where_tiktoken_puts_them(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = Table("https://example.com/table", "00")
    name = hashlib.sha1(b"https://example.com/table").hexdigest()  # noqa: S324 (the name that tiktoken gives it)
    assert table_path(table) == cache / name
    monkeypatch.delenv("TIKTOKEN_CACHE_DIR")
    monkeypatch.setenv("DATA_GYM_CACHE_DIR", "/elsewhere")
    assert table_path(table) == Path("/elsewhere") / name
    monkeypatch.delenv("DATA_GYM_CACHE_DIR")
    default = table_path(table)
    assert default is not None
    assert default.parent.name == "data-gym-cache"
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", "")
    assert table_path(table) is None


def counter_of(table: Table, *, fetch: bool = False) -> TokenCounter:
    return TokenCounter("gpt-4", fetch=fetch, tables={"cl100k_base": table}, load=lambda name: Words())


def table_of(content: bytes, address: str = "https://example.com/table") -> Table:
    return Table(address, hashlib.sha256(content).hexdigest())


def stored(table: Table, content: bytes) -> Path:
    path = table_path(table)
    assert path is not None
    path.write_bytes(content)
    return path


@pytest.mark.usefixtures("cache")
def test_a_table_on_disk_is_used() -> None:
    table = table_of(b"table")
    stored(table, b"table")
    counter = counter_of(table)
    assert counter.ready(10)
    assert counter.count("three short words") == 3


@pytest.mark.usefixtures("cache")
def test_a_broken_table_is_neither_used_nor_fetched_nor_deleted() -> None:
    table = table_of(b"table")
    path = stored(table, b"half a ta")
    assert not counter_of(table).ready(10)
    assert path.read_bytes() == b"half a ta"


@pytest.mark.usefixtures("cache")
def test_a_missing_table_is_not_fetched_unasked() -> None:
    counter = counter_of(table_of(b"table", "http://127.0.0.1:9/table"))
    assert not counter.ready(10)
    assert counter.count("Money is held.") == estimated("Money is held.")


class Tables(BaseHTTPRequestHandler):
    asked: list[str]

    def do_GET(self) -> None:
        self.asked.append(self.path)
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"table")

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def web() -> Iterator[tuple[str, list[str]]]:
    asked: list[str] = []
    server = HTTPServer(("127.0.0.1", 0), type("Asked", (Tables,), {"asked": asked}))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", asked
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.usefixtures("cache")
def test_a_table_is_fetched_once_when_that_is_wanted(web: tuple[str, list[str]]) -> None:
    address, asked = web
    table = table_of(b"table", address + "/table")
    assert counter_of(table, fetch=True).ready(10)
    assert counter_of(table, fetch=True).ready(10)
    assert asked == ["/table"]


@pytest.mark.usefixtures("cache")
def test_what_is_not_the_table_is_not_kept_and_not_asked_for_again(web: tuple[str, list[str]]) -> None:
    address, asked = web
    table = table_of(b"another table", address + "/wrong")
    assert not counter_of(table, fetch=True).ready(10)
    assert not counter_of(table, fetch=True).ready(10)
    path = table_path(table)
    assert path is not None
    assert not path.exists()
    assert asked == ["/wrong"]


@pytest.mark.usefixtures("cache")
async def test_a_server_that_never_answers_delays_no_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokens, "FETCH_SECONDS", 3.0)
    async with blackhole() as address:
        counter = counter_of(table_of(b"table", address + "/table"), fetch=True)
        prompt = [SYSTEM, HumanMessage("Fees?"), *search(*["word " * 200] * 6)]
        assert length(fit(prompt, budget=300, counter=counter)) <= 300
        assert counter.loading  # the prompt was fitted while the fetch went on
        assert not counter.ready(10)
        assert not counter.loading
