"""Quantiles are within the stated error of the exact ones."""

import math
from collections import Counter
from collections.abc import Callable
from random import Random

import pytest
from milvus_otel_processor.requests.sketch import LONGEST, RELATIVE_ERROR, SHORTEST, place, quantiles, value

SHARES = (0.0, 0.5, 0.95, 0.99, 1.0)
MIXES: dict[str, Callable[[Random], float]] = {
    "usual": lambda random: random.lognormvariate(-4, 1),
    "two humps": lambda random: random.gauss(0.2, 0.01) if random.random() < 0.03 else random.gauss(0.001, 0.0001),
    "wide": lambda random: 10 ** random.uniform(-8.9, 6.9),
    "all alike": lambda _: 0.004,
}


@pytest.mark.parametrize("mix", MIXES)
@pytest.mark.parametrize("count", [1, 2, 7, 100, 20_000])
def test_quantiles_are_within_the_stated_error_of_the_exact_ones(mix: str, count: int) -> None:
    random = Random(f"{mix}{count}")
    values = sorted(MIXES[mix](random) for _ in range(count))
    found = quantiles(Counter(place(one) for one in values), SHARES)
    exact = [values[int(share * (count - 1))] for share in SHARES]
    assert found == [pytest.approx(one, rel=RELATIVE_ERROR * (1 + 1e-9)) for one in exact]


def test_without_values_quantiles_are_zero() -> None:
    assert quantiles({}, SHARES) == [0.0] * len(SHARES)


@pytest.mark.parametrize("seconds", [0.0, -1.0, -math.inf, math.nan, SHORTEST, 1e-300])
def test_what_takes_no_time_counts_as_the_shortest(seconds: float) -> None:
    assert value(place(seconds)) == pytest.approx(SHORTEST, rel=2 * RELATIVE_ERROR)


@pytest.mark.parametrize("seconds", [LONGEST, 2.0**63, math.inf])
def test_what_takes_for_ever_counts_as_the_longest(seconds: float) -> None:
    assert value(place(seconds)) == pytest.approx(LONGEST, rel=2 * RELATIVE_ERROR)


def test_the_number_of_a_bin_fits_into_sixteen_bits() -> None:
    assert -(2**15) <= place(0.0) < place(math.inf) < 2**15
