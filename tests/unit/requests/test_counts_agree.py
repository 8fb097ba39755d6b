"""Counts in Rust and in Python say the same of the same requests."""

from __future__ import annotations

from collections import defaultdict
from random import Random
from typing import TYPE_CHECKING

import pytest
from milvus_otel_processor.requests.cells import Cell
from milvus_otel_processor.requests.component import make_counts
from milvus_otel_processor.requests.exponential import MOST_BUCKETS
from milvus_otel_processor.requests.record import STAGES, Record, Series
from milvus_otel_processor.requests.settings import RequestsSettings

from tests.support.stores import any_store as every_store
from tests.support.stores import native_store_there

if TYPE_CHECKING:
    from collections.abc import Mapping

    from milvus_otel_processor.requests.counts import Counts, Distribution, StageSeries

__all__ = ["every_store", "native_store_there"]
pytestmark = pytest.mark.usefixtures("native_store_there")

LONGEST = (1 << 64) - 1
BOUNDS = [0.001, 0.01, 0.1, 1.0]
EDGES = [0, 1, 2, 999_999, 1_000_000, 1_000_001, 10**9, 2**30, 2**63, LONGEST]


def pair(*, exemplars: bool = True, max_series: int = 50) -> tuple[Counts, Counts]:
    settings = RequestsSettings.model_validate(
        {
            "max_series": max_series,
            "histogram": {"explicit": {"buckets": BOUNDS}},
            "exemplars": {"enabled": exemplars},
        }
    )
    return make_counts("reference", settings), make_counts("native", settings)


def duration(random: Random) -> int:
    if random.random() < 0.1:
        return random.choice(EDGES)
    return int(random.lognormvariate(16, 3))


def records(random: Random, count: int, both: tuple[Counts, Counts]) -> list[Record]:
    found = []
    for index in range(count):
        of = Series(
            random.choice(("", "default")),
            random.choice("abcdefgh") + random.choice(("", "\n")),
            random.choice(("Search", "Query")),
            random.choice(("", "", "100")),
            random.choice(("", "shop")),
        )
        numbers = {counts.series.number(of) for counts in both}
        (number,) = numbers
        times = tuple(duration(random) if random.random() < 0.4 else 0 for _ in STAGES)
        trace_id = random.randbytes(16)
        found.append(Record(number, duration(random), times, random.random() < 0.2, trace_id, index))
    return found


def told(found: Mapping[Series, Distribution] | Mapping[StageSeries, Distribution]) -> dict[tuple[str, ...], object]:
    """All that is said, as values that compare."""
    return {
        tuple(key): (
            list(one.counts),
            one.sum,
            dict(one.exemplars),
            None
            if one.exponential is None
            else (
                one.exponential.scale,
                one.exponential.zero_count,
                one.exponential.offset,
                list(one.exponential.counts),
                sorted(one.exponential.exemplars),
            ),
        )
        for key, one in found.items()
    }


def cells(found: Mapping[Series, bytes], *, about: bool = False) -> dict[tuple[str, ...], object]:
    """All that is said; with `about` sums may be a little different, as they were added up in another order."""
    unpacked: dict[tuple[str, ...], object] = {}
    for key, packed in found.items():
        cell = Cell()
        cell.add_packed(packed)
        unpacked[tuple(key)] = (
            cell.requests,
            cell.kept,
            pytest.approx([cell.seconds, *cell.times]) if about else [cell.seconds, *cell.times],
            dict(cell.bins),
            cell.slowest_kept,
            cell.slowest_seconds,
        )
    return unpacked


@pytest.mark.parametrize("seed", range(12))
def test_both_count_the_same(seed: int) -> None:
    random = Random(seed)
    both = reference, native = pair(exemplars=seed % 4 > 0, max_series=random.choice((1, 10, 100)))
    for counts in both:
        counts.count_exponentially(seed % 2 == 0)
        counts.count_slices(seed % 3 > 0)
    for _ in range(5):
        for record in records(random, random.choice((0, 1, 700)), both):
            for counts in both:
                counts.add(record)
        assert told(native.requests()) == told(reference.requests())
        assert told(native.stages()) == told(reference.stages())
        assert cells(native.slice()) == cells(reference.slice(), about=True)
        if random.random() < 0.5:
            assert cells(native.take_slice()) == cells(reference.take_slice(), about=True)
            assert native.slice() == reference.slice() == {}
    assert reference.series.folded == native.series.folded


@pytest.mark.parametrize("exponent", [0, 3, 9])
def test_exponential_buckets_are_the_same_at_every_order_of_values(exponent: int) -> None:
    random = Random(exponent)
    for _ in range(100):
        both = pair()
        values = [int(random.uniform(1, 100) * 10 ** random.uniform(0, exponent)) for _ in range(40)]
        values += [10**9 >> random.randrange(20), 0]
        random.shuffle(values)
        for counts in both:
            counts.count_exponentially(True)
            for value in values:
                counts.add(Record(0, value, (0,) * len(STAGES), False, bytes(16), 0))
        reference, native = (next(iter(counts.requests().values())).exponential for counts in both)
        assert reference is not None
        assert native == reference._replace(counts=list(reference.counts))
        assert len(native.counts) <= MOST_BUCKETS


def test_a_slice_that_is_taken_holds_no_memory_and_sizes_are_about_what_is_held() -> None:
    random = Random(3)
    both = pair(max_series=1000)
    for counts in both:
        counts.count_slices(True)
    some = records(random, 5000, both)
    sizes: dict[str, list[int]] = defaultdict(list)
    for counts in both:
        for record in some:
            counts.add(record)
        counts.slice()
        sizes["with"].append(counts.size)
        counts.take_slice()
        sizes["without"].append(counts.size)
    for with_slice, without in zip(sizes["with"], sizes["without"], strict=True):
        assert 0 < without < with_slice
    reference, native = sizes["with"]
    assert native < 2 * reference


def test_a_number_that_no_series_has_is_refused() -> None:
    _, native = pair()
    with pytest.raises(ValueError, match="series 7 was not introduced"):
        native.add(Record(7, 1, (0,) * len(STAGES), False, bytes(16), 0))
