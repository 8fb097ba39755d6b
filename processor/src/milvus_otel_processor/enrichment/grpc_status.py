"""The gRPC status of a call, which Milvus' own span of it has as an attribute."""

from __future__ import annotations

from typing import TYPE_CHECKING

from milvus_otel_processor.enrichment.requests import SERVICE
from milvus_otel_processor.spans.attributes import int_value
from milvus_otel_processor.spans.wanted import WantedFailures

if TYPE_CHECKING:
    from collections.abc import Callable

    from milvus_otel_processor.spans.contract import Trace

STATUS_CODE = b"rpc.grpc.status_code"
"""The attribute of Milvus' own span of a call that says how it ended."""
OK_STATUS = frozenset((int_value(0),))
"""Its values, encoded, where all is well."""
_NAMES = (
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
)
"""By number (https://grpc.io/docs/guides/status-codes/)."""
_IN_GO = {"".join(word.capitalize() for word in name.split("_")): name for name in _NAMES[1:]} | {
    "Canceled": "CANCELLED"
}
"""What Go calls the errors, and so Milvus' access log: `PermissionDenied`."""


def name_of_error(in_go: str) -> str | None:
    """Return the name of an error that Go calls so, None where that is none."""
    return _IN_GO.get(in_go)


def grpc_may_have_failed(trace: Trace) -> bool:
    """Tell whether gRPC ended a call in this trace with an error; False is a sure no."""
    return trace.may_hold(SERVICE) and not all_well(trace)


def failures_of_grpc(is_known: Callable[[bytes, bool], bool]) -> WantedFailures:
    """Return what traces have of which `grpc_may_have_failed` says True; `is_known` tells of further ones."""
    return WantedFailures(SERVICE, STATUS_CODE, OK_STATUS, is_known)


def all_well(trace: Trace) -> bool:
    """Tell whether no span of this trace says that gRPC ended its call with an error; asked of all at once, none is decoded."""
    values = trace.values_behind(STATUS_CODE)
    return values is not None and values <= OK_STATUS


def grpc_error(trace: Trace, server: int) -> str | None:
    """Return the name of the status with which gRPC ended the call of this span of Milvus' own; None where that is OK."""
    value = trace.attribute(server, STATUS_CODE)
    code = value.int_value if value is not None else 0
    return _NAMES[code] if 0 < code < len(_NAMES) else None
