"""`decision_wait_after_root_received`."""

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from tests.support.harness import Harness, assert_accounted, drop_roots, sampling
from tests.support.spans import span

ERROR = Status.STATUS_CODE_ERROR
HEARTBEATS = drop_roots("heartbeat")
NO_CACHE = {"sampled_cache_size": 0, "non_sampled_cache_size": 0}


class TestAfterTheRoot:
    """`decision_wait_after_root_received`."""

    @pytest.fixture
    def harness(self) -> Harness:
        return Harness(sampling(decision_wait=10.0, decision_wait_after_root_received=2.0))

    def test_a_trace_with_its_root_is_due_sooner(self, harness: Harness) -> None:
        harness.put(span(1, 1), span(2, 2, parent=1))
        harness.advance(1.99)
        assert harness.exporter.spans == []
        harness.advance(0.01)
        assert harness.snapshot().waiting_traces == 1
        assert [Span.FromString(kept).trace_id[-1] for kept in harness.exporter.spans] == [1]

    def test_the_root_may_come_after_its_children(self, harness: Harness) -> None:
        harness.put(span(1, 2, parent=1))
        harness.advance(3)
        harness.put(span(1, 1))
        harness.advance(2)
        assert len(harness.exporter.spans) == 2

    def test_a_root_late_in_the_wait_does_not_lengthen_it(self, harness: Harness) -> None:
        harness.put(span(1, 2, parent=1))
        harness.advance(9)
        harness.put(span(1, 1))
        harness.advance(1 + harness.store.tick)
        assert len(harness.exporter.spans) == 2

    def test_a_trace_is_decided_once(self, harness: Harness) -> None:
        harness.put(span(1, 1), span(1, 1))
        harness.advance(2)
        harness.decide_all()
        assert len(harness.exporter.spans) == 2
        assert_accounted(harness.snapshot())
