"""What requests are counted under is bounded, whatever names come."""

from __future__ import annotations

import subprocess
import sys
import tracemalloc

import pytest
from milvus_otel_processor.requests.histograms import ReferenceCounts
from milvus_otel_processor.requests.record import OVERFLOW, STAGES, Record, Series
from milvus_otel_processor.requests.series import MOST_PATHS, OTHER, SeriesTable
from milvus_otel_processor.requests.settings import BUCKETS, RequestsSettings

from tests.support.stores import any_store as every_store
from tests.support.stores import native_store_there

__all__ = ["every_store", "native_store_there"]

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


_NATIVE = """
from random import Random
from milvus_otel_processor.requests.component import make_counts
from milvus_otel_processor.requests.record import STAGES, Record, Series
from milvus_otel_processor.requests.settings import RequestsSettings
from milvus_otel_processor.requests.windows import Windows

def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096

random, now = Random(1), [0.0]
counts, windows = make_counts("native", RequestsSettings()), Windows(lambda: now[0])
counts.count_exponentially(True)
windows.watch(counts)
before = resident()
for of in range(3):
    for number in range(200_000):
        series = Series("default", f"collection {number // 20}", f"Operation{number % 20}", "", "app")
        found = counts.series.number(series)
        if found or number % 20 == 0:
            times = tuple(int(random.lognormvariate(14, 2)) for _ in STAGES)
            counts.add(Record(found, sum(times), times, number % 3 == 0, random.randbytes(16), 1))
    now[0] += 10
    windows.tick()
print(resident() - before, len(counts.series), counts.size + windows.memory())
"""


@pytest.mark.usefixtures("native_store_there")
@pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc")
def test_in_rust_they_take_less_too_with_windows_and_durations_of_all_sizes() -> None:
    ran = subprocess.run([sys.executable, "-c", _NATIVE], check=True, capture_output=True, text=True)
    taken, series, told = map(int, ran.stdout.split())
    assert series == 2000
    assert taken < 64 * MIB
    assert taken / 4 < told < 64 * MIB


def test_a_series_that_found_room_keeps_it() -> None:
    table = SeriesTable(1)
    first = table.number(Series("", "one", "Search", "", ""))
    assert table.all[table.number(Series("", "other", "Search", "", ""))] is OVERFLOW
    assert table.number(Series("", "one", "Search", "", "")) == first == 1
    assert table.folded == 1


def test_paths_that_strangers_make_up_leave_room_for_the_requests_of_others() -> None:
    table = SeriesTable(2000)
    for number in range(10_000):
        table.number(Series("", "", f"/v2/vectordb/{number}", "404", ""))
    assert len(table) == MOST_PATHS + 1
    other = table.number(Series("", "", "/v2/vectordb/more", "404", ""))
    assert table.all[other] == Series("", "", OTHER, "404", "")
    assert table.all[table.number(Series("", "", "/v2/vectordb/7", "", ""))].operation == "/v2/vectordb/7"
    assert table.all[table.number(Series("", "one", "Search", "", ""))].collection == "one"
    assert table.folded == 0
