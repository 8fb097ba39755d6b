"""Traces that the name of their root settles at once, whatever comes first."""

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Status

from tests.support.harness import ALWAYS, Harness, assert_accounted, drop_roots, sampling
from tests.support.spans import span

ERROR = Status.STATUS_CODE_ERROR
HEARTBEATS = drop_roots("heartbeat")
NO_CACHE = {"sampled_cache_size": 0, "non_sampled_cache_size": 0}


class TestEarlyByItsRoot:
    """A root that a `drop` policy drops settles its trace, whatever else there is of it."""

    @pytest.fixture
    def harness(self) -> Harness:
        return Harness(sampling(HEARTBEATS, ALWAYS))

    def test_the_root_comes_first(self, harness: Harness) -> None:
        harness.put(span(1, 1, name="heartbeat"))
        assert harness.snapshot().waiting_traces == 0
        harness.put(span(1, 2, parent=1))
        self._all_dropped(harness, late=1)

    def test_a_child_comes_first(self, harness: Harness) -> None:
        harness.put(span(1, 2, parent=1))
        assert harness.snapshot().waiting_spans == 1
        harness.put(span(1, 1, name="heartbeat"))
        self._all_dropped(harness, late=0)

    def test_both_come_in_one_request_child_first(self, harness: Harness) -> None:
        harness.put(span(1, 2, parent=1), span(1, 1, name="heartbeat"))
        self._all_dropped(harness, late=0)

    def test_both_come_in_one_request_root_first(self, harness: Harness) -> None:
        harness.put(span(1, 1, name="heartbeat"), span(1, 2, parent=1))
        self._all_dropped(harness, late=1)

    def test_a_root_whose_parent_is_zeros_is_a_root(self, harness: Harness) -> None:
        root = span(1, 1, name="heartbeat")
        root.parent_span_id = bytes(8)
        harness.put(root)
        self._all_dropped(harness, late=0)

    def test_a_child_of_that_name_settles_nothing(self, harness: Harness) -> None:
        harness.put(span(1, 2, parent=1, name="heartbeat"))
        harness.decide_all()
        assert harness.exporter.names == ["heartbeat"]

    def test_other_traces_of_the_request_go_on(self, harness: Harness) -> None:
        harness.put(span(1, 1, name="heartbeat"), span(2, 1, name="search"), span(3, 1, name="heartbeat"))
        harness.decide_all()
        assert harness.exporter.names == ["search"]
        assert harness.snapshot().decisions[("dropped", "heartbeats")].traces == 2

    @pytest.mark.parametrize("order", [[0, 1], [1, 0]], ids=["root first", "child first"])
    def test_without_a_decision_cache_the_order_of_arrival_still_changes_nothing(self, order: list[int]) -> None:
        harness = Harness(sampling(HEARTBEATS, ALWAYS, decision_cache=NO_CACHE))
        found = [span(1, 1, name="heartbeat"), span(1, 2, parent=1)]
        for index in order:
            harness.put(found[index])
        harness.decide_all()
        assert harness.exporter.spans == []
        assert_accounted(harness.snapshot())

    def _all_dropped(self, harness: Harness, late: int) -> None:
        before = harness.snapshot()
        assert (before.waiting_traces, before.waiting_spans, before.waiting_bytes) == (0, 0, 0)
        harness.decide_all()
        after = harness.snapshot()
        assert harness.exporter.spans == []
        assert after.late_spans.get("not_sampled", 0) == late
        assert [(key, amount.traces) for key, amount in after.decisions.items()] == [(("dropped", "heartbeats"), 1)]
        assert_accounted(after)
