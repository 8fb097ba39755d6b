"""Spans that come after the decision over their trace."""

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Status

from tests.support.harness import ALWAYS, ERRORS, Harness, assert_accounted, drop_roots, sampling
from tests.support.spans import attributes_of, span
from tests.support.wire import delimited

ERROR = Status.STATUS_CODE_ERROR
HEARTBEATS = drop_roots("heartbeat")
NO_CACHE = {"sampled_cache_size": 0, "non_sampled_cache_size": 0}


class TestLateSpans:
    def test_a_late_span_of_a_sampled_trace_goes_out_with_the_policy_of_its_trace(self) -> None:
        harness = Harness(sampling(ERRORS))
        harness.put(span(1, 1, status=ERROR))
        harness.decide_all()
        harness.put(span(1, 2, parent=1, name="late"))
        assert harness.exporter.names == ["request", "late"]
        assert attributes_of(harness.exporter.spans[1]) == {"tailsampling.policy": "errors"}
        assert harness.snapshot().late_spans == {"sampled": 1}
        assert_accounted(harness.snapshot())

    @pytest.mark.parametrize("policies", [[ERRORS], [HEARTBEATS, ALWAYS]], ids=["not sampled", "dropped"])
    def test_a_late_span_of_another_trace_goes_nowhere(self, policies: list[dict[str, object]]) -> None:
        harness = Harness(sampling(*policies))
        harness.put(span(1, 1, name="heartbeat"))
        harness.decide_all()
        harness.put(span(1, 2, parent=1, status=ERROR))
        harness.decide_all()
        assert harness.exporter.spans == []
        assert harness.snapshot().late_spans == {"not_sampled": 1}
        assert_accounted(harness.snapshot())

    def test_a_late_span_whose_trace_is_forgotten_is_decided_anew(self) -> None:
        harness = Harness(sampling(ERRORS, decision_cache=NO_CACHE))
        harness.put(span(1, 1))
        harness.decide_all()
        harness.put(span(1, 2, parent=1, status=ERROR))
        assert harness.snapshot().late_spans == {}
        harness.decide_all()
        assert len(harness.exporter.spans) == 1

    def test_the_oldest_decisions_are_forgotten_first(self) -> None:
        harness = Harness(sampling(decision_cache={"sampled_cache_size": 4}))
        for trace in range(1, 10):
            harness.put(span(trace))
            harness.decide_all()
        harness.put(span(1, 2, parent=1), span(9, 2, parent=1))
        assert harness.snapshot().late_spans == {"sampled": 1}
        assert harness.snapshot().waiting_traces == 1

    def test_a_malformed_late_span_is_lost_and_counted(self) -> None:
        harness = Harness()
        harness.put(span(1, 1))
        harness.decide_all()
        cut_off = span(1, 2).SerializeToString() + b"\x4a\x7f"
        harness.pipeline.ingest(delimited(1, delimited(2, delimited(2, cut_off))))
        assert len(harness.exporter.spans) == 1
        assert harness.snapshot().lost_spans == {"malformed": 1}
        assert_accounted(harness.snapshot())

    def test_a_late_span_of_a_request_gets_what_is_known_of_it(self) -> None:
        harness = Harness(enrich=True)
        known = {"db.system.name": "milvus", "db.collection.name": "products"}
        harness.put(span(1, 1, attributes=known))
        harness.decide_all()
        harness.put(span(1, 2, parent=1))
        added = {"milvus.enrichment": "client", "tailsampling.policy": "everything"}
        assert attributes_of(harness.exporter.spans[1]) == known | added
