"""The rung for KumoRFM, through its real SDK, against a loopback double of the service."""

import sys
from collections.abc import Mapping, Sequence

import pytest

from tools.predictor.errors import NotReady
from tools.predictor.history import Event, History
from tools.predictor.kumo import KumoRung, installed, tables_of
from tools.predictor.model import ENGAGEMENT, Asked

NOW = 1_760_000_000.0
DAY = 86400.0

pytestmark = [
    pytest.mark.skipif(not installed(), reason="KumoRFM: the extra `kumo` is not installed"),
    pytest.mark.filterwarnings("ignore"),  # the SDK's own, of pandas and protobuf
]


def histories(count: int = 30) -> dict[str, History]:
    return {
        f"user {number}@example.org": History(
            f"user {number}@example.org",
            tuple(
                Event(
                    NOW - DAY * (60 - number % 7 - 3 * step),
                    "question" if step % 2 else "click",
                    key=f"{step}",
                    item_id=f"item-{step % 3}" if step % 2 == 0 else None,
                )
                for step in range(number % 11 + 3)
            ),
            {"seats": number, "town": "Secret Town"},
        )
        for number in range(count)
    }


async def known(users: Sequence[str], others: int) -> Mapping[str, History]:
    return histories()


def asked(user: str) -> list[Asked]:
    return [Asked(History(user), {}, NOW)]


def test_nothing_that_names_somebody_leaves():
    tables = tables_of(
        histories(), {user: f"p{number}" for number, user in enumerate(histories())}, NOW, lambda name: f"i{len(name)}"
    )
    assert "example.org" not in str(tables)
    assert "Secret" not in str(tables)
    assert {name for row in tables["users"] for name in row} == {"user_id", "a_seats"}
    assert all(row["at"] < NOW for row in tables["events"])


@pytest.fixture(scope="module")
def double():
    """One for all tests: the SDK knows one URL a process."""
    from tests.tools.predictor.kumo_double import KumoDouble

    with KumoDouble() as running:
        yield running


def rung(double, **more) -> KumoRung:
    from tests.tools.predictor.kumo_double import KEY

    return KumoRung(known, api_key=KEY, url=double.url, clock=lambda: NOW, **more)


async def fetched(kumo: KumoRung, user: str) -> None:
    with pytest.raises(NotReady):
        await kumo.predict(asked(user))
    await kumo.idle()


async def test_it_fetches_in_the_background_and_then_answers_with_an_age(double, capfd):
    kumo = rung(double)
    double.items = [kumo._sdk._pseudonym(name) for name in ("item-1", "item-0", "unknown")]
    await fetched(kumo, "user 3@example.org")
    (found,) = await kumo.predict(asked("user 3@example.org"))
    assert found.next_items == ("item-1", "item-0")
    assert found.heads[ENGAGEMENT].probability == pytest.approx(0.8)
    assert found.age == 0
    assert "]9;4" not in capfd.readouterr().out
    body = double.asked("/v1/rfm/predict")[-1]
    assert b"example" not in body
    assert b"Secret" not in body
    assert b"item-" not in body
    await kumo.aclose()


async def test_a_user_without_history_is_added_before_they_are_asked_for(double):
    kumo = rung(double)
    await fetched(kumo, "somebody new")
    assert await kumo.predict(asked("somebody new"))
    await kumo.aclose()


async def test_too_many_requests_are_tried_again(double):
    double.faults.extend([429])
    kumo = rung(double, retries=1)
    await fetched(kumo, "user 4@example.org")
    assert await kumo.predict(asked("user 4@example.org"))
    await kumo.aclose()


@pytest.mark.parametrize(("fault", "says"), [(500, "RuntimeError"), ("garbage", "Error"), ("hang", "within 1 seconds")])
async def test_faults_leave_it_not_ready_and_are_logged(double, caplog, fault, says):
    double.faults.extend([fault])
    kumo = rung(double, retries=0, seconds=1)
    await fetched(kumo, "user 5@example.org")
    assert says in caplog.text
    with pytest.raises(NotReady):
        await kumo.predict(asked("user 5@example.org"))
    double.faults.clear()
    await kumo.aclose()


@pytest.mark.parametrize("p", [float("nan"), 1.7])
async def test_what_is_no_probability_is_refused(double, caplog, p):
    double.probability = p
    kumo = rung(double)
    await fetched(kumo, "user 6@example.org")
    double.probability = 0.8
    assert "expected a probability" in caplog.text
    await kumo.aclose()


def test_the_sdk_is_only_imported_when_it_is_used():
    assert "tools.predictor.kumo" in sys.modules
