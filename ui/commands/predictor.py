"""python -m ui predictor report | train"""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from rich.table import Table

from agent.knowledge import database_url
from agent.settings import Settings
from tools.database import open_database
from tools.predictor.report import Line
from tools.predictor.service import Predictor
from tools.predictor.training import Trained
from ui.commands.output import print_json, results
from ui.commands.running import new_runner
from ui.configuration import load_settings

T = TypeVar("T")


def report(*, as_json: bool) -> None:
    """How good the predictions were, by head, rung and week."""
    lines = _with_predictor(load_settings(), lambda predictor: predictor.report())
    if as_json:
        print_json([line.as_json() for line in lines])
    elif not lines:
        results().print("No outcome is known yet: it takes three to seven days after a prediction.")
    else:
        results().print(_table(lines))


def train(*, as_json: bool) -> None:
    """Learn from the log now; what is better on later cases serves from now on."""
    trained = _with_predictor(load_settings(), _train)
    if as_json:
        print_json({"version": trained.model.version if trained.model else None, "heads": list(trained.verdicts)})
        return
    for verdict in trained.verdicts:
        done = "learned" if verdict.accepted else "kept as it was"
        results().print(f"{verdict.head}: {done} ({verdict.cases} cases): {verdict.because}")


async def _train(predictor: Predictor) -> Trained:
    await predictor.settle()
    changed = any(found.noticed for found in (await predictor.drift()).values())
    return await predictor.train(drifted=changed)


def _with_predictor(settings: Settings, work: Callable[[Predictor], Awaitable[T]]) -> T:
    async def opened() -> T:
        settings.data_dir.mkdir(parents=True, exist_ok=True)
        async with open_database(database_url(settings)) as engine:
            predictor = Predictor(engine, settings.models_dir / "predictor")
            await predictor.open()
            try:
                return await work(predictor)
            finally:
                await predictor.aclose()

    with new_runner() as runner:
        return runner.run(opened())


def _table(lines: list[Line]) -> Table:
    table = Table(
        "head",
        "rung",
        "week",
        "cases",
        "rate",
        "said",
        "AUROC",
        "log loss",
        "calibration error",
        "lift",
        "drift",
        box=None,
    )
    for line in lines:
        table.add_row(
            line.head,
            line.source,
            line.week,
            str(line.cases),
            f"{line.rate:.3f}",
            f"{line.said:.3f}",
            "–" if line.auroc is None else f"{line.auroc:.3f}",
            f"{line.log_loss:.3f}",
            f"{line.calibration_error:.3f}",
            "–" if line.lift is None else f"{line.lift:.2f}",
            "noticed" if line.drift else "",
        )
    return table
