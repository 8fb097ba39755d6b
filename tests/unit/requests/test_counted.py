"""Every request that Milvus served counts once, whatever becomes of its trace and whatever client sent it."""

from __future__ import annotations

from typing import Any

import pytest
from milvus_otel_processor.enrichment.attributes import TIMES
from milvus_otel_processor.requests import kinds
from milvus_otel_processor.requests.attributes import NAMES
from milvus_otel_processor.requests.hints import ATTRIBUTE as HINT
from milvus_otel_processor.requests.record import OVERFLOW
from milvus_otel_processor.telemetry import reasons
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tests.support.counted import Counted, keeping
from tests.support.enrichment import (
    CLIENT,
    MILLISECOND,
    SEARCH,
    START,
    TRACE_ID,
    line,
    served,
    span,
)
from tests.support.harness import ALWAYS, NEVER, drop_roots, sampling

FAILED: dict[str, Any] = {"status": "Failed", "code": "100", "message": "collection not found"}


def test_a_request_that_is_not_kept_counts() -> None:
    counted = Counted()
    counted.log(line("Search"))
    (record,) = counted.sent(served(1, "Search"), span(2, "Proxy-Search", parent=1))
    assert record.series == ("default", "products", "Search", "", "")
    assert (record.seconds, record.kept, record.trace_id) == (0.005, False, TRACE_ID)
    assert record.ended_ns == START + 5 * MILLISECOND
    assert not counted.kept


def test_a_request_of_which_nothing_is_known_counts_without_a_collection() -> None:
    (record,) = Counted().sent(served(1, "Search"))
    assert record.series == ("", "", "Search", "", "")


def test_a_failed_request_has_milvus_error_code() -> None:
    counted = Counted()
    counted.log(line("Search", **FAILED))
    (record,) = counted.sent(served(1, "Search"))
    assert record.series.error_type == "100"


def test_a_request_that_grpc_ended_has_its_status() -> None:
    (record,) = Counted().sent(served(1, "Search", rpc__grpc__status_code=4))
    assert record.series.error_type == "DEADLINE_EXCEEDED"


def test_the_service_and_size_of_an_instrumented_call_are_known() -> None:
    (record,) = keeping().sent(
        span(
            1,
            "app search",
            kind=CLIENT,
            db__system__name="milvus",
            milvus__nq=3,
            milvus__limit=10,
            cost=9 * MILLISECOND,
        ),
        span(2, SEARCH, parent=1, kind=CLIENT, cost=8 * MILLISECOND),
        served(3, "Search", parent=2),
    )
    assert record.series.service == "app"
    assert record.times[0] == pytest.approx(0.004)
    assert (record.seconds, record.kept) == (0.005, True)


def test_a_late_span_of_an_application_is_no_call() -> None:
    """It is given what is known of the request, which says Milvus."""
    counted = keeping()
    counted.log(line("Search"))
    counted.sent(span(1, "app", kind=CLIENT), served(2, "Search", parent=1))
    counted.come(span(3, "app work", kind=CLIENT, parent=1))
    assert "db.system.name" in {pair.key for pair in counted.kept[(3).to_bytes(8)].attributes}
    assert not counted.apart


@pytest.mark.parametrize("policy", [ALWAYS, NEVER], ids=["kept", "not kept"])
def test_a_request_whose_span_is_late_counts_once(policy: dict[str, object]) -> None:
    counted = Counted(sampling(policy, decision_cache={"sampled_cache_size": 10, "non_sampled_cache_size": 10}))
    assert not counted.sent(span(2, "Proxy-Search", parent=1))
    counted.come(served(1, "Search"))
    (record,) = counted.records.all
    assert record.kept is (policy is ALWAYS)
    counted.come(served(1, "Search"))
    assert len(counted.records.all) == 1
    assert counted.apart == {kinds.REPEATED: 1}


def test_a_trace_that_is_split_over_two_decisions_counts_each_request_once() -> None:
    counted = Counted(sampling(NEVER, maximum_trace_size_bytes=1, decision_cache={"non_sampled_cache_size": 0}))
    for number in range(1, 4):
        counted.come(served(number, "Search", start=number), span(10 + number, "Proxy-Search", parent=number))
    counted.decide()
    assert counted.records.by_series == {("", "Search", ""): 3}


def test_a_span_that_comes_twice_counts_once() -> None:
    counted = Counted()
    counted.come(served(1, "Search"))
    assert len(counted.sent(served(1, "Search"))) == 1
    assert counted.apart == {kinds.REPEATED: 1}


def test_a_request_in_a_trace_that_its_roots_name_drops_counts() -> None:
    counted = Counted(sampling(drop_roots("app health"), ALWAYS, decision_cache={"non_sampled_cache_size": 10}))
    counted.come(served(2, "Search", parent=1))
    counted.come(span(1, "app health"), served(3, "Query", parent=1))
    assert counted.records.by_series == {("", "Search", ""): 1, ("", "Query", ""): 1}
    counted.come(served(4, "Insert", parent=1))
    assert len(counted.records.all) == 3
    assert not counted.kept


def test_a_request_of_rest_version_1_that_its_name_drops_counts() -> None:
    counted = Counted(sampling(drop_roots("Proxy-Search"), ALWAYS, decision_cache={"non_sampled_cache_size": 10}))
    counted.come(span(1, "Proxy-Search"))
    assert counted.records.by_series == {("", "Search", ""): 1}


def test_work_of_milvus_own_that_its_root_drops_is_no_request() -> None:
    root = "milvus.proto.proxy.Proxy/SetRates"
    counted = Counted(sampling(drop_roots(root), ALWAYS, decision_cache={"non_sampled_cache_size": 10}))
    counted.come(span(1, root), span(2, "Proxy-SetRates", parent=1))
    assert not counted.records.all


def test_requests_that_still_wait_at_the_end_count() -> None:
    counted = Counted()
    counted.come(served(1, "Search"))
    counted.assembled.pipeline.discard()
    assert len(counted.records.all) == 1


def test_a_malformed_span_beside_a_request_costs_no_count() -> None:
    counted = keeping()
    counted.come(served(1, "Search"), span(2, "SearchTask", parent=1))
    data = b"\x0a\x10" + TRACE_ID + b"\x2a\x7f"  # a name that is longer than the span
    counted.assembled.pipeline.ingest(_request(data))
    counted.decide()
    assert counted.records.by_series == {("", "Search", ""): 1}
    assert not +counted.telemetry.stage_failures


def _request(span_bytes: bytes) -> bytes:
    def field(tag: int, content: bytes) -> bytes:
        return bytes((tag, len(content))) + content

    return field(0x0A, field(0x12, field(0x12, span_bytes)))


@pytest.mark.parametrize(
    ("method", "kind"),
    [
        ("HasCollection", kinds.EXISTENCE_CHECK),
        ("GetLoadingProgress", kinds.POLL),
        ("GetFlushState", kinds.POLL),
        ("Connect", kinds.CONNECT),
    ],
)
def test_calls_that_are_no_requests_are_told_apart(method: str, kind: str) -> None:
    counted = Counted()
    assert not counted.sent(served(1, method))
    assert counted.apart == {kind: 1}


def test_a_collection_that_is_asked_for_and_not_there_is_no_failed_request() -> None:
    counted = Counted()
    counted.log(line("DescribeCollection", "missing", **FAILED))
    assert not counted.sent(served(1, "DescribeCollection"))
    assert counted.apart == {kinds.EXISTENCE_CHECK: 1}


def test_of_attempts_of_one_operation_the_last_counts() -> None:
    counted = Counted()
    operation = span(9, "app search", kind=CLIENT, db__system__name="milvus", cost=40 * MILLISECOND)
    attempts = [
        served(
            number, "Search", parent=9, start=number * 10 * MILLISECOND, rpc__grpc__status_code=14 if number < 3 else 0
        )
        for number in (1, 2, 3)
    ]
    (record,) = counted.sent(operation, *attempts)
    assert record.series.error_type == ""
    assert counted.apart == {kinds.RETRY: 2}


def test_several_calls_of_one_operation_that_succeed_all_count() -> None:
    operation = span(9, "app insert", kind=CLIENT, db__system__name="milvus")
    records = Counted().sent(operation, served(1, "Insert", parent=9), served(2, "Insert", parent=9, start=1))
    assert len(records) == 2


def test_a_call_that_milvus_has_no_span_of_is_not_counted_as_a_request() -> None:
    counted = Counted()
    assert not counted.sent(span(1, SEARCH, kind=CLIENT))
    assert counted.apart == {kinds.NOT_SERVED: 1}


@pytest.mark.parametrize(
    "end", [-5, 2**63 - 1 - START, 86_401 * 10**9], ids=["before its start", "2^63", "after a day"]
)
def test_a_duration_that_cannot_be_changes_nothing_but_a_count(end: int) -> None:
    counted = Counted()
    one = served(1, "Search")
    one.end_time_unix_nano = START + end
    assert not counted.sent(one)
    assert counted.apart == {kinds.IMPLAUSIBLE: 1}
    assert not counted.requests.counts.requests()


def test_names_beyond_the_bound_are_counted_together() -> None:
    counted = Counted(max_series=2)
    for number, method in enumerate(("Search", "Query", "Insert", "Delete", "Search"), 1):
        counted.sent(served(number, method, trace_id=bytes((number,)) * 16))
    assert counted.records.by_series[OVERFLOW.collection, "", ""] == 2
    assert counted.telemetry.snapshot().folded_requests == 2
    assert len(counted.requests.counts.requests()) == 3


@pytest.mark.parametrize("method", ["x" * 10_000, "a\nb", "\x00"], ids=["long", "newline", "zero"])
def test_hostile_names_are_counted_together(method: str) -> None:
    counted = Counted()
    counted.sent(served(1, method))
    assert counted.records.by_series == {(OVERFLOW.collection, "", ""): 1}


def test_without_metrics_of_requests_nothing_is_counted() -> None:
    settings = Counted().milvus
    assert settings.requests.enabled
    with pytest.raises(AssertionError):
        Counted(enabled=False)


def test_all_kinds_are_in_the_metrics_from_the_start() -> None:
    assert sorted(kinds.KINDS) == list(reasons.CALLS_APART)


def test_a_kept_request_is_told_where_its_time_went() -> None:
    counted = keeping()
    counted.sent(
        served(1, "Search", cost=200 * MILLISECOND),
        span(2, "Proxy-Search", parent=1, cost=199 * MILLISECOND),
        span(3, "SearchTask", parent=2, start=2 * MILLISECOND, cost=190 * MILLISECOND),
        span(4, "Delegator-waitTSafe", parent=3, start=4 * MILLISECOND, cost=186 * MILLISECOND),
    )
    attributes = counted.kept[bytes(7) + b"\x01"].attributes
    times = {pair.key: pair.value.double_value for pair in attributes if pair.key in NAMES}
    assert times == {"milvus.time.queue_ms": 2.0, "milvus.time.wait_ms": 186.0, "milvus.time.unexplained_ms": 12.0}


@pytest.mark.parametrize(("least", "kept"), [(180, True), (200, False)])
def test_a_rule_can_ask_where_the_time_went(least: int, kept: bool) -> None:
    rule = {
        "name": "waits",
        "type": "numeric_attribute",
        "numeric_attribute": {"key": "milvus.time.wait_ms", "min_value": least},
    }
    counted = Counted(sampling(rule))
    counted.sent(
        served(1, "Search", cost=200 * MILLISECOND),
        span(4, "Delegator-waitTSafe", parent=1, start=4 * MILLISECOND, cost=186 * MILLISECOND),
    )
    assert bool(counted.kept) is kept
    assert [record.kept for record in counted.records.all] == [kept]


def test_a_fault_while_a_request_is_counted_costs_no_span() -> None:
    counted = keeping()
    counted.requests.counts.series.number = None  # type: ignore[method-assign,assignment]
    counted.sent(served(1, "Search"))
    assert len(counted.kept) == 1
    assert sum(counted.telemetry.stage_failures.values()) == 1


def test_exemplars_are_kept_traces() -> None:
    counted = keeping()
    counted.sent(served(1, "Search"))
    (distribution,) = counted.requests.counts.requests().values()
    (exemplar,) = distribution.exemplars.values()
    assert exemplar == (0.005, TRACE_ID, START + 5 * MILLISECOND)
    counted = Counted()
    counted.sent(served(1, "Search"))
    (distribution,) = counted.requests.counts.requests().values()
    assert not distribution.exemplars
    assert distribution.total == 1


def test_spans_without_ids_all_count() -> None:
    counted = Counted()
    one = served(1, "Search")
    one.ClearField("span_id")
    other = Span()
    other.CopyFrom(one)
    other.name = SEARCH.replace("Search", "Query")
    counted.sent(one, other)
    assert len(counted.records.all) == 2


def test_the_attributes_that_are_written_are_those_that_are_documented() -> None:
    assert [one.name for one in TIMES] == [*NAMES, HINT]


def test_a_request_that_waits_is_given_a_hint() -> None:
    counted = keeping()
    counted.sent(
        served(1, "Search", cost=200 * MILLISECOND),
        span(4, "Delegator-waitTSafe", parent=1, start=4 * MILLISECOND, cost=186 * MILLISECOND),
    )
    texts = {pair.key: pair.value.string_value for pair in counted.kept[bytes(7) + b"\x01"].attributes}
    assert "Consistency level" in texts[HINT]


def test_attributes_that_are_excluded_are_not_written() -> None:
    counted = Counted(sampling(ALWAYS), attributes={"request": {"include": ["*"], "exclude": ["milvus.time.wait_ms"]}})
    counted.sent(served(1, "Search"), span(4, "Delegator-waitTSafe", parent=1, cost=MILLISECOND))
    keys = {pair.key for pair in counted.kept[bytes(7) + b"\x01"].attributes}
    assert "milvus.time.unexplained_ms" in keys
    assert "milvus.time.wait_ms" not in keys
