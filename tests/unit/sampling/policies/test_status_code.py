import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Status

from tests.support.policies import samples
from tests.support.spans import span, trace_of

UNSET, OK, ERROR = Status.STATUS_CODE_UNSET, Status.STATUS_CODE_OK, Status.STATUS_CODE_ERROR


@pytest.mark.parametrize("status", [UNSET, OK, ERROR])
@pytest.mark.parametrize("wanted", ["UNSET", "OK", "ERROR"])
def test_a_trace_is_sampled_when_a_span_has_the_status(status: Status.StatusCode.ValueType, wanted: str) -> None:
    named = Status.StatusCode.Name(status).removeprefix("STATUS_CODE_")
    assert samples(trace_of(span(status=status)), "status_code", {"status_codes": [wanted]}) is (named == wanted)


def test_one_span_of_many_is_enough() -> None:
    trace = trace_of(span(1, 1), span(1, 2), span(1, 3, status=ERROR))
    assert samples(trace, "status_code", {"status_codes": ["ERROR"]})


def test_one_status_of_several_is_enough() -> None:
    assert samples(trace_of(span(status=OK)), "status_code", {"status_codes": ["ERROR", "OK"]})


def test_a_span_without_any_status_is_unset() -> None:
    bare = span()
    bare.ClearField("status")
    assert samples(trace_of(bare), "status_code", {"status_codes": ["UNSET"]})
    assert not samples(trace_of(bare), "status_code", {"status_codes": ["OK", "ERROR"]})


def test_the_bytes_of_an_error_status_elsewhere_in_a_span_are_no_error() -> None:
    assert not samples(
        trace_of(span(name="\x18\x02", attributes={"\x18\x02": 2})), "status_code", {"status_codes": ["ERROR"]}
    )


def test_an_empty_trace_is_not_sampled() -> None:
    assert not samples(trace_of(), "status_code", {"status_codes": ["UNSET", "OK", "ERROR"]})
