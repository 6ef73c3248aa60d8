"""The whole loop over a database: asked, decided, logged, settled, reported, forgotten; and faults inside a turn."""

import asyncio
import json
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, insert, update
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.tools.predictor.test_ladder import Faulty
from tools.conversations import ConversationStore
from tools.database import exchanges
from tools.predictor.errors import UsersInvalid, UserUnknown
from tools.predictor.history import HistoryReader
from tools.predictor.model import ENGAGEMENT, RISK
from tools.predictor.policy import PLAIN, Thresholds
from tools.predictor.service import Predictor
from tools.predictor.stored import ModelFolder
from tools.predictor.tables import predictions
from tools.predictor.training import Trained
from tools.predictor.users import UserStore, read_users
from tools.profile import held
from tools.profile.tables import interactions

NOW = datetime.now(UTC)


async def ask(
    engine: AsyncEngine, user: str, message: str, question: str, *, ago: timedelta, answered: bool = True
) -> None:
    reply = json.dumps({"answer": "…", "answered": answered})
    async with engine.begin() as connection:
        store = ConversationStore(engine)
        said: dict[str, Any] = {"question": question, "reply": reply, "channel": "api"}
        await store.append(connection, user, f"of {user}", message, **said, answered=answered)
        await connection.execute(
            update(exchanges).where(exchanges.c.message_id == message).values(created_at=NOW - ago)
        )


async def act(
    engine: AsyncEngine, user: str, kind: str, *, ago: timedelta, told: dict[str, object] | None = None, key: str = ""
) -> None:
    row: dict[str, object] = {
        "user_id": user, "type": kind, "item_id": None, "rating": None, "metadata": told or {}, "keywords": [],
        "created_at": NOW - ago, "idempotency_key": key or f"{kind}-{ago}",
    }  # fmt: skip
    async with engine.begin() as connection:
        await connection.execute(insert(interactions).values(row))


@pytest.fixture
async def predictor(engine: AsyncEngine, tmp_path: Path):
    service = Predictor(engine, tmp_path / "models", deadline=5)  # a loaded machine is not what is tested
    await service.open()
    yield service
    await service.aclose()


async def test_a_question_that_was_logged_twice_counts_once_and_has_its_topics(engine: AsyncEngine):
    await ask(engine, "ann", "m1", "How do I export?", ago=timedelta(days=2), answered=False)
    await act(engine, "ann", "question", ago=timedelta(days=2), told={"topics": ["exports"]}, key="m1")
    await act(engine, "ann", "click", ago=timedelta(days=1))
    await ask(engine, "bob", "m2", "Something else", ago=timedelta(days=1))
    history = (await HistoryReader(engine).read(["ann"]))["ann"]
    assert [event.type for event in history.events] == ["question", "click"]
    assert history.events[0].topics == ("exports",)
    assert not history.events[0].answered


async def test_a_new_installation_gives_a_number_and_does_nothing(predictor: Predictor):
    forecast = await predictor.foresee("nobody", question="How do I export?", channel="api")
    assert forecast.foreseen is not None
    assert forecast.foreseen.source == "prior"
    assert 0 < forecast.foreseen.heads[ENGAGEMENT].probability < 1
    assert forecast.decision.action == PLAIN
    assert (forecast.changes_reply, forecast.receipt) == (False, "")


async def test_from_prediction_to_outcome_to_report(engine: AsyncEngine, predictor: Predictor):
    for number in range(40):
        user, ago = f"u{number}", timedelta(days=20, minutes=number)
        await predictor.foresee(user, question="How do I export?", channel="api", message_id=f"m{number}", at=NOW - ago)
        await ask(engine, user, f"m{number}", "How do I export?", ago=ago - timedelta(seconds=3))
        if number % 2:
            await act(engine, user, "click", ago=ago - timedelta(hours=1))
        if number % 4 == 0:
            await ask(engine, user, f"m{number}+", "how do I export??", ago=ago - timedelta(minutes=9))
    await predictor.idle()
    lines = {(line.head, line.week): line for line in await predictor.report()}
    assert lines[ENGAGEMENT, "all"].cases == 40
    assert lines[ENGAGEMENT, "all"].rate == 0.5
    assert lines[RISK, "all"].rate == 0.25
    async with engine.connect() as connection:
        logged = (await held.export(connection, "u1"))["predictions"]
    assert logged[0]["features"]["channel"] == "api"
    assert (logged[0]["action"], logged[0]["action_without"], logged[0]["engaged"]) == (PLAIN, PLAIN, 1)
    assert (await held.forget(engine, "u1")).before["predictions"] == 1


async def test_the_newest_predictions_have_no_outcome_yet(engine: AsyncEngine, predictor: Predictor):
    await predictor.foresee("ann", question="Where?", message_id="m1", at=NOW - timedelta(days=1))
    await predictor.idle()
    await act(engine, "ann", "click", ago=timedelta(hours=20))
    assert await predictor.settle() == 0
    assert await predictor.report() == []


async def test_a_trained_model_serves_explains_and_survives_a_restart(
    engine: AsyncEngine, tmp_path: Path, trained: Trained
):
    assert trained.model is not None
    ModelFolder(tmp_path / "models").save(trained.model)
    await UserStore(engine).load({"ann": {"plan": "team", "seats": 30.0}})
    await ask(engine, "ann", "m1", "How do I export?", ago=timedelta(days=2))
    service = Predictor(engine, tmp_path / "models", thresholds=Thresholds(act_above=0.0, widest=1.0), deadline=5)
    await service.open()
    found = await service.recommend("ann")
    assert (found.source, found.user_id) == ("local", "ann")
    assert found.score is not None
    assert "engagement" in found.explanation
    forecast = await service.foresee("ann", question="How do I pay?", channel="gradio")
    assert forecast.changes_reply
    assert "local predictor" in forecast.receipt
    await service.aclose()


async def test_a_user_whom_nobody_knows_is_refused(predictor: Predictor):
    with pytest.raises(UserUnknown, match="'stranger'"):
        await predictor.recommend("stranger")


async def test_many_users_in_one_go(engine: AsyncEngine, predictor: Predictor):
    await UserStore(engine).load({f"u{number}": {"age": number} for number in range(1200)})
    found = await predictor.batch([f"u{number}" for number in range(1200)])
    assert [one.user_id for one in found[:2]] == ["u0", "u1"]
    assert len(found) == 1200


@pytest.mark.parametrize("does", ["hang", RuntimeError("boom"), "nan", "1.7"])
async def test_a_rung_at_fault_costs_a_turn_neither_time_nor_its_answer(
    engine: AsyncEngine, tmp_path: Path, caplog: pytest.LogCaptureFixture, does: object
):
    service = Predictor(engine, tmp_path / "models", rungs=[Faulty(does)])
    began = time.perf_counter()
    forecast = await service.foresee("ann", question="How do I export?")
    assert time.perf_counter() - began < 1
    assert forecast.foreseen is None or forecast.foreseen.source == "prior"
    assert "passed over" in caplog.text or "no prediction" in caplog.text
    await service.aclose()


@pytest.mark.parametrize("damage", ["corrupt", "other features"])
async def test_a_model_that_cannot_serve_is_left_aside(
    engine: AsyncEngine, tmp_path: Path, trained: Trained, caplog: pytest.LogCaptureFixture, damage: str
):
    assert trained.model is not None
    ModelFolder(tmp_path).save(trained.model)
    if damage == "corrupt":
        (tmp_path / trained.model.version / "numbers.npz").write_bytes(b"nonsense")
    else:
        file = tmp_path / trained.model.version / "model.json"
        file.write_text(file.read_text(encoding="utf-8").replace('"hour"', '"other"'), encoding="utf-8")
    service = Predictor(engine, tmp_path, deadline=5)
    await service.open()
    forecast = await service.foresee("ann", question="How do I export?")
    assert forecast.foreseen is not None
    assert forecast.foreseen.source == "prior"
    assert "predictor train" in caplog.text or "expects the column 'other'" in caplog.text
    await service.aclose()


async def test_a_database_that_is_gone_costs_only_the_prediction(
    engine: AsyncEngine, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    service = Predictor(engine, tmp_path)
    async with engine.begin() as connection:
        await connection.run_sync(predictions.drop)
        await connection.run_sync(interactions.drop)
    forecast = await service.foresee("ann", question="How do I export?")
    assert forecast.foreseen is None
    assert forecast.decision.action == PLAIN
    assert "no prediction for a turn" in caplog.text
    await service.aclose()


async def test_learning_in_the_background_ends_with_the_service(engine: AsyncEngine, tmp_path: Path):
    asked: list[str] = []
    event.listen(engine.sync_engine, "before_cursor_execute", lambda *found: asked.append(found[2]))
    service = Predictor(engine, tmp_path)
    service.start(every=0.01)
    async with asyncio.timeout(10):
        while sum("predictions" in statement for statement in asked) < 4:  # noqa: ASYNC110 - several rounds
            await asyncio.sleep(0.01)
    await service.aclose()
    until_closed = len(asked)
    await asyncio.sleep(0.05)
    assert len(asked) == until_closed


def test_users_are_read_with_the_types_that_their_columns_have(tmp_path: Path):
    file = tmp_path / "users.csv"
    file.write_text("user_id,age,gender,last_active,vip\nann,33,f,2026-01-02,yes\nbob,,m,,no\n", encoding="utf-8")
    assert read_users(file).users == {
        "ann": {"age": 33.0, "gender": "f", "last_active": "2026-01-02", "vip": True},
        "bob": {"age": None, "gender": "m", "last_active": None, "vip": False},
    }
    file.write_text("name,age\nann,3\n", encoding="utf-8")
    with pytest.raises(UsersInvalid, match="needs a column 'user_id'"):
        read_users(file)
    file.write_text("user_id,age\n,3\n", encoding="utf-8")
    with pytest.raises(UsersInvalid, match=r"none of the 1 rows could be read; the first, line 2: .* got ''"):
        read_users(file)


def test_a_bad_row_is_named_by_its_line_and_costs_no_other(tmp_path: Path):
    file = tmp_path / "users.csv"
    rows = ["user_id,age,plan", "ann,33,team", ",4,team", "", "bob,x", '"cid","7","one\nand two"', "n\0l,1,team"]
    file.write_text("\n".join([*rows, f"{'d' * 201},1,team", "ann,34,solo"]) + "\n", encoding="utf-8")
    read = read_users(file)
    assert read.users == {"ann": {"age": 34.0, "plan": "solo"}, "cid": {"age": 7.0, "plan": "one\nand two"}}
    assert [(one.line, one.reason) for one in read.failed] == [
        (3, "expected a user id of 1 to 200 characters, got ''"),
        (5, "expected 3 values, got 2"),
        (8, "expected text without NUL characters, which no database keeps"),
        (9, f"expected a user id of 1 to 200 characters, got {'d' * 40!r}"),
    ]
