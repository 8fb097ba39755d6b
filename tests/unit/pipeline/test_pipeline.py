"""Spans in, held by trace, out when their trace is due."""

from collections.abc import Callable

import pytest
from milvus_otel_processor.sampling.decision import Decision
from milvus_otel_processor.sampling.policies.always_sample import AlwaysSample
from milvus_otel_processor.spans.contract import Trace
from milvus_otel_processor.spans.schema import DecodeError
from milvus_otel_processor.telemetry.instruments import METRICS
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from tests.support.harness import ALWAYS, ERRORS, NEVER, Harness, assert_accounted, drop_roots, sampling
from tests.support.policies import entry
from tests.support.spans import attributes_of, encoded, span
from tests.support.wire import delimited

ERROR = Status.STATUS_CODE_ERROR
HEARTBEATS = drop_roots("heartbeat")
NO_CACHE = {"sampled_cache_size": 0, "non_sampled_cache_size": 0}


def test_a_trace_is_decided_when_its_wait_is_over_and_not_before() -> None:
    harness = Harness(sampling(decision_wait=10.0))
    harness.put(span(1, 1))
    harness.advance(9.99)
    assert harness.exporter.spans == []
    harness.advance(0.01 + harness.store.tick)
    assert harness.exporter.names == ["request"]


def test_the_wait_counts_from_the_first_span() -> None:
    harness = Harness(sampling(decision_wait=10.0))
    harness.put(span(1, 1))
    harness.advance(9)
    harness.put(span(1, 2, parent=1))
    harness.advance(1 + harness.store.tick)
    assert len(harness.exporter.spans) == 2


def test_spans_of_one_trace_from_many_requests_are_decided_together() -> None:
    harness = Harness(sampling(ERRORS))
    harness.put(span(1, 1), span(2, 1))
    harness.put(span(2, 2, parent=1), span(1, 2, parent=1, status=ERROR))
    harness.decide_all()
    assert [Span.FromString(kept).trace_id[-1] for kept in harness.exporter.spans] == [1, 1]
    assert harness.snapshot().decisions.keys() == {("sampled", "errors"), ("not_sampled", "")}


def test_how_long_traces_wait_is_counted_from_their_first_span() -> None:
    harness = Harness(sampling(decision_wait=10.0))
    harness.put(span(1, 1))
    harness.advance(4)
    harness.put(span(1, 2, parent=1))
    harness.decide_all()
    age = harness.snapshot().trace_removal_age
    assert (sum(age.counts), round(age.sum, 3)) == (1, round(14 + 2 * harness.store.tick, 3))
    assert sum(harness.snapshot().decision_timer_latency.counts) == 1


def test_how_late_spans_come_is_counted_from_the_decision() -> None:
    harness = Harness(sampling(decision_wait=10.0))
    harness.put(span(1, 1))
    harness.decide_all()
    harness.advance(7)
    harness.put(span(1, 2, parent=1))
    age = harness.snapshot().late_span_age
    assert (sum(age.counts), age.sum) == (1, 7.0)


def test_the_votes_of_policies_are_those_that_decided_and_those_that_would_have() -> None:
    harness = Harness(sampling(ERRORS, ALWAYS, drop_roots("heartbeat")))
    harness.put(span(1, 1, status=ERROR), span(2, 1), span(3, 1, name="heartbeat"))
    harness.decide_all()
    (metric,) = (metric for metric in METRICS if metric.name == "processor_policy_votes")
    assert metric.values(harness.snapshot()) == {
        ("sampled", "errors"): 1,
        ("sampled", "everything"): 2,
        ("dropped", "heartbeats"): 1,
    }


def test_an_empty_request_changes_nothing_but_the_count_of_requests() -> None:
    harness = Harness()
    assert harness.pipeline.ingest(b"") == 0
    assert harness.snapshot().received_requests == 1
    assert harness.snapshot().received_spans == 0


@pytest.mark.parametrize("bad", [b"", bytes(16), b"short", b"x" * 17], ids=["none", "zeros", "short", "long"])
def test_a_bad_trace_id_is_refused_and_counted_and_its_neighbours_are_not(bad: bytes) -> None:
    harness = Harness()
    refused = span()
    refused.trace_id = bad
    assert harness.put(span(1), refused, span(2)) == 1
    harness.decide_all()
    assert len(harness.exporter.spans) == 2
    assert harness.snapshot().refused_spans == {"invalid_trace_id": 1}
    assert_accounted(harness.snapshot())


def test_a_trace_id_that_is_not_the_first_field_is_found() -> None:
    harness = Harness(sampling(ERRORS))
    moved = span(1, 2, parent=1, status=ERROR)
    moved.ClearField("trace_id")
    reordered = moved.SerializeToString() + delimited(1, span(1).trace_id)
    harness.put(span(1, 1))
    harness.pipeline.ingest(delimited(1, delimited(2, delimited(2, reordered))))
    harness.decide_all()
    assert len(harness.exporter.spans) == 2
    assert harness.exporter.spans[1].startswith(reordered)


@pytest.mark.parametrize(
    "request_",
    [
        b"\xff",
        encoded(span())[:-1],
        delimited(1, b"\x0a\x7f"),
        delimited(1, delimited(1, b"\x0a\x7f") + delimited(2, delimited(2, span().SerializeToString()))),
        delimited(1, delimited(2, delimited(1, b"\x0a\x7f") + delimited(2, span().SerializeToString()))),
    ],
    ids=["a tag", "cut off", "resource spans", "resource", "scope"],
)
def test_a_malformed_request_is_refused_whole_and_disturbs_nothing(request_: bytes) -> None:
    by_attribute = {
        "name": "a",
        "type": "string_attribute",
        "string_attribute": {"key": "service.name", "values": ["shop"]},
    }
    harness = Harness(sampling(by_attribute))
    harness.put(span(1, 1))
    before = harness.snapshot()
    with pytest.raises(DecodeError):
        harness.pipeline.ingest(request_)
    assert harness.snapshot() == before
    harness.decide_all()
    assert len(harness.exporter.spans) == 1


def test_a_malformed_span_is_lost_and_counted_and_the_rest_of_its_trace_is_not() -> None:
    harness = Harness(sampling(ERRORS))
    cut_off = span(1, 2, parent=1).SerializeToString() + b"\x4a\x7f"
    harness.put(span(1, 1, status=ERROR), span(2, 1, status=ERROR))
    harness.pipeline.ingest(delimited(1, delimited(2, delimited(2, cut_off))))
    harness.decide_all()
    assert len(harness.exporter.spans) == 2
    assert harness.snapshot().lost_spans == {"malformed": 1}
    assert_accounted(harness.snapshot())


def _with_short_span_id(one: Span) -> None:
    one.span_id = b"short"


def _with_long_parent(one: Span) -> None:
    one.parent_span_id = b"123456789"


def _with_short_link(one: Span) -> None:
    one.links.add(trace_id=bytes(16), span_id=b"short")


def _with_long_linked_trace(one: Span) -> None:
    one.links.add(trace_id=bytes(17), span_id=bytes(8))


@pytest.mark.parametrize("damage", [_with_short_span_id, _with_long_parent, _with_short_link, _with_long_linked_trace])
def test_a_span_with_an_id_of_another_length_is_malformed(damage: Callable[[Span], None]) -> None:
    damaged = span(1, 2, parent=1)
    damage(damaged)
    harness = Harness(sampling(ERRORS))
    harness.put(span(1, 1, status=ERROR), damaged)
    harness.decide_all()
    assert len(harness.exporter.spans) == 1
    assert harness.snapshot().lost_spans == {"malformed": 1}
    assert_accounted(harness.snapshot())


def test_ids_that_are_missing_are_not_malformed() -> None:
    bare = Span(trace_id=span(1).trace_id)
    bare.links.add()
    harness = Harness()
    harness.put(bare)
    harness.decide_all()
    assert len(harness.exporter.spans) == 1


def test_a_trace_of_malformed_spans_alone_is_decided_malformed_where_rules_look_into_them() -> None:
    harness = Harness(sampling(entry("status_code", {"status_codes": ["UNSET"]}, "unset")))
    cut_off = span(1).SerializeToString() + b"\x4a\x7f"
    harness.pipeline.ingest(delimited(1, delimited(2, delimited(2, cut_off) * 2)))
    harness.decide_all()
    assert harness.exporter.spans == []
    assert [key for key, amount in harness.snapshot().decisions.items() if amount.spans == 2] == [("malformed", "")]
    assert_accounted(harness.snapshot())


def test_a_duplicated_span_is_carried_through_twice() -> None:
    harness = Harness()
    harness.put(span(1, 1), span(1, 1))
    harness.put(span(1, 1))
    harness.decide_all()
    assert len(harness.exporter.spans) == 3


def test_policies_see_what_enrichment_has_added() -> None:
    by_collection = {
        "name": "products",
        "type": "string_attribute",
        "string_attribute": {"key": "db.collection.name", "values": ["products"]},
    }
    harness = Harness(sampling(by_collection), enrich=True)
    written = {"db.system": "milvus", "db.milvus.search.collection_name": "products"}
    harness.put(span(1, 1, attributes=written), span(1, 2, 1))
    harness.put(span(2, 1, attributes=written | {"db.milvus.search.collection_name": "articles"}), span(2, 2, 1))
    harness.decide_all()
    assert [attributes_of(kept)["db.collection.name"] for kept in harness.exporter.spans] == ["products"] * 2


def test_a_name_that_another_sampler_left_stays() -> None:
    harness = Harness()
    named = {"tailsampling.policy": "by the Collector"}
    harness.put(span(1, 1, attributes=named), span(1, 2, 1), span(1, 3, 1, name="tailsampling.policy"))
    harness.decide_all()
    ours = {"tailsampling.policy": "everything"}
    assert [attributes_of(kept) for kept in harness.exporter.spans] == [named, ours, ours]


def test_a_policy_that_fails_costs_only_the_trace_it_fails_at(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail_at_the_second(_: AlwaysSample, trace: Trace) -> Decision:
        if trace.id[-1] == 2:
            raise RuntimeError("a fault")
        return Decision.SAMPLED

    monkeypatch.setattr(AlwaysSample, "evaluate", fail_at_the_second)
    harness = Harness()
    harness.put(span(1), span(2), span(3))
    harness.decide_all()
    after = harness.snapshot()
    assert [Span.FromString(kept).trace_id[-1] for kept in harness.exporter.spans] == [1, 3]
    assert after.lost_spans == {"failed": 1}
    assert f"trace_id={bytes(15).hex()}02" in caplog.text
    assert after.waiting_spans == 0
    assert_accounted(after)


def test_a_policy_that_fails_at_every_trace_fills_no_log(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object) -> Decision:
        raise RuntimeError("a fault")

    monkeypatch.setattr(AlwaysSample, "evaluate", fail)
    harness = Harness()
    harness.put(*(span(trace) for trace in range(1, 1001)))
    harness.decide_all()
    assert harness.snapshot().lost_spans == {"failed": 1000}
    assert len(caplog.records) == 1
    assert caplog.records[0].exc_info is not None
    harness.put(span(2000))
    harness.decide_all()  # many seconds later
    assert [record.getMessage().partition("; ")[2] for record in caplog.records[1:]] == [
        "1001 times so far, the first time with a traceback"
    ]


def test_all_that_waits_is_decided_at_the_end() -> None:
    harness = Harness(sampling(ERRORS))
    harness.put(*[span(trace, status=ERROR) for trace in range(1, 200)])
    harness.pipeline.drain()
    assert len(harness.exporter.spans) == 199
    assert harness.snapshot().waiting_traces == 0
    assert_accounted(harness.snapshot())


def test_what_is_discarded_undecided_is_counted() -> None:
    harness = Harness()
    harness.put(span(1, 1), span(1, 2, parent=1), span(2, 1))
    harness.pipeline.discard()
    after = harness.snapshot()
    assert harness.exporter.spans == []
    assert (after.waiting_traces, after.waiting_spans, after.waiting_bytes) == (0, 0, 0)
    assert after.lost_spans == {"shutdown": 3}
    assert_accounted(after)


def test_nothing_is_kept_where_no_policy_samples() -> None:
    harness = Harness(sampling(NEVER))
    harness.put(span(1))
    harness.decide_all()
    assert harness.exporter.spans == []
    assert harness.snapshot().decisions.keys() == {("not_sampled", "")}
