"""Durations in buckets, as Prometheus and OTLP get them."""

from __future__ import annotations

from random import Random

import pytest
from milvus_otel_processor.requests.exponential import MOST_BUCKETS, ExponentialCounts
from milvus_otel_processor.requests.families import DURATION, STAGE_DURATION
from milvus_otel_processor.requests.record import Series
from milvus_otel_processor.telemetry.family import Buckets, Exponential
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics._internal.exponential_histogram.mapping.logarithm_mapping import LogarithmMapping
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.metrics.view import ExponentialBucketHistogramAggregation, View

from tests.support.request_records import Made, counted, source_of, times

SERIES = Series("default", "products", "Search", "", "app")


def record(seconds: float, *, kept: bool = False, wait: float = 0.0, number: int = 1) -> Made:
    return Made(SERIES, seconds, times(wait=wait), kept, number.to_bytes(16, "big"), number)


def test_a_duration_is_in_the_bucket_of_the_first_bound_that_is_not_below_it() -> None:
    counts = counted(*map(record, (0.0, 0.1, 0.100001, 1.0, 5.0)), bounds=(0.1, 1.0))
    (one,) = counts.requests().values()
    assert list(one.counts) == [2, 2, 1]
    assert one.sum == pytest.approx(6.200001)
    assert one.total == 5


def test_only_kept_traces_are_exemplars_the_last_of_each_bucket() -> None:
    came = enumerate([(0.05, True), (0.06, True), (0.07, False), (2.0, False)], 1)
    counts = counted(*(record(seconds, kept=kept, number=number) for number, (seconds, kept) in came), bounds=(0.1,))
    (one,) = counts.requests().values()
    assert {place: exemplar.time_ns for place, exemplar in one.exemplars.items()} == {0: 2}


def test_without_exemplars_there_are_none() -> None:
    (one,) = counted(record(1.0, kept=True), exemplars=False).requests().values()
    assert not one.exemplars


def test_a_stage_that_took_no_time_is_not_counted() -> None:
    counts = counted(record(1.0, wait=0.9), record(1.0))
    assert {series: one.total for series, one in counts.stages().items()} == {
        ("default", "products", "Search", "wait"): 1
    }


def test_what_was_read_does_not_change_any_more() -> None:
    counts = counted(record(1.0, kept=True), exponential=True)
    (before,) = counts.requests().values()
    counts.add(record(0.01, kept=True).of(counts))
    assert before.exponential is not None
    assert (before.total, sum(before.exponential.counts), len(before.exemplars)) == (1, 1, 1)


@pytest.mark.parametrize("exponential", [False, True], ids=["explicit", "exponential"])
def test_readers_get_both_metrics(*, exponential: bool) -> None:
    counts = counted(record(1.0, wait=0.9), exponential=True)
    requests, stages = source_of(counts)(exponential)
    assert (requests.name, stages.name) == (DURATION, STAGE_DURATION)
    assert requests.points[0].attributes == {
        "db.namespace": "default",
        "db.collection.name": "products",
        "db.operation.name": "Search",
        "error.type": "",
        "service.name": "app",
    }
    assert isinstance(requests.points[0].value, Exponential if exponential else Buckets)
    assert requests.points[0].value.total == 1
    assert stages.points[0].attributes["stage"] == "wait"


@pytest.mark.parametrize("scale", [0, 1, 5, 20])
def test_indexes_are_those_of_the_sdk(scale: int) -> None:
    random = Random(scale)
    counts = ExponentialCounts()
    for _ in range(500):
        value = random.choice((random.uniform(1e-6, 100), 2.0 ** random.randrange(-20, 20)))
        counts = ExponentialCounts()
        counts.scale = scale
        counts.add(value)
        expected = LogarithmMapping(scale).map_to_index(value) if scale > 0 else _index_of_powers(value)
        assert counts.offset == expected, value


def _index_of_powers(value: float) -> int:
    index = 0
    while 2.0 ** (index + 1) < value:
        index += 1
    while value <= 2.0**index:
        index -= 1
    return index


def test_an_exponential_histogram_is_that_of_the_sdk() -> None:
    random = Random(1)
    values = [random.lognormvariate(-5, 2) for _ in range(3000)]
    counts = ExponentialCounts()
    reader = InMemoryMetricReader()
    aggregation = ExponentialBucketHistogramAggregation(max_size=MOST_BUCKETS)
    provider = MeterProvider([reader], views=[View(instrument_name="d", aggregation=aggregation)])
    histogram = provider.get_meter("test").create_histogram("d")
    for value in values:
        counts.add(value)
        histogram.record(value)
    data = reader.get_metrics_data()
    assert data is not None
    (point,) = data.resource_metrics[0].scope_metrics[0].metrics[0].data.data_points
    assert counts.scale == point.scale  # type: ignore[union-attr]
    theirs = {point.positive.offset + place: n for place, n in enumerate(point.positive.bucket_counts) if n}  # type: ignore[union-attr]
    ours = {counts.offset + place: n for place, n in enumerate(counts.counts) if n}
    assert ours == theirs


def test_an_exponential_histogram_is_bounded() -> None:
    counts = ExponentialCounts()
    for exponent in range(-300, 300, 7):
        counts.add(10.0**exponent)
    counts.add(0.0)
    counts.add(-1.0)
    assert len(counts.counts) <= MOST_BUCKETS
    assert counts.zero_count == 2
    assert sum(counts.counts) == len(range(-300, 300, 7))
