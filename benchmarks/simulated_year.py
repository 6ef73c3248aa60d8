"""A year of users whose behaviour is known: does the local model find out what there is to find out?

    python -m benchmarks.simulated_year [--users 500] [--seed 0]

Each visit's outcome is drawn from a probability that depends on what the log shows, so that nobody could order the
cases better than the generator's own probabilities do: that is the ceiling. The model learns from nine months and is
judged on the next three. Then the world changes, which must be noticed, and answered by learning anew.

The policy acts (suggests a next step) above 0.7. A suggestion that is followed is worth 1 and every suggestion costs
0.7 of the reader's patience, so that this threshold is the right one where probabilities are right.
"""

import argparse
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from tools.predictor.drift import drift
from tools.predictor.features import DAY, Asking, Features, features
from tools.predictor.history import Event, History
from tools.predictor.local import LocalModel
from tools.predictor.metrics import auroc, calibration_error
from tools.predictor.model import ENGAGEMENT, HEADS, RISK
from tools.predictor.training import Case, cases_of, train
from tools.predictor.words import word_set

Floats = NDArray[np.float64]

START = 1_700_000_000.0
LEARNED, YEAR, CHANGED = 270, 365, 485
COST = 0.7
TOPICS = ("billing", "shipping", "accounts", "reports", "editing", "imports")
VERBS = ("export", "cancel", "change", "find", "pay", "send", "open", "share", "delete", "print")


@dataclass(slots=True)
class _User:
    id: str
    plan: str
    seats: int
    pace: float
    channel: str
    topic: str
    events: list[Event] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class World:
    """Histories, and by (user, message id) the probabilities from which the outcomes were drawn."""

    histories: dict[str, History]
    truth: dict[tuple[str, str], dict[str, float]]


def simulate(users: int, *, days: int = CHANGED, changes: int = YEAR, seed: int = 0) -> World:
    """Users for `days`; from day `changes` on they behave the other way round."""
    draw = np.random.default_rng(seed)
    truth: dict[tuple[str, str], dict[str, float]] = {}
    histories = {}
    for number in range(users):
        user = _user(number, draw)
        _live(user, days, changes, draw, truth)
        histories[user.id] = _history(user)
    return World(histories, truth)


def _user(number: int, draw: np.random.Generator) -> _User:
    return _User(
        f"u{number}",
        str(draw.choice(["free", "pro", "team"], p=[0.5, 0.3, 0.2])),
        int(draw.integers(1, 40)),
        float(draw.uniform(8, 22)),
        str(draw.choice(["gradio", "slack", "api"])),
        str(draw.choice(TOPICS)),
    )


def _history(user: _User) -> History:
    return History(user.id, tuple(user.events), {"plan": user.plan, "seats": user.seats})


def _live(
    user: _User, days: int, changes: int, draw: np.random.Generator, truth: dict[tuple[str, str], dict[str, float]]
) -> None:
    at = START + draw.uniform(0, 30) * DAY
    while at < START + days * DAY:
        changed = at >= START + changes * DAY
        engaged, at = _visit(user, at, draw, truth, changed=changed)
        at += draw.uniform(0.2, 5.5) * DAY if engaged else (7.3 + draw.exponential(user.pace)) * DAY


def _visit(
    user: _User, at: float, draw: np.random.Generator, truth: dict[tuple[str, str], dict[str, float]], *, changed: bool
) -> tuple[bool, float]:
    """A question, asked again while it ends badly (at most twice), and whether the user engaged."""
    question = _question(user, at, draw)
    engagement = math.nan
    engaged = False
    for again in range(3):
        row = features(_history(user), Asking.event(question))
        if again == 0:
            engagement = _engagement(row, changed=changed)
            engaged = bool(draw.random() < engagement)
        risk = _risk(row, changed=changed)
        truth[user.id, question.key] = {ENGAGEMENT: engagement, RISK: risk}
        bad = bool(draw.random() < risk)
        repeats = bad and again < 2 and draw.random() < 0.5
        rating = -1 if bad and not repeats else 0
        user.events.append(replace(question, rating=rating, rated_at=question.at + 60 if rating else 0.0))
        if not repeats:
            break
        question = replace(question, at=question.at + draw.uniform(120, 500), key=f"{question.key}+")
    end = user.events[-1].at
    clicks = engaged and draw.random() < 0.6
    if clicks:
        user.events.append(Event(end + draw.uniform(30, 300), "click", topics=question.topics))
    elif draw.random() < 0.25:
        user.events.append(Event(end + draw.uniform(30, 300), "dismiss", topics=question.topics))
    return engaged, user.events[-1].at


def _question(user: _User, at: float, draw: np.random.Generator) -> Event:
    topic = user.topic if draw.random() < 0.6 else str(draw.choice(TOPICS))
    words = [str(draw.choice(VERBS)), topic, *(f"word{draw.integers(400)}" for _ in range(draw.integers(2, 12)))]
    person = bool(draw.random() < 0.06)
    text = " ".join(words)
    return Event(
        at,
        "question",
        key=f"m{len(user.events)}",
        words=word_set(text),
        chars=len(text),
        wants_person=person,
        answered=bool(draw.random() < 0.8),
        channel=user.channel,
        topics=(topic,),
    )


def _engagement(row: Features, *, changed: bool) -> float:
    plan = {"free": -0.9, "pro": 0.6, "team": 1.3}[str(row["user.plan"])]
    share, active = _float(row, "opened_share"), _float(row, "active_days_30d")
    slack = 0.5 if row["channel"] == "slack" else 0.0
    odds = -0.5 + plan + 2.5 * (share - 0.5) + 0.12 * min(active, 8) + slack - 0.004 * _float(row, "chars")
    return float(1 / (1 + math.exp(odds if changed else -odds)))


def _risk(row: Features, *, changed: bool) -> float:
    odds = -2.6 + 1.8 * min(_float(row, "repeats_30d"), 2) + 1.5 * bool(row["wants_person"])
    odds += 1.1 * bool(row["last_unanswered"]) + 0.012 * _float(row, "chars")
    odds -= 0.9 if _float(row, "user.seats") > 25 else 0.0
    return float(1 / (1 + math.exp(-odds + (0.9 if not changed else -0.9))))


def _float(row: Features, name: str) -> float:
    value = row[name]
    return float(value) if value is not None else 0.0


def until(world: World, day: int) -> list[History]:
    """The histories as they stood on this day; a rating given later is not known yet."""
    end = START + day * DAY
    return [
        replace(one, events=tuple(event for event in one.events if event.at < end)) for one in world.histories.values()
    ]


@dataclass(frozen=True, slots=True)
class Seen:
    """Settled cases of a head with what the generator and the model said; `users` are their users' numbers."""

    outcomes: Floats
    ceiling: Floats
    said: Floats
    users: NDArray[np.int64]


def judged(world: World, model: LocalModel, head: str, first: int, last: int, now: int) -> Seen:
    """The cases of the days `first` to `last`, as known on day `now`."""
    cases, ceiling = _settled(world, head, first, last, now)
    said = model.probabilities([case.features for case in cases])[head]
    outcomes = np.array([case.outcomes[head] for case in cases], dtype=np.float64)
    return Seen(outcomes, np.array(ceiling), said, np.array([int(case.user_id[1:]) for case in cases]))


def _settled(world: World, head: str, first: int, last: int, now: int) -> tuple[list[Case], list[float]]:
    cases: list[Case] = []
    ceiling: list[float] = []
    for history in until(world, now):
        keys = [event.key for event in history.events if event.type == "question"]
        for key, case in zip(keys, cases_of(history, START + now * DAY), strict=True):
            if START + first * DAY <= case.at < START + last * DAY and case.outcomes[head] is not None:
                cases.append(case)
                ceiling.append(world.truth[history.user_id, key][head])
    order = sorted(range(len(cases)), key=lambda index: cases[index].at)
    return [cases[index] for index in order], [ceiling[index] for index in order]


def policy_value(outcomes: Floats, acts: NDArray[np.bool_]) -> Floats:
    """What acting brings in each case: 1 for a suggestion that is followed, less its cost; nothing without one."""
    return np.where(acts, outcomes - COST, 0.0)


def interval(values: Floats, users: NDArray[np.int64], *, seed: int = 0, times: int = 1000) -> tuple[float, float]:
    """The 95 % interval of the mean, by drawing users with replacement."""
    draw = np.random.default_rng(seed)
    size = users.max() + 1
    total, count = np.bincount(users, weights=values, minlength=size), np.bincount(users, minlength=size)
    drawn = draw.integers(0, size, (times, size))
    means = total[drawn].sum(axis=1) / count[drawn].sum(axis=1)
    return float(np.quantile(means, 0.025)), float(np.quantile(means, 0.975))


def _print_order(name: str, seen: Seen) -> None:
    said, ceiling = auroc(seen.outcomes, seen.said) or 0, auroc(seen.outcomes, seen.ceiling) or 0
    error = calibration_error(seen.outcomes, seen.said)
    own = calibration_error(seen.outcomes, seen.ceiling)
    print(
        f"{name}: {len(seen.outcomes)} cases, rate {seen.outcomes.mean():.3f}, "
        f"AUROC {said:.4f} (ceiling {ceiling:.4f}, "
        f"below it by {ceiling - said:.4f}), calibration error {error:.4f} (the generator's own {own:.4f})"
    )


def _print_policy(seen: Seen, threshold: float) -> None:
    policies: Sequence[tuple[str, Callable[[Seen], NDArray[np.bool_]]]] = (
        ("never act", lambda of: np.zeros(len(of.said), dtype=bool)),
        ("always act", lambda of: np.ones(len(of.said), dtype=bool)),
    )
    chosen = policy_value(seen.outcomes, seen.said > threshold)
    print(f"policy: acts in {np.mean(seen.said > threshold):.1%} of the cases, worth {chosen.mean():+.4f} a case")
    for name, acts in policies:
        gain = chosen - policy_value(seen.outcomes, acts(seen))
        low, high = interval(gain, seen.users)
        print(f"  lift over {name}: {gain.mean():+.4f} a case (95 % interval {low:+.4f} to {high:+.4f})")


def _noticed(seen: Seen, newest: int = 500) -> int | None:
    """After how many cases the drift is noticed, looking at every fiftieth."""
    for count in range(50, len(seen.outcomes) + 1, 50):
        first = max(0, count - newest)
        if drift(seen.outcomes[first:count], seen.said[first:count]).noticed:
            return count
    return None


def main() -> None:
    """Print what was found."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--users", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    world = simulate(options.users, seed=options.seed)
    trained = train(until(world, LEARNED), START + LEARNED * DAY, None, fewest=300)
    assert trained.model is not None, trained.verdicts
    model = trained.model
    for verdict in trained.verdicts:
        print(f"{verdict.head}: {verdict.because} ({verdict.cases} cases)")
    print(f"\nDays {LEARNED} to {YEAR - 8}, learned from the days before:")
    for head in HEADS:
        seen = judged(world, model, head, LEARNED, YEAR - 8, YEAR)
        _print_order(head, seen)
        print(f"  drift noticed after: {_noticed(seen) or 'never, as it should be'}")
    _print_policy(judged(world, model, ENGAGEMENT, LEARNED, YEAR - 8, YEAR), COST)
    print(f"\nFrom day {YEAR} users behave differently:")
    for head in HEADS:
        seen = judged(world, model, head, YEAR, YEAR + 60, YEAR + 70)
        _print_order(head, seen)
        print(f"  drift noticed after: {_noticed(seen)} cases")
    again = train(until(world, YEAR + 70), START + (YEAR + 70) * DAY, model, fewest=300, drifted=True)
    for verdict in again.verdicts:
        print(f"{verdict.head}: {verdict.because}; learned from {verdict.figures.get('learned from')}")
    if again.model is not None:
        for head in HEADS:
            _print_order(f"{head}, learned anew", judged(world, again.model, head, YEAR + 70, CHANGED - 8, CHANGED))


if __name__ == "__main__":
    main()
