from __future__ import annotations

import heapq
from collections import Counter
from random import Random

import pytest
from milvus_otel_processor.sampling.policies.key_budget import KeyBudget, share_out

from tests.support.clock import Clock
from tests.support.stores import any_store as every_store  # noqa: F401 - a fixture

INTERVAL = 10.0


class Traffic:
    """Traces by key, spread evenly over each interval, and how many of them were kept in it."""

    def __init__(self, per_second: float, *, weight: float = 0.5, max_keys: int = 100) -> None:
        self.clock = Clock()
        self.random = Random(1)
        self.budget = KeyBudget(
            per_second=per_second, interval=INTERVAL, weight=weight, max_keys=max_keys, clock=self.clock
        )

    def interval(self, **traces: int) -> Counter[str]:
        kept: Counter[str] = Counter()
        arrivals = [key for key, count in traces.items() for _ in range(count)]
        self.random.shuffle(arrivals)
        start = self.clock.now
        for number, key in enumerate(arrivals):
            self.clock.now = start + INTERVAL * number / len(arrivals)
            kept[key] += self.random.random() < self.budget.probability(key)
        self.clock.now = start + INTERVAL
        return kept

    def intervals(self, count: int, **traces: int) -> Counter[str]:
        """The average of these intervals, rounded."""
        total: Counter[str] = Counter()
        for _ in range(count):
            total += self.interval(**traces)
        return Counter({key: round(kept / count) for key, kept in total.items()})


class TestShareOut:
    def test_a_budget_that_is_enough_gives_every_key_what_it_needs(self) -> None:
        assert share_out(10, {"a": 3, "b": 7}) == {"a": 3, "b": 7}

    def test_rare_keys_are_served_whole_and_frequent_ones_share_the_rest_by_their_logarithm(self) -> None:
        shares = share_out(100, {"rare": 5, "often": 1000, "always": 1_000_000})
        assert shares["rare"] == 5
        assert shares["often"] / shares["always"] == pytest.approx(0.5, abs=0.01)

    def test_the_shares_fill_the_budget_where_the_demand_does(self) -> None:
        random = Random(7)
        for _ in range(200):
            demands = {key: random.lognormvariate(2, 3) for key in range(random.randrange(1, 50))}
            budget = random.lognormvariate(3, 2)
            shares = share_out(budget, demands)
            assert sum(shares.values()) == pytest.approx(min(budget, sum(demands.values())))
            assert all(0 < shares[key] <= demands[key] for key in demands)

    def test_a_more_frequent_key_never_gets_less_nor_a_greater_part_of_what_it_needs(self) -> None:
        random = Random(8)
        demands = sorted(random.lognormvariate(2, 3) for _ in range(50))
        shares = share_out(30, dict(enumerate(demands)))
        ordered = [shares[number] for number in range(50)]
        assert ordered == sorted(ordered)
        parts = [share / demand for share, demand in zip(ordered, demands, strict=True)]
        assert parts == sorted(parts, reverse=True)

    def test_equal_keys_get_equal_shares(self) -> None:
        assert share_out(10, dict.fromkeys("abcd", 100.0)) == pytest.approx(dict.fromkeys("abcd", 2.5))

    def test_nobody_gets_nothing(self) -> None:
        assert share_out(10, {}) == {}


@pytest.mark.parametrize("seed", range(4))
def test_a_key_that_is_seen_in_an_interval_is_kept_in_it_whatever_its_rate(seed: int) -> None:
    """Keys from one trace a minute to a thousand a second, at random times."""
    random = Random(seed)
    clock = Clock(0.0)
    budget = KeyBudget(per_second=5, interval=15, weight=0.5, max_keys=100, clock=clock)
    rates = {"minute": 1 / 60, "twenty": 1 / 20, "ten": 0.1, "second": 1.0, "often": 30.0, "always": 1000.0}
    coming = [(random.expovariate(rate), key) for key, rate in rates.items()]
    heapq.heapify(coming)
    seen: set[tuple[int, str]] = set()
    kept: Counter[tuple[int, str]] = Counter()
    while coming[0][0] < 240:
        now, key = heapq.heappop(coming)
        heapq.heappush(coming, (now + random.expovariate(rates[key]), key))
        clock.now = now
        interval = int(now // 15)
        seen.add((interval, key))
        kept[interval, key] += random.random() < budget.probability(key)
    assert [one for one in sorted(seen) if not kept[one]] == []
    settled = sum(count for (interval, _), count in kept.items() if interval >= 4)
    assert settled == pytest.approx(5 * (240 - 60), rel=0.12)


def test_more_keys_than_the_budget_has_room_for_are_each_kept_once_in_an_interval() -> None:
    traffic = Traffic(per_second=1)
    for _ in range(5):
        kept = traffic.interval(**{f"k{number}": 3 for number in range(50)})
        assert min(kept.values()) >= 1
    assert kept.total() < 50 + 20


def test_within_the_budget_everything_is_kept() -> None:
    traffic = Traffic(per_second=10)
    for _ in range(5):
        assert traffic.interval(a=50, b=30, c=1) == {"a": 50, "b": 30, "c": 1}


def test_a_frequent_key_is_thinned_and_a_rare_one_kept() -> None:
    traffic = Traffic(per_second=10)
    traffic.intervals(5, often=5000, rare=5)
    kept = traffic.intervals(20, often=5000, rare=5)
    assert kept["rare"] == 5
    assert kept["often"] == pytest.approx(95, abs=8)


def test_in_the_long_run_the_budget_is_filled_and_not_exceeded() -> None:
    traffic = Traffic(per_second=20)
    load = {"a": 10_000, "b": 3000, "c": 500, "d": 100, "e": 20, "f": 3}
    traffic.intervals(5, **load)
    assert traffic.intervals(20, **load).total() == pytest.approx(200, abs=15)


def test_what_a_key_leaves_when_it_goes_is_for_the_others() -> None:
    traffic = Traffic(per_second=10)
    traffic.intervals(5, a=1000, b=1000)
    shared = traffic.intervals(10, a=1000, b=1000)
    traffic.intervals(15, a=1000)
    alone = traffic.intervals(10, a=1000)
    assert shared["a"] == pytest.approx(50, abs=8)
    assert alone["a"] == pytest.approx(100, abs=10)


def test_a_burst_of_a_known_key_is_thinned_as_it_goes() -> None:
    traffic = Traffic(per_second=10)
    traffic.intervals(5, a=100, b=100)
    burst = traffic.interval(a=100, b=100_000)
    assert burst["b"] < 100 + 50 * 10  # its share, and a logarithm of the surplus
    assert burst["b"] >= 50


def test_a_start_with_many_keys_stays_near_the_budget() -> None:
    traffic = Traffic(per_second=10)
    first = traffic.interval(**{f"k{number}": 1000 for number in range(50)})
    assert 50 <= first.total() < 100 * 25
    settled = traffic.intervals(10, **{f"k{number}": 1000 for number in range(50)})
    assert settled.total() == pytest.approx(100, abs=60)


def test_beyond_max_keys_new_keys_are_one() -> None:
    traffic = Traffic(per_second=10, max_keys=3)
    for number in range(10):
        traffic.interval(**{f"{number}-{key}": 10 for key in range(1000)})
        assert len(traffic.budget._counts) <= 2 * (3 + 1)
        assert len(traffic.budget._averages) <= 3 + 1
    assert traffic.interval(**{f"new-{key}": 100 for key in range(1000)}).total() < 3000


def test_an_empty_pause_fades_what_was_known() -> None:
    traffic = Traffic(per_second=10)
    traffic.intervals(5, a=100_000)
    traffic.clock.advance(INTERVAL * 30)
    assert traffic.interval(a=50)["a"] == 50


def test_after_a_pause_intervals_go_on_in_their_places() -> None:
    clock = Clock(0.0)
    budget = KeyBudget(per_second=1, interval=10, weight=1, max_keys=5, clock=clock)
    for clock.now in (25.0, 29.9):
        budget.probability("a")
    assert budget._ends == 30.0
    clock.now = 30.0
    budget.probability("a")
    assert budget._averages == {"a": 2}


def test_with_a_weight_of_one_only_the_newest_interval_counts() -> None:
    traffic = Traffic(per_second=10, weight=1)
    traffic.interval(a=100_000)
    traffic.interval(a=100)
    assert traffic.interval(a=100)["a"] == 100


def test_a_probability_is_never_zero_nor_above_one() -> None:
    traffic = Traffic(per_second=0.01)
    random = Random(3)
    for _ in range(20_000):
        traffic.clock.advance(random.random() / 100)
        assert 0 < traffic.budget.probability(int(random.expovariate(0.1))) <= 1
