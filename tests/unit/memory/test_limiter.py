"""One bound for everything that input makes grow."""

from milvus_otel_processor.memory.limiter import MemoryLimiter
from milvus_otel_processor.service.admission import Admission

from tests.support.clock import Clock

MIB = 1 << 20


class Held:
    """A limiter of 180 MiB over a program that takes 80 by itself, and one part."""

    def __init__(self) -> None:
        self.part = 0
        self.resident = 80 * MIB
        self.limiter = MemoryLimiter(180 * MIB, [lambda: self.part], resident=lambda: self.resident)


def test_the_budget_is_most_of_what_the_program_leaves() -> None:
    assert Held().limiter.budget == 80 * MIB


def test_requests_in_flight_and_parts_count_together() -> None:
    held = Held()
    held.part = 50 * MIB
    assert held.limiter.reserve(10 * MIB)
    assert held.limiter.full
    assert not held.limiter.reserve(1)
    held.limiter.release(10 * MIB)
    assert not held.limiter.full
    assert held.limiter.used == 50 * MIB


def test_what_is_larger_than_the_whole_budget_never_fits() -> None:
    held = Held()
    assert held.limiter.could_ever_take(26 * MIB)
    assert not held.limiter.could_ever_take(27 * MIB)


def test_resident_memory_above_the_limit_counts_where_much_is_in_use() -> None:
    held = Held()
    held.resident = 181 * MIB
    assert not held.limiter.full  # hardly anything is in use: it is memory that will be used again
    held.part = 21 * MIB
    assert held.limiter.full
    assert not held.limiter.in_danger
    held.resident = 199 * MIB
    assert held.limiter.in_danger


def test_how_long_senders_are_refused_is_told_as_long_as_they_are() -> None:
    held, clock = Held(), Clock()
    admission = Admission(held.limiter, clock)
    held.part = 79 * MIB
    for _ in range(10):
        assert not admission.reserve(MIB)
        clock.advance(1.0)
    assert admission.seconds_refusing() == 10.0
    held.part = 0
    assert admission.reserve(MIB)
    assert admission.seconds_refusing() == 0.0
    held.part = 80 * MIB
    assert not admission.reserve(MIB)
    clock.advance(5.0)  # nobody asks any more
    assert admission.seconds_refusing() == 0.0
    assert not admission.ready
