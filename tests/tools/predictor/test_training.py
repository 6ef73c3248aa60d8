"""What is learned is better than counting on later cases, knows how sure it is, and is only replaced by better."""

from dataclasses import replace

import numpy as np

from benchmarks.simulated_year import START, World
from tests.tools.predictor.conftest import DAYS
from tools.predictor.drift import drift
from tools.predictor.explanation import contributions, in_words
from tools.predictor.features import DAY
from tools.predictor.metrics import auroc
from tools.predictor.model import ENGAGEMENT, HEADS, RISK, Asked
from tools.predictor.training import Trained, cases_of, train


def test_a_model_that_is_better_than_the_counts_is_accepted(trained: Trained):
    assert trained.model is not None
    verdict = next(one for one in trained.verdicts if one.head == ENGAGEMENT)
    assert verdict.accepted
    assert verdict.candidate is not None
    assert verdict.serving is not None
    assert verdict.candidate < verdict.serving
    assert verdict.figures["auroc"] > 0.7


def test_too_few_cases_teach_nothing(world: World):
    few = train(list(world.histories.values())[:3], START + DAYS * DAY, None, fewest=300)
    assert few.model is None
    assert all("are there" in verdict.because for verdict in few.verdicts)


def test_the_serving_model_stays_where_nothing_later_is_known(trained: Trained, world: World):
    again = train(list(world.histories.values()), START + DAYS * DAY, trained.model, fewest=300)
    assert again.model is None
    assert all(
        "later cases are needed" in verdict.because
        for verdict in again.verdicts
        if trained.model and verdict.head in trained.model.heads
    )


def test_a_probability_lies_in_its_interval_and_rare_ones_are_less_sure(trained: Trained, world: World):
    assert trained.model is not None
    asked = [Asked(one, case.features, case.at) for one in world.histories.values() for case in cases_of(one, 2e9)[-1:]]
    for foreseen in trained.model.foresee(asked):
        for head in foreseen.heads.values():
            assert 0 <= head.low <= head.probability <= head.high <= 1
        assert sum(p for _, p in foreseen.next_topics) <= 1 + 1e-9
    engagement = trained.model.heads[ENGAGEMENT]
    often, never = int(np.argmax(engagement.seen)) / 100, 0.0
    narrow, wide = engagement.heads(np.array([often, never]))
    assert narrow.width < 0.3
    assert engagement.seen[:6].sum() > 20 or wide.high - wide.low > 0.05


def test_features_are_those_of_the_moment(world: World):
    """What happens later changes nothing about an earlier case but its outcome."""
    history = max(world.histories.values(), key=lambda one: len(one.events))
    whole = cases_of(history, 2e9)
    for case in whole[:20]:
        cut = replace(history, events=tuple(event for event in history.events if event.at <= case.at))
        assert cases_of(cut, 2e9)[-1].features == case.features


def test_outcomes_stay_open_until_their_time_is_over(world: World):
    history = max(world.histories.values(), key=lambda one: len(one.events))
    case = cases_of(history, 2e9)[0]
    early = cases_of(history, case.at + 1 * DAY)[0]
    assert early.outcomes == {ENGAGEMENT: None, RISK: None}
    assert cases_of(history, case.at + 4 * DAY)[0].outcomes[RISK] is not None
    assert set(cases_of(history, case.at + 8 * DAY)[0].outcomes.values()) <= {0.0, 1.0}


def test_an_explanation_names_what_moves_the_score(trained: Trained, world: World):
    assert trained.model is not None
    history = next(one for one in world.histories.values() if (one.attributes or {})["plan"] == "free")
    row = dict(cases_of(history, 2e9)[-1].features) | {"user.plan": "team"}
    model = replace(trained.model, typical={**trained.model.typical, "user.plan": "free"})
    found = contributions(model, ENGAGEMENT, row)
    plan = next(one for one in found if one.feature == "user.plan")
    assert plan.effect > 0.3
    assert "plan is team" in in_words(ENGAGEMENT, 0.8, [plan])


def test_drift_is_noticed_and_chance_is_not():
    draw = np.random.default_rng(5)
    said = draw.uniform(0.1, 0.9, 400)
    assert not drift((draw.random(400) < said).astype(float), said).noticed
    assert drift((draw.random(400) > said).astype(float), said).noticed
    assert drift((draw.random(400) < said * 0.6).astype(float), said).noticed
    assert not drift(np.empty(0), np.empty(0)).noticed


def test_order_is_what_auroc_says():
    assert auroc(np.array([0.0, 0, 1, 1]), np.array([0.1, 0.4, 0.35, 0.8])) == 0.75
    assert auroc(np.array([0.0, 1]), np.array([0.5, 0.5])) == 0.5
    assert auroc(np.array([1.0, 1]), np.array([0.5, 0.6])) is None


def test_the_counts_know_new_topics_of_the_taxonomy(trained: Trained, world: World):
    topics = dict(trained.topics.next(next(iter(world.histories.values())), limit=50))
    assert 0 < topics["unused"] < topics["billing"]
    assert sum(topics.values()) <= 1 + 1e-9
    assert set(HEADS) == set(trained.prior.cases)
