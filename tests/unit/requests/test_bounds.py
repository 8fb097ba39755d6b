"""What requests are counted under is bounded, whatever names come."""

from __future__ import annotations

import tracemalloc

from milvus_otel_processor.requests.histograms import ReferenceCounts
from milvus_otel_processor.requests.record import OVERFLOW, STAGES, Record, Series
from milvus_otel_processor.requests.series import SeriesTable
from milvus_otel_processor.requests.settings import BUCKETS, RequestsSettings

from tests.support.stores import any_store as every_store

__all__ = ["every_store"]

MIB = 1 << 20
TIMES = tuple(1_000_000 * place for place in range(len(STAGES)))


def test_ten_thousand_collections_with_twenty_operations_take_less_than_64_mib() -> None:
    tracemalloc.start()
    try:
        histograms = ReferenceCounts(BUCKETS, BUCKETS, RequestsSettings().max_series)
        histograms.count_exponentially(True)
        histograms.count_slices(True)
        table = histograms.series
        for collection in range(10_000):
            for operation in range(20):
                series = table.number(Series("default", f"collection {collection}", f"Operation{operation}", "", "app"))
                if series or operation == 0:  # the others would take no more memory, and time
                    histograms.add(Record(series, 4_000_000, TIMES, kept=True, trace_id=bytes(16), ended_ns=1))
        used, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert used < 64 * MIB
    assert len(table) == 2000
    assert table.folded == 198_000
    assert histograms.requests()[OVERFLOW].total == 9_900


def test_a_series_that_found_room_keeps_it() -> None:
    table = SeriesTable(1)
    first = table.number(Series("", "one", "Search", "", ""))
    assert table.all[table.number(Series("", "other", "Search", "", ""))] is OVERFLOW
    assert table.number(Series("", "one", "Search", "", "")) == first == 1
    assert table.folded == 1
