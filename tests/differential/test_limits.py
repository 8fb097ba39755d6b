"""Policies with a limit that is reached: which traces find it reached is chance, how much of them passes is not.

All traces are decided when the Collector stops, within `_DECIDED_WITHIN`; ours in less. What passes is then the burst, less what
is smaller than the next trace, plus what the rate adds meanwhile.
"""

from pathlib import Path

import pytest

from tests.differential.blocks import Block, Policy
from tests.differential.compare import Kept, kept_by_collector, kept_by_us
from tests.differential.traces import BASE
from tests.support.spans import encoded, span

_TRACES = 3_000
_DECIDED_WITHIN = 2
"""Seconds that the Collector may take for all decisions, on a slow machine."""
_LARGEST = 3
"""Spans in the largest trace."""


def _sent() -> list[bytes]:
    start = BASE // 1_000_000
    spans = [
        span(trace, number, start_ms=start, end_ms=start + 1, attributes={"text": "x" * 100})
        for trace in range(1, _TRACES + 1)
        for number in range(1, 2 + trace % _LARGEST)
    ]
    return [encoded(*spans[at : at + 200]) for at in range(0, len(spans), 200)]


def _both(block: Block, folder: Path) -> tuple[Kept, Kept]:
    sent = _sent()
    (theirs,) = kept_by_collector([block], sent, folder)
    return theirs, kept_by_us(block, sent)


@pytest.mark.parametrize(("rate", "burst"), [(100, 0), (50, 1000), (0, 500)])
def test_as_many_spans_pass_a_rate_limit_as_in_the_collector(rate: int, burst: int, tmp_path: Path) -> None:
    settings = {"spans_per_second": rate, "burst_capacity": burst}
    block: Block = [{"name": "limit", "type": "rate_limiting", "rate_limiting": settings}]
    theirs, ours = _both(block, tmp_path)
    capacity = burst or 2 * rate
    assert capacity - _LARGEST <= sum(ours.values()) <= capacity + rate
    assert capacity - _LARGEST <= sum(theirs.values()) <= capacity + rate * _DECIDED_WITHIN


def test_as_many_bytes_pass_a_limit_as_in_the_collector(tmp_path: Path) -> None:
    """Sizes differ by a few bytes per span and by the resources of traces that came in two requests: 5% are allowed for that."""
    settings = {"bytes_per_second": 1000, "burst_capacity": 200_000}
    block: Block = [{"name": "limit", "type": "bytes_limiting", "bytes_limiting": settings}]
    theirs, ours = _both(block, tmp_path)
    assert 0 < len(ours) < _TRACES
    assert sum(ours.values()) == pytest.approx(sum(theirs.values()), rel=0.05)


def test_as_many_spans_pass_a_composite_as_in_the_collector(tmp_path: Path) -> None:
    """The share is for each second of the wall clock, and deciding may run into another one."""
    composite = {
        "max_total_spans_per_second": 1000,
        "composite_sub_policy": [
            {"name": "three", "type": "span_count", "span_count": {"min_spans": _LARGEST}},
            {"name": "rest", "type": "always_sample"},
        ],
        "rate_allocation": [{"policy": "three", "percent": 30}, {"policy": "rest", "percent": 20}],
    }
    block: Block = [{"name": "composite", "type": "composite", "composite": composite}]
    for kept in _both(block, tmp_path):
        large = sum(spans for spans in kept.values() if spans == _LARGEST)
        rest = sum(kept.values()) - large
        assert large in [300 * seconds for seconds in range(1, _DECIDED_WITHIN + 2)]
        assert rest / (large / 300) == pytest.approx(200, abs=_LARGEST)


def test_a_limit_behind_a_policy_that_samples_is_charged_as_in_the_collector(tmp_path: Path) -> None:
    """Each trace of three spans is kept by the first policy and takes tokens of the second all the same, so that less passes it."""
    tight = {"type": "rate_limiting", "rate_limiting": {"spans_per_second": 0, "burst_capacity": 600}}
    large: Policy = {"name": "large", "type": "span_count", "span_count": {"min_spans": _LARGEST}}
    block: Block = [large, {"name": "limit", **tight}]
    theirs, ours = _both(block, tmp_path)
    always = (_TRACES // _LARGEST) * _LARGEST
    for kept in (theirs, ours):
        assert always <= sum(kept.values()) < always + 600
    assert sum(ours.values()) == pytest.approx(sum(theirs.values()), rel=0.05)
