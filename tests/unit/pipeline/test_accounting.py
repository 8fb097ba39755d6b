"""No span is lost unseen, whatever comes in and however it is mixed."""

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from milvus_otel_processor.spans.schema import DecodeError
from opentelemetry.proto.trace.v1.trace_pb2 import Status

from tests.support.harness import ERRORS, Harness, assert_accounted, drop_roots, sampling
from tests.support.spans import encoded, span
from tests.support.wire import delimited

_ERROR = Status.STATUS_CODE_ERROR
_traces = st.integers(1, 6)

valid = st.builds(
    lambda trace, number, parent, name, status: span(
        trace, number, parent, name=name, status=status
    ).SerializeToString(),
    _traces,
    st.integers(1, 3),
    st.integers(0, 2),
    st.sampled_from(["request", "heartbeat"]),
    st.sampled_from([0, _ERROR]),
)
malformed = _traces.map(lambda trace: span(trace).SerializeToString() + b"\x4a\x7f")  # an attribute that is cut off
bad_trace_id = st.sampled_from(
    [b"", delimited(1, bytes(16)), delimited(1, b"short"), delimited(1, b"x" * 17), b"\xff" * 30]
)
spans = st.lists(st.one_of(valid, valid, valid, malformed, bad_trace_id), max_size=8)
requests = spans.map(lambda found: delimited(1, delimited(2, b"".join(delimited(2, one) for one in found))))
not_a_request = st.sampled_from([b"\x0a\x7f", b"\xff", encoded(span())[:-1]])
steps = st.lists(
    st.one_of(
        st.tuples(st.just("receive"), st.one_of(requests, requests, not_a_request)),
        st.tuples(st.just("again"), st.just(b"")),
        st.tuples(st.just("wait"), st.sampled_from([b"s", b"l"])),
    ),
    max_size=12,
)


@given(
    steps=steps,
    after_root=st.sampled_from([0.0, 3.0]),
    after_complete=st.sampled_from([0.0, 1.0]),
    num_traces=st.sampled_from([2, 100]),
    largest=st.sampled_from([0, 150]),
    cached=st.sampled_from([0, 1, 100]),
    enrich=st.booleans(),
)
@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_every_span_is_in_one_place_at_every_moment(
    *,
    steps: list[tuple[str, bytes]],
    after_root: float,
    after_complete: float,
    num_traces: int,
    largest: int,
    cached: int,
    enrich: bool,
) -> None:
    harness = Harness(
        sampling(
            drop_roots("heartbeat"),
            ERRORS,
            decision_wait=10.0,
            decision_wait_after_root_received=after_root,
            decision_wait_after_complete=after_complete,
            num_traces=num_traces,
            maximum_trace_size_bytes=largest,
            decision_cache={"sampled_cache_size": cached, "non_sampled_cache_size": cached},
        ),
        enrich=enrich,
    )
    last = b""
    for action, payload in steps:
        if action == "wait":
            harness.advance({b"s": 2.0, b"l": 11.0}[payload])
        else:
            last = payload if action == "receive" else last
            _ingest(harness, last)
        assert_accounted(harness.snapshot())
        assert harness.snapshot().waiting_traces == len(harness.store) <= num_traces
    harness.decide_all()
    after = harness.snapshot()
    assert_accounted(after)
    assert (after.waiting_traces, after.waiting_spans, after.waiting_bytes) == (0, 0, 0)
    assert after.queued_spans == len(harness.exporter.spans)


def _ingest(harness: Harness, request: bytes) -> None:
    before = harness.snapshot()
    try:
        harness.pipeline.ingest(request)
    except DecodeError:
        assert harness.snapshot() == before
