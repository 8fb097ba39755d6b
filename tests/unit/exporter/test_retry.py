"""When a failed request is sent again."""

from itertools import islice

import grpc
import pytest
from google.rpc import code_pb2
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status
from milvus_otel_processor.exporter.retry import may_pass, pauses, requested_pause
from milvus_otel_processor.exporter.settings import RetrySettings

from tests.support.clock import Clock


class Failed(grpc.RpcError):  # type: ignore[misc] # grpc has no types
    """An error without details."""

    def __init__(self, code: grpc.StatusCode) -> None:
        self._code = code

    def code(self) -> grpc.StatusCode:
        return self._code

    def details(self) -> str:
        return ""

    def trailing_metadata(self) -> tuple[()]:
        return ()


RETRYABLE = {"CANCELLED", "DEADLINE_EXCEEDED", "ABORTED", "OUT_OF_RANGE", "UNAVAILABLE", "DATA_LOSS"}
CREDENTIALS = {"UNAUTHENTICATED", "PERMISSION_DENIED"}  # a token that is being replaced


@pytest.mark.parametrize("code", list(grpc.StatusCode), ids=lambda code: code.name)
def test_the_codes_of_the_otlp_specification_and_those_about_credentials_are_retried(code: grpc.StatusCode) -> None:
    assert may_pass(Failed(code)) is (code.name in RETRYABLE | CREDENTIALS)


def settings(**changed: object) -> RetrySettings:
    return RetrySettings.model_validate(changed)


def test_pauses_grow_by_the_multiplier_up_to_the_longest() -> None:
    found = list(islice(pauses(settings(max_elapsed_time=0.0), Clock(), lambda: 0.5), 7))
    assert found == pytest.approx([5, 7.5, 11.25, 16.875, 25.3125, 30, 30])


@pytest.mark.parametrize(("random", "factor"), [(0.0, 0.5), (0.5, 1.0), (1.0, 1.5)])
def test_a_pause_is_spread_by_the_randomization_factor(random: float, factor: float) -> None:
    assert next(pauses(settings(), Clock(), lambda: random)) == pytest.approx(5 * factor)


def test_it_is_given_up_before_the_time_that_all_tries_may_take_is_over() -> None:
    clock = Clock()
    found = []
    for pause in pauses(settings(max_elapsed_time=20.0), clock, lambda: 0.5):
        found.append(pause)
        clock.advance(pause)
    assert found == [5, 7.5]  # 11.25 more would make 23.75


def test_a_try_that_takes_long_counts() -> None:
    clock = Clock()
    tries = pauses(settings(max_elapsed_time=20.0), clock, lambda: 0.5)
    assert next(tries) == 5
    clock.advance(15)
    assert list(tries) == []


def test_where_it_is_turned_off_there_is_no_second_try() -> None:
    assert list(pauses(settings(enabled=False), Clock(), lambda: 0.5)) == []


class Detailed(Failed):
    """RESOURCE_EXHAUSTED with these bytes as details."""

    def __init__(self, details: bytes) -> None:
        super().__init__(grpc.StatusCode.RESOURCE_EXHAUSTED)
        self._metadata = (("grpc-status-details-bin", details),)

    def trailing_metadata(self) -> tuple[tuple[str, bytes], ...]:  # type: ignore[override] # it has some
        return self._metadata


def retry_info(seconds: int, nanos: int = 0) -> bytes:
    info = RetryInfo()
    info.retry_delay.seconds, info.retry_delay.nanos = seconds, nanos
    status = Status(code=code_pb2.RESOURCE_EXHAUSTED, message="")
    status.details.add().Pack(info)
    return bytes(status.SerializeToString())


def broken_details() -> bytes:
    status = Status(code=code_pb2.RESOURCE_EXHAUSTED, message="")
    status.details.add(type_url="type.googleapis.com/google.rpc.RetryInfo", value=b"\xff\xff")
    return bytes(status.SerializeToString())


@pytest.mark.parametrize(
    "details",
    [b"\xff", b"not protobuf", broken_details(), Status(code=code_pb2.ABORTED).SerializeToString(), b""],
    ids=["garbage", "text", "broken RetryInfo", "another code", "nothing"],
)
def test_details_that_cannot_be_read_are_none(details: bytes) -> None:
    assert not may_pass(Detailed(details))
    assert requested_pause(Detailed(details), 30.0) == 0


@pytest.mark.parametrize(
    ("seconds", "nanos", "pause"),
    [
        (2, 500_000_000, 2.5),
        (864_000, 0, 30.0),
        ((1 << 63) - 1, 0, 30.0),
        (-(1 << 63), -999, 0.0),
        (-5, 0, 0.0),
        (0, 1 << 30, 1.073741824),
    ],
)
def test_a_pause_that_the_peer_asks_for_is_capped(seconds: int, nanos: int, pause: float) -> None:
    assert may_pass(Detailed(retry_info(seconds, nanos)))
    assert requested_pause(Detailed(retry_info(seconds, nanos)), 30.0) == pytest.approx(pause)
