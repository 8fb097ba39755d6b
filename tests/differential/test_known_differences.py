"""Where we differ from the Collector on purpose: each line of the list in docs/sampling.md, with what both do."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tests.differential.blocks import Block
from tests.differential.compare import kept_by_collector, kept_by_us
from tests.differential.traces import BASE
from tests.support.spans import encoded, span

_BASE_MS = BASE // 1_000_000


class Difference(NamedTuple):
    """One policy, some traces as requests, and the numbers of the traces that each of the two keeps."""

    policy: dict[str, object]
    requests: list[bytes]
    collector: set[int]
    ours: set[int]

    @property
    def block(self) -> Block:
        return [{"name": "policy", **self.policy}]


def spans(*durations_ms: int, trace: int) -> list[Span]:
    return [
        span(trace, number, start_ms=_BASE_MS, end_ms=_BASE_MS + duration)
        for number, duration in enumerate(durations_ms, 1)
    ]


def an_upper_bound_of_latency_and_the_order_of_spans() -> Difference:
    """A trace of 12 s has a span of 6 s; the Collector keeps it where that span comes first."""
    return Difference(
        {"type": "latency", "latency": {"threshold_ms": 5000, "upper_threshold_ms": 10000}},
        [encoded(*spans(6000, 12000, trace=1), *spans(12000, 6000, trace=2), *spans(6000, trace=3))],
        collector={1, 3},
        ours={3},
    )


def a_start_of_zero_and_the_order_of_spans() -> Difference:
    """A span without times: the Collector forgets it, unless it comes last."""
    without = [span(trace, 9, start_ms=0, end_ms=0) for trace in (1, 2)]
    return Difference(
        {"type": "latency", "latency": {"threshold_ms": 5000}},
        [encoded(without[0], *spans(1, trace=1), *spans(1, trace=2), without[1])],
        collector={2},
        ours={1, 2},
    )


def numbers_that_are_doubles() -> Difference:
    """To the Collector every double is 0."""
    return Difference(
        {"type": "numeric_attribute", "numeric_attribute": {"key": "n", "min_value": -1, "max_value": 50}},
        [encoded(*(span(trace, attributes={"n": n}) for trace, n in enumerate((49.5, 50.5, 50, 51), 1)))],
        collector={1, 2, 3},
        ours={1, 3},
    )


def a_bound_of_zero() -> Difference:
    """To the Collector a bound of 0 is no bound."""
    return Difference(
        {"type": "numeric_attribute", "numeric_attribute": {"key": "n", "min_value": 0, "max_value": 50}},
        [encoded(*(span(trace, attributes={"n": n}) for trace, n in enumerate((-5, 0, 5), 1)))],
        collector={1, 2, 3},
        ours={2, 3},
    )


def schema_urls_in_conditions() -> Difference:
    """The Collector loses schema URLs on the way to its decision, and from what it passes on."""
    request = ExportTraceServiceRequest.FromString(encoded(span(1)))
    request.resource_spans[0].schema_url = "https://opentelemetry.io/schemas/1.30.0"
    return Difference(
        {"type": "ottl_condition", "ottl_condition": {"span": ['resource.schema_url != ""']}},
        [request.SerializeToString()],
        collector=set(),
        ours={1},
    )


def a_share_that_is_not_named() -> Difference:
    """The Collector gives nothing to a sub-policy that `rate_allocation` does not name; its v0.165 an equal share, as we do."""
    composite = {
        "max_total_spans_per_second": 1000,
        "composite_sub_policy": [
            {"name": "named", "type": "span_count", "span_count": {"min_spans": 2}},
            {"name": "rest", "type": "always_sample"},
        ],
        "rate_allocation": [{"policy": "named", "percent": 50}],
    }
    return Difference(
        {"type": "composite", "composite": composite},
        [encoded(*spans(1, 1, trace=1), *spans(1, trace=2))],
        collector={1},
        ours={1, 2},
    )


def ids_of_zeros() -> Difference:
    """Spans without a valid trace id are one trace to the Collector; we refuse them, and tell their sender."""
    return Difference(
        {"type": "always_sample"},
        [encoded(span(0), span(1))],
        collector={0, 1},
        ours={1},
    )


DIFFERENCES = [
    an_upper_bound_of_latency_and_the_order_of_spans,
    a_start_of_zero_and_the_order_of_spans,
    numbers_that_are_doubles,
    a_bound_of_zero,
    schema_urls_in_conditions,
    a_share_that_is_not_named,
    ids_of_zeros,
]


@pytest.mark.parametrize("make", DIFFERENCES, ids=lambda make: make.__name__)
def test_a_known_difference_is_as_documented(make: Callable[[], Difference], tmp_path: Path) -> None:
    difference = make()
    (theirs,) = kept_by_collector([difference.block], difference.requests, tmp_path)
    assert {int(trace or "0", 16) for trace in theirs} == difference.collector
    assert {int(trace, 16) for trace in kept_by_us(difference.block, difference.requests)} == difference.ours
