"""How fast the predictor is, and how good its local model is on a table.

    python -m benchmarks.predictor speed
    python -m benchmarks.predictor table --data F.csv --target COL [--drop COL …]

`speed`: one user inside a turn, and 10,000 users in a batch, with a model learned from simulated users; with and
without reading the log from SQLite. `table`: AUROC, log loss and calibration error beside plain boosting.
"""

import argparse
import asyncio
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import numpy as np
from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncEngine

from benchmarks.simulated_year import START, simulate, until
from tools.database import conversations, exchanges, open_database
from tools.predictor.features import DAY, Asking, features
from tools.predictor.history import History
from tools.predictor.local import LocalModel
from tools.predictor.model import Asked
from tools.predictor.service import Predictor
from tools.predictor.stored import ModelFolder
from tools.predictor.training import train
from tools.predictor.users import UserStore
from tools.profile.tables import interactions

DAYS = 200
BATCH = 10_000
TURNS = 300


def main() -> None:
    """Measure what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["speed", "table"])
    parser.add_argument("--data", type=Path)
    parser.add_argument("--target")
    parser.add_argument("--drop", action="append", default=[])
    options = parser.parse_args()
    if options.what == "speed":
        asyncio.run(_speed())
    elif options.data is None or not options.data.exists():
        print(f"There is no table at {options.data}: nothing was measured.")
    else:
        _table(options.data, options.target, options.drop)


async def _speed() -> None:
    histories = until(simulate(300, days=DAYS, changes=DAYS), DAYS)
    now = START + DAYS * DAY
    model = train(histories, now, None, fewest=300).model
    assert model is not None
    trees = {name: head.classifier.trees.count for name, head in model.heads.items()}
    print(f"model: {trees} trees; {np.mean([len(one.events) for one in histories]):.0f} events a user")
    _one(model, histories, now)
    _many(model, histories, now)
    with tempfile.TemporaryDirectory() as folder:
        ModelFolder(Path(folder) / "models").save(model)
        async with open_database(f"sqlite+aiosqlite:///{folder}/attune.db") as engine:
            await _fill(engine, histories)
            await _through_the_service(engine, Path(folder) / "models", histories)


def _one(model: LocalModel, histories: Sequence[History], now: float) -> None:
    asking = Asking.of("How do I export my reports to a file?", datetime.fromtimestamp(now, UTC), "api")
    spent = []
    for number in range(TURNS):
        begun = time.perf_counter()
        history = histories[number % len(histories)]
        model.foresee([Asked(history, features(history, asking), now)])
        spent.append(time.perf_counter() - begun)
    print(f"one user, features and both heads: {_quantiles(spent)}")


def _many(model: LocalModel, histories: Sequence[History], now: float) -> None:
    asking = Asking.of("", datetime.fromtimestamp(now, UTC), "")
    chosen = [histories[number % len(histories)] for number in range(BATCH)]
    begun = time.perf_counter()
    model.foresee([Asked(history, features(history, asking), now) for history in chosen])
    print(f"{BATCH} users in a batch, features and both heads: {time.perf_counter() - begun:.2f} s")


async def _through_the_service(engine: AsyncEngine, models: Path, histories: Sequence[History]) -> None:
    service = Predictor(engine, models)
    await service.open()
    users = [one.user_id for one in histories]
    at = datetime.fromtimestamp(START + DAYS * DAY, UTC)
    spent, sources = [], set()
    for number in range(TURNS):
        begun = time.perf_counter()
        forecast = await service.foresee(users[number % len(users)], question="How do I export?", channel="api", at=at)
        spent.append(time.perf_counter() - begun)
        sources.add(forecast.foreseen.source if forecast.foreseen else "none")
        await service.idle()
    print(f"one user inside a turn, reading the log too: {_quantiles(spent)} ({', '.join(sorted(sources))})")
    await service.aclose()


def _quantiles(seconds: Sequence[float]) -> str:
    p50, p95 = np.quantile(seconds, [0.5, 0.95]) * 1000
    return f"p50 {p50:.2f} ms, p95 {p95:.2f} ms"


async def _fill(engine: AsyncEngine, histories: Sequence[History]) -> None:
    """The simulated log, as conversations and interactions."""
    async with engine.begin() as connection:
        for history in histories:
            asked = [event for event in history.events if event.type == "question"]
            times = [datetime.fromtimestamp(event.at, UTC) for event in asked]
            await connection.execute(
                insert(conversations).values(
                    id=history.user_id,
                    user_id=history.user_id,
                    title="…",
                    created_at=times[0] if times else datetime.now(UTC),
                    updated_at=times[-1] if times else datetime.now(UTC),
                    exchanges=len(asked),
                    last_message_id=None,
                )
            )
            rows = [
                {
                    "message_id": uuid4().hex,
                    "conversation_id": history.user_id,
                    "position": position,
                    "channel": event.channel,
                    "question": " ".join(sorted(event.words)),
                    "reply": '{"answered": true}',
                    "created_at": time_,
                }
                for position, (event, time_) in enumerate(zip(asked, times, strict=True), 1)
            ]
            done = [
                {
                    "user_id": history.user_id,
                    "type": event.type,
                    "metadata": {},
                    "keywords": list(event.topics),
                    "created_at": datetime.fromtimestamp(event.at, UTC),
                    "idempotency_key": uuid4().hex,
                }
                for event in history.events
                if event.type != "question"
            ]
            if rows:
                await connection.execute(insert(exchanges), rows)
            if done:
                await connection.execute(insert(interactions), done)
    await UserStore(engine).load({one.user_id: one.attributes or {} for one in histories})


def _table(data: Path, target: str, drop: Sequence[str]) -> None:
    from sklearn.ensemble import HistGradientBoostingClassifier

    from tools.predictor.columns import labels, read_csv
    from tools.predictor.encoding import Encoder
    from tools.predictor.evaluation import FOLDS, SEED, evaluate_predictions, figures
    from tools.predictor.learner import divisions_of

    report = evaluate_predictions(data, target, drop=drop)
    print(f"local model: {report.local}\nlogistic regression: {report.logistic}")
    columns = read_csv(data)
    truth = np.array(labels(target, columns[target])[0])
    known = np.flatnonzero(~np.isnan(truth))
    frame = {
        name: [cells[row] for row in known] for name, cells in columns.items() if name != target and name not in drop
    }
    encoder = Encoder.of(frame)
    matrix, truth = np.hstack([encoder.encode(frame), encoder.rated_codes(frame)]), truth[known]
    said = np.empty(len(truth))
    for held in divisions_of(truth, FOLDS, SEED):
        rest = np.setdiff1d(np.arange(len(truth)), held)
        booster = HistGradientBoostingClassifier(random_state=0).fit(matrix[rest], truth[rest])
        said[held] = booster.predict_proba(matrix[held])[:, 1]
    print(f"plain boosting: {figures(truth, said)}\n{report.seconds_per_fit:.1f} s a fit, {report.rows} rows")


if __name__ == "__main__":
    main()
