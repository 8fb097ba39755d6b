import pytest

from tests.support.policies import samples
from tests.support.spans import span, trace_of


@pytest.mark.parametrize(
    ("settings", "sampled"),
    [
        ({}, [1, 2, 3, 4, 5]),
        ({"min_spans": 3}, [3, 4, 5]),
        ({"max_spans": 3}, [1, 2, 3]),
        ({"min_spans": 2, "max_spans": 4}, [2, 3, 4]),
        ({"min_spans": 4, "max_spans": 2}, []),
    ],
)
def test_both_bounds_are_included_and_a_greatest_of_zero_is_none(
    settings: dict[str, object], sampled: list[int]
) -> None:
    counts = [
        count
        for count in range(1, 6)
        if samples(trace_of(*(span(1, number) for number in range(1, count + 1))), "span_count", settings)
    ]
    assert counts == sampled
