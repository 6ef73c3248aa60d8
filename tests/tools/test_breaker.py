from tools.breaker import CircuitBreaker


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def breaker(clock: Clock) -> CircuitBreaker:
    return CircuitBreaker(failures=3, cooldown=30, window=600, clock=clock)


def fail(circuit: CircuitBreaker, times: int) -> None:
    for _ in range(times):
        assert circuit.admit()
        circuit.failed()


def test_failures_in_a_row_open_it_for_the_cooldown() -> None:
    clock = Clock()
    circuit = breaker(clock)
    fail(circuit, 3)
    assert not circuit.admit()
    assert circuit.retry_in == 30
    clock.now += 29.9
    assert not circuit.admit()
    clock.now += 0.2
    assert circuit.admit()


def test_a_success_in_between_starts_the_count_anew() -> None:
    circuit = breaker(Clock())
    fail(circuit, 2)
    circuit.succeeded()
    fail(circuit, 2)
    assert circuit.admit()


def test_old_failures_do_not_count() -> None:
    clock = Clock()
    circuit = breaker(clock)
    fail(circuit, 2)
    clock.now += 601
    fail(circuit, 1)
    assert circuit.admit()


def opened(clock: Clock) -> CircuitBreaker:
    circuit = breaker(clock)
    fail(circuit, 3)
    clock.now += 31
    return circuit


def test_one_probe_at_a_time_passes_after_the_cooldown() -> None:
    circuit = opened(Clock())
    assert circuit.admit()
    assert not circuit.admit()
    assert circuit.retry_in == 0


def test_a_probe_that_succeeds_closes_it() -> None:
    circuit = opened(Clock())
    assert circuit.admit()
    circuit.succeeded()
    assert circuit.admit()
    assert circuit.admit()


def test_a_probe_that_fails_opens_it_again() -> None:
    clock = Clock()
    circuit = opened(clock)
    fail(circuit, 1)
    assert not circuit.admit()
    clock.now += 31
    assert circuit.admit()


def test_a_probe_whose_caller_left_makes_room_for_another() -> None:
    circuit = opened(Clock())
    assert circuit.admit()
    circuit.dropped()
    assert circuit.admit()
