import threading
from collections.abc import Iterator

import pytest

from knowledge_base.background import ahead


def test_keeps_the_order():
    with ahead(iter(range(100)), 3) as items:
        assert list(items) == list(range(100))


def test_runs_ahead_but_not_further_than_allowed():
    made: list[int] = []
    second = threading.Event()

    def numbers() -> Iterator[int]:
        for number in range(100):
            made.append(number)
            if number == 2:
                second.set()
            yield number

    with ahead(numbers(), 2) as items:
        assert second.wait(10)
        assert next(items) == 0
        assert len(made) <= 5


def test_an_error_is_raised_where_the_items_are_used():
    def broken() -> Iterator[int]:
        yield 1
        raise LookupError("scripted")

    with ahead(broken(), 2) as items:
        assert next(items) == 1
        with pytest.raises(LookupError, match="scripted"):
            next(items)


def test_leaving_early_stops_the_thread():
    before = threading.active_count()
    with ahead(iter(range(10**9)), 1) as items:
        next(items)
    assert threading.active_count() == before
