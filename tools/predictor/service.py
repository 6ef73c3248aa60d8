"""The predictor as the turn, the API and the commands see it: ask, decide, keep, settle, learn."""

import asyncio
import logging
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
from sqlalchemy.ext.asyncio import AsyncEngine

from knowledge_base.errors import AttuneError
from tools.background import Background
from tools.database import now
from tools.predictor.drift import Drift, drift
from tools.predictor.errors import UserUnknown
from tools.predictor.explanation import HEAD_WORDS, contributions, in_words
from tools.predictor.features import Asking, Features, features
from tools.predictor.history import History, HistoryReader
from tools.predictor.kumo import KumoRung
from tools.predictor.ladder import DEADLINE, Ladder
from tools.predictor.local import LocalRung
from tools.predictor.log import Logged, PredictionLog
from tools.predictor.model import ENGAGEMENT, HEADS, RISK, Asked, Foreseen, Rung
from tools.predictor.policy import IN_WORDS, PLAIN, Action, Decision, Thresholds, decide
from tools.predictor.prior import PriorModel, PriorRung
from tools.predictor.report import Line, report
from tools.predictor.stored import ModelFolder
from tools.predictor.topics import TopicModel
from tools.predictor.training import Trained, cases_of, train
from tools.rounds import Rounds
from tools.sparing_log import SparingLog

log = logging.getLogger(__name__)

FEWEST_OUTCOMES = 300
EVERY = 6 * 3600.0
ASIDE = 0.5
"""Seconds by which logging a prediction waits: the turn's own write goes first, and predictions of other turns join."""
BATCH = 10_000
BATCH_SECONDS = 30.0
"""Not a turn: nobody waits for words."""


@dataclass(frozen=True, slots=True)
class Forecast:
    """What is foreseen of a user at a moment, and what follows from it.

    `foreseen` is None when no rung answered in time; the decision is then the plain one.
    """

    user_id: str
    foreseen: Foreseen | None
    decision: Decision
    features: Features
    asking: Asking

    @property
    def changes_reply(self) -> bool:
        """Whether the reply differs from the one without a predictor."""
        return self.decision.action != self.decision.without

    @property
    def receipt(self) -> str:
        """One line for the reply's receipt; "" when nothing was changed."""
        if not self.changes_reply or self.foreseen is None or self.decision.score is None:
            return ""
        return (
            f"Chose to {IN_WORDS[self.decision.action]}: {self.decision.because} is {self.decision.score:.0%} "
            f"({self.foreseen.source} predictor)"
        )


@dataclass(frozen=True, slots=True)
class Recommendation:
    """What `GET /recommend/{user_id}` answers."""

    user_id: str
    action: Action
    score: float | None
    source: str
    explanation: str


class Predictor:
    """Foresees, and learns from what happened.

    Args:
        engine: The database of conversations, interactions and predictions.
        models: Folder of the local model's versions.
        thresholds: The operator's rule.
        rungs: Rungs above the local one, the best first (KumoRFM).
        deadline: Seconds that a turn waits at most, reading included.
        fewest: Outcomes that a training needs.
        taxonomy: Asked for the topics that there are, at each training.
        lacking: Told of turns that went without a prediction, as overload makes them.
    """

    def __init__(
        self,
        engine: AsyncEngine,
        models: Path,
        *,
        thresholds: Thresholds | None = None,
        rungs: Sequence[Rung] = (),
        deadline: float = DEADLINE,
        fewest: int = FEWEST_OUTCOMES,
        taxonomy: Callable[[], Sequence[str]] = tuple,
        lacking: SparingLog | None = None,
    ) -> None:
        self.thresholds = thresholds or Thresholds()
        self._reader = HistoryReader(engine)
        self._log = PredictionLog(engine)
        self._folder = ModelFolder(models)
        self._rungs, self._prior, self._local = tuple(rungs), PriorRung(), LocalRung()
        self._deadline, self._fewest, self._taxonomy = deadline, fewest, taxonomy
        self._lacking = lacking or SparingLog()
        self._ladder = Ladder([*self._rungs, self._local, self._prior], deadline=deadline, lacking=self._lacking)
        self._background = Background(self._lacking.warn)
        self._unwritten: list[Logged] = []
        self._writing: asyncio.TimerHandle | None = None
        self._training = asyncio.Lock()
        self._learning: Rounds | None = None

    async def open(self) -> None:
        """Load the model that serves. A damaged one is left aside, with a warning: the counts answer until training."""
        try:
            self._local.model = await asyncio.to_thread(self._folder.load)
        except AttuneError as error:
            log.warning("%s", error)

    def start(self, *, every: float = EVERY) -> None:
        """Count now, and every so many seconds settle outcomes and learn, in the background."""
        self._learning = Rounds(self._learn, every=every, name="the predictor learns")
        self._learning.start()

    async def aclose(self) -> None:
        """Write what is still to be written, and stop."""
        if self._learning is not None:
            await self._learning.aclose()
        await self.idle()
        for rung in self._rungs:
            if isinstance(rung, KumoRung):
                await rung.aclose()
        self._local.close()

    # In a turn

    async def foresee(
        self,
        user_id: str,
        *,
        question: str = "",
        channel: str = "",
        message_id: str | None = None,
        at: datetime | None = None,
    ) -> Forecast:
        """What this user probably needs; never raises and never takes longer than the deadline.

        The prediction is logged in the background, with `message_id` as the answer that it belongs to.
        """
        asking = Asking.of(question, at or now(), channel)
        task = asyncio.ensure_future(self._foresee(user_id, asking))
        done, _ = await asyncio.wait({task}, timeout=self._deadline * 1.2)
        forecast = _plain(user_id, asking)
        if not done:
            # It goes on by itself: a read that is cancelled can lose its connection.
            self._background.keep(task, "a prediction that came too late")
            self._lacking.warn(f"no prediction for a turn: reading took longer than {self._deadline * 1000:.0f} ms")
        elif error := task.exception():
            self._lacking.warn("no prediction for a turn", error)
        else:
            forecast = task.result()
        self._keep(forecast, message_id)
        return forecast

    async def _foresee(self, user_id: str, asking: Asking) -> Forecast:
        history = (await self._reader.read([user_id]))[user_id]
        return (await self._decide([history], [asking]))[0]

    async def _decide(
        self,
        histories: Sequence[History],
        asking: Sequence[Asking],
        *,
        deadline: float | None = None,
        in_turn: bool = True,
    ) -> list[Forecast]:
        asked = [Asked(history, features(history, one), one.at) for history, one in zip(histories, asking, strict=True)]
        found: Sequence[Foreseen | None] = await self._ladder.predict(asked, deadline=deadline) or [None] * len(asked)
        return [
            Forecast(
                of.user_id, foreseen, decide(foreseen, of.features, self.thresholds, in_turn=in_turn), of.features, one
            )
            for of, one, foreseen in zip(asked, asking, found, strict=True)
        ]

    def _keep(self, forecast: Forecast, message_id: str | None) -> None:
        """Log the prediction soon. Outcomes are settled apart, by the job and when they are read."""
        self._unwritten.append(
            Logged(
                forecast.user_id, forecast.asking, forecast.features, forecast.foreseen, forecast.decision, message_id
            )
        )
        if self._writing is None:
            self._writing = asyncio.get_running_loop().call_later(ASIDE, self._write)

    def _write(self) -> None:
        if self._writing is not None:
            self._writing.cancel()
        logged, self._unwritten, self._writing = self._unwritten, [], None
        if logged:
            self._background.keep(self._log.add(logged), "logging predictions")

    # Asked from outside

    async def predict(self, user_id: str) -> Forecast:
        """All heads for a user who is not asking now. Raises UserUnknown."""
        (forecast,) = await self.batch([user_id])
        return forecast

    async def batch(self, user_ids: Sequence[str]) -> list[Forecast]:
        """A forecast for each, in this order. Raises UserUnknown with all who were never seen."""
        histories = await self._reader.read(list(dict.fromkeys(user_ids)))
        if unknown := [user for user in user_ids if not histories[user].known]:
            raise UserUnknown(unknown)
        asking = Asking.of("", now(), "")
        return await self._decide(
            [histories[user] for user in user_ids], [asking] * len(user_ids), deadline=BATCH_SECONDS, in_turn=False
        )

    async def recommend(self, user_id: str) -> Recommendation:
        """What to do about a user who is not asking now. Raises UserUnknown."""
        forecast = await self.predict(user_id)
        source = forecast.foreseen.source if forecast.foreseen else "none"
        words = await self.explain(forecast)
        return Recommendation(user_id, forecast.decision.action, forecast.decision.score, source, words)

    async def explain(self, forecast: Forecast) -> str:
        """The decision and the contributions behind it, in words."""
        return " ".join([self._why(forecast), *await asyncio.to_thread(self._heads_in_words, forecast)])

    def _why(self, forecast: Forecast) -> str:
        decision = forecast.decision
        if decision.score is None:
            return f"No recommendation, {IN_WORDS[PLAIN]}: {decision.because}."
        taken = f"{decision.because} is {decision.score:.0%}"
        if decision.action == decision.recommended:
            return f"{IN_WORDS[decision.action].capitalize()}: {taken}."
        above = f"not above {self.thresholds.act_above:.0%}"
        return f"{IN_WORDS[decision.action].capitalize()}: {taken}, {above}, so not: {IN_WORDS[decision.recommended]}."

    def _heads_in_words(self, forecast: Forecast) -> list[str]:
        foreseen, model = forecast.foreseen, self._local.model
        if foreseen is None:
            return []
        by_model = foreseen.source == "local" and model is not None and model.version == foreseen.version
        found = []
        for name in (name for name in (ENGAGEMENT, RISK) if name in foreseen.heads):
            p = foreseen.heads[name].probability
            if by_model and model is not None:
                found.append(in_words(name, p, contributions(model, name, forecast.features)) + ".")
            else:
                found.append(f"{HEAD_WORDS[name]}: {p:.0%} – how often it went so for users like this one.")
        return found

    # The loop

    async def settle(self) -> int:
        """Write down outcomes that are known by now; returns how many predictions were settled."""
        users = await self._log.waiting()
        histories = await self._reader.read(users)
        return sum([await self._log.settle(histories[user]) for user in users])

    async def train(self, *, drifted: bool = False) -> Trained:
        """Learn from the log; what is better on later cases serves from now on, and is written to disk.

        `drifted` says that the world has changed: the newest cases then decide.
        """
        async with self._training:
            histories = await self._histories()
            serving = self._local.model
            trained = await asyncio.to_thread(
                train,
                histories.values(),
                now().timestamp(),
                serving,
                fewest=self._fewest,
                taxonomy=self._taxonomy(),
                drifted=drifted,
            )
            self._prior.model, self._prior.topics = trained.prior, trained.topics
            if trained.model is not None:
                await asyncio.to_thread(self._folder.save, trained.model)
                self._local.model = trained.model
            for verdict in trained.verdicts:
                log.debug("predictor, %s: %s", verdict.head, verdict.because)
            return trained

    async def count(self) -> None:
        """Bring the rates and the topics of the first rung up to date."""
        histories, time = await self._histories(), now().timestamp()
        self._prior.model, self._prior.topics = await asyncio.to_thread(
            _counted, list(histories.values()), time, self._taxonomy()
        )

    async def _histories(self) -> dict[str, History]:
        return await self._reader.read(await self._reader.everybody())

    async def drift(self, *, newest: int = 500) -> dict[str, Drift]:
        """By head, how far the newest outcomes are from what the serving model said of them."""
        model = self._local.model
        known = await self._log.outcomes(version=model.version) if model else []
        of = {head: [one for one in known if one.head == head][-newest:] for head in HEADS}
        return {
            head: drift(np.array([float(one.happened) for one in ones]), np.array([one.probability for one in ones]))
            for head, ones in of.items()
        }

    async def report(self) -> list[Line]:
        """How good the predictions were, after settling what can be."""
        await self.settle()
        return report(await self._log.outcomes())

    async def _learn(self) -> None:
        await self.settle()
        changed = [head for head, found in (await self.drift()).items() if found.noticed]
        if changed:
            log.warning("the world has changed for %s: learning anew", " and ".join(changed))
        await self.train(drifted=bool(changed))

    # One user's data

    async def withdraw(self, user_id: str, message_ids: Collection[str]) -> None:
        """Remove the predictions for answers that the user took back, also those that are just being written."""
        await self.idle()
        await self._log.withdraw(user_id, message_ids)

    def forget(self, user_id: str) -> None:
        """Drop what rungs hold of a user; the rows of the database are removed by `ProfileStore.forget`."""
        for rung in self._rungs:
            if isinstance(rung, KumoRung):
                rung.forget(user_id)

    async def idle(self) -> None:
        """Have what waits to be written written now, and wait for it."""
        self._write()
        await self._background.idle()


def _plain(user_id: str, asking: Asking) -> Forecast:
    return Forecast(user_id, None, decide(None, {}, Thresholds()), {}, asking)


def _counted(histories: Sequence[History], at: float, taxonomy: Sequence[str]) -> tuple[PriorModel, TopicModel]:
    cases = (case for history in histories for case in cases_of(history, at))
    return PriorModel.learn((case.features, case.outcomes) for case in cases), TopicModel.learn(histories, taxonomy)
