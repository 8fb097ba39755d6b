"""Recorded traffic of Milvus 2.3.5, 2.5.24, 2.6.16 and 3.0: what is counted is what each server did, to the request."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from milvus_otel_processor.requests import kinds
from milvus_otel_processor.requests.kinds import kind_of

from tests.support.counted import Records
from tests.support.harness import ALWAYS, NEVER, sampling
from tests.support.recordings import MIXES, Recording
from tests.support.replayed import Replayed, replay

WITH_TRUTH = [
    Recording(version, name)
    for version, name in (
        ("2.6.16", "databases"),
        ("2.5.24", "databases"),
        ("2.6.16", "cluster"),
        ("2.6.16", "go"),
        ("2.6.16", "instrumented-ids"),
        ("2.6.16", "authorization"),
    )
]
PROBES = {"DescribeCollection"}
"""Existence checks and requests alike, by their answer."""


def counted(recording: Recording, policy: dict[str, object] | None = None) -> tuple[Replayed, Records]:
    found: list[Records] = []
    replayed = replay(
        recording, sampling=sampling(policy or NEVER), watch=lambda made: found.append(Records(made.requests.counts))
    )
    return replayed, found[0]


def calls(recording: Recording) -> list[dict[str, Any]]:
    """Those that the server traced."""
    return [rpc for call in recording.truth for rpc in call["rpcs"] if rpc.get("span_id")]


@pytest.mark.parametrize("recording", WITH_TRUTH, ids=str)
def test_every_request_counts_once(recording: Recording) -> None:
    replayed, records = counted(recording)
    truth = calls(recording)
    wanted = Counter(rpc["rpc"] for rpc in truth if kind_of(rpc["rpc"]) is None)
    found = Counter(record.series.operation for record in records.all)
    apart = replayed.telemetry.calls_apart
    assert sum(found.values()) + sum(apart.values()) == len(truth)
    found["DescribeCollection"] += apart[kinds.EXISTENCE_CHECK]
    assert found == wanted
    assert not +replayed.telemetry.stage_failures


@pytest.mark.parametrize("recording", WITH_TRUTH[:4], ids=str)
def test_collections_and_errors_are_those_of_the_requests(recording: Recording) -> None:
    _, records = counted(recording)
    wanted = Counter(
        (rpc["collection"] or "", rpc["rpc"], str(rpc["code"]) if rpc["code"] else "")
        for rpc in calls(recording)
        if kind_of(rpc["rpc"]) is None and rpc["rpc"] not in PROBES
    )
    found = {key: count for key, count in records.by_series.items() if key[1] not in PROBES}
    assert found == wanted


@pytest.mark.parametrize("recording", MIXES, ids=str)
def test_what_is_kept_changes_no_count(recording: Recording) -> None:
    kept, of_kept = counted(recording, ALWAYS)
    dropped, of_dropped = counted(recording)
    assert Counter(record.series for record in of_kept.all) == Counter(record.series for record in of_dropped.all)
    assert kept.telemetry.calls_apart == dropped.telemetry.calls_apart
    assert all(record.kept for record in of_kept.all)
    assert not any(record.kept for record in of_dropped.all)
    assert sorted(record.times for record in of_kept.all) == sorted(record.times for record in of_dropped.all)
    assert of_kept.all


@pytest.mark.parametrize("recording", MIXES, ids=str)
def test_stages_add_up_to_the_request(recording: Recording) -> None:
    _, records = counted(recording)
    for record in records.all:
        assert sum(record.times[1:]) == pytest.approx(record.seconds)
        assert all(time >= 0 for time in record.times)


@pytest.mark.parametrize("recording", MIXES, ids=str)
def test_most_of_the_time_of_searches_and_writes_is_explained(recording: Recording) -> None:
    _, records = counted(recording)
    for operations in ({"Search", "HybridSearch", "Query"}, {"Insert", "Upsert", "Delete"}):
        some = [record for record in records.all if record.series.operation in operations]
        explained = sum(sum(record.times[1:-1]) for record in some)
        assert explained > 0.6 * sum(record.seconds for record in some)


@pytest.mark.parametrize("version", ["2.6.16", "2.5.24", "3.0"])
def test_a_server_that_nobody_asks_has_no_requests(version: str) -> None:
    for name in ("idle-empty", "idle-loaded", "startup"):
        replayed, records = counted(Recording(version, name))
        assert not records.all
        assert not replayed.telemetry.calls_apart


def test_requests_of_rest_count_once_on_each_version() -> None:
    """One line is for each, but that of a path that is not there."""
    for version, lines_without in (("2.6.16", 1), ("3.0", 0)):
        recording = Recording(version, "rest")
        _, records = counted(recording)
        assert len(records.all) == len(recording.lines) - lines_without
