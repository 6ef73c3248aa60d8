"""A small world of simulated users, and what training makes of it; made once, since learning takes seconds."""

import pytest

from benchmarks.simulated_year import START, World, simulate
from tools.predictor.features import DAY
from tools.predictor.training import Trained, train

DAYS = 150


@pytest.fixture(scope="session")
def world() -> World:
    return simulate(60, days=DAYS, changes=10_000, seed=1)


@pytest.fixture(scope="session")
def trained(world: World) -> Trained:
    return train(list(world.histories.values()), START + DAYS * DAY, None, fewest=300, taxonomy=("billing", "unused"))
