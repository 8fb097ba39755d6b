"""Builders of log records and requests of them, with OpenTelemetry's own message classes."""

from collections.abc import Mapping

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, InstrumentationScope
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, SeverityNumber
from opentelemetry.proto.resource.v1.resource_pb2 import Resource

from tests.support.spans import pairs, span_id, trace_id
from tests.support.wire import delimited

LOGS_METHOD = "/opentelemetry.proto.collector.logs.v1.LogsService/Export"


def record(
    trace: int | None = None, body: str = "sold out", attributes: Mapping[str, object] | None = None
) -> LogRecord:
    """A record of the trace with this number, or of none."""
    return LogRecord(
        time_unix_nano=1,
        severity_number=SeverityNumber.SEVERITY_NUMBER_WARN,
        body=AnyValue(string_value=body),
        attributes=pairs(attributes or {}),
        trace_id=b"" if trace is None else trace_id(trace),
        span_id=b"" if trace is None else span_id(1),
    )


def logs_request(*records: LogRecord | bytes, resource: Mapping[str, object] | None = None) -> bytes:
    """A serialized request with one resource, `service.name: shop` if none is given, and one scope."""
    attributes = {"service.name": "shop"} if resource is None else resource
    encoded = [one if isinstance(one, bytes) else one.SerializeToString() for one in records]
    scope = delimited(1, InstrumentationScope(name="shop.orders").SerializeToString())
    scope += b"".join(delimited(2, one) for one in encoded)
    about = delimited(1, Resource(attributes=pairs(attributes)).SerializeToString())
    return delimited(1, about + delimited(2, scope))


def records_in(requests: list[bytes]) -> list[LogRecord]:
    """All records in serialized requests, in their order."""
    return [
        one
        for request in requests
        for resource_logs in ExportLogsServiceRequest.FromString(request).resource_logs
        for scope_logs in resource_logs.scope_logs
        for one in scope_logs.log_records
    ]
