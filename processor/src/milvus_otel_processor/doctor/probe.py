"""One traced request, followed hop by hop: Milvus, Collector, processor, Jaeger."""

from __future__ import annotations

import json
import os
import time
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from milvus_otel_processor.doctor.finding import Finding
from milvus_otel_processor.doctor.neighbours import jaeger_has, milvus_version
from milvus_otel_processor.doctor.web import NoAnswerError, NotHttpError, ask
from milvus_otel_processor.page.client import Client, ClientError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SERVICE = "milvus-otel-doctor"
_EXPORT = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
_GRPC_SECONDS = 5.0
_CLIENT: Final = 3
_ERROR: Final = 2
_MESSAGE = "sent by milvus-otel doctor --probe"
_SECONDS_APART = 1.0


class Hops(NamedTuple):
    """Where the request goes; None where a part is not there."""

    milvus: str | None
    otlp: str
    """`http://host:port` for OTLP over HTTP, `host:port` for gRPC."""
    page: Client | None
    jaeger: str | None


def probe(hops: Hops, seconds: float, sleep: Callable[[float], object] = time.sleep) -> Iterator[Finding]:
    """Send one traced request and yield what became of it, waiting up to so many seconds for the decision and for Jaeger.

    The span has the status ERROR, so that a rule for errors keeps it.
    """
    trace_id, span_id = os.urandom(16), os.urandom(8)
    began = time.time_ns()
    to_milvus = hops.milvus is not None
    if hops.milvus is not None:
        try:
            milvus_version(hops.milvus, f"00-{trace_id.hex()}-{span_id.hex()}-01")
            yield Finding("good", f"Probe: Milvus answered a request with the trace id {trace_id.hex()}.")
        except NoAnswerError as error:
            to_milvus = False
            yield Finding("unknown", f"Probe: Milvus did not answer ({error}), only a span of the client is sent.")
    problem = _send(hops.otlp, trace_id, span_id, began)
    if problem is not None:
        yield Finding(
            "bad", f"Probe: the client's span was not taken at {hops.otlp}: {problem}.", "Is the Collector up?"
        )
        return
    yield Finding("good", f"Probe: the client's span was taken at {hops.otlp}.")
    if hops.page is None:
        yield Finding(
            "unknown",
            "Probe: without the processor's page nothing more can be followed.",
            "Set service.telemetry.page.",
        )
        return
    found = _wait(lambda: _decision(hops.page, trace_id), seconds, sleep)
    if found is None:
        yield Finding(
            "bad",
            f"Probe: the processor has decided nothing about the trace within {seconds:g} s.",
            "Either its decision_wait is longer (--timeout), or the span did not come: look at the Collector's log.",
        )
        return
    yield from _decided(found, to_milvus=to_milvus)
    if hops.jaeger is None or found["decision"] != "sampled":
        return
    if _wait(lambda: _is_in_jaeger(hops.jaeger or "", trace_id), seconds, sleep):
        yield Finding("good", "Probe: Jaeger has the trace.")
    else:
        yield Finding(
            "bad",
            "Probe: the trace was kept, and Jaeger does not have it.",
            "Look at the exporter's endpoint and its log.",
        )


def _decided(found: dict[str, Any], *, to_milvus: bool) -> Iterator[Finding]:
    by = f" by {found['policy']}" if found["policy"] else ""
    words = f"Probe: the processor decided about {found['spans']} span(s): {found['decision'].replace('_', ' ')}{by}."
    if found["decision"] == "sampled":
        yield Finding("good", words)
    else:
        yield Finding(
            "warn", words, "No rule keeps a trace with an ERROR: the page's Decisions tell what each rule says."
        )
    services = {span["service"] for span in found["span_details"]}
    if not to_milvus:
        return
    if services - {SERVICE}:
        yield Finding(
            "good", f"Probe: spans of {', '.join(sorted(services - {SERVICE}))} have joined the client's trace."
        )
    else:
        yield Finding(
            "bad",
            "Probe: no span of Milvus has joined the trace.",
            "Milvus does not export traces (trace.exporter), exports them elsewhere, or later than decision_wait.",
        )


def _decision(page: Client | None, trace_id: bytes) -> dict[str, Any] | None:
    assert page is not None
    try:
        found: dict[str, Any] = page.get(f"/traces/{trace_id.hex()}")
    except ClientError:
        return None
    return found


def _is_in_jaeger(url: str, trace_id: bytes) -> bool | None:
    try:
        return jaeger_has(url, trace_id.hex()) or None
    except (NoAnswerError, NotHttpError):
        return None


def _wait(look: Callable[[], Any], seconds: float, sleep: Callable[[float], object]) -> Any:
    for _ in range(max(1, round(seconds / _SECONDS_APART))):
        found = look()
        if found is not None:
            return found
        sleep(_SECONDS_APART)
    return look()


def _send(otlp: str, trace_id: bytes, span_id: bytes, began: int) -> str | None:
    if "://" not in otlp:
        return _send_grpc(otlp, trace_id, span_id, began)
    span = {
        "traceId": trace_id.hex(),
        "spanId": span_id.hex(),
        "name": "doctor probe",
        "kind": _CLIENT,
        "startTimeUnixNano": str(began),
        "endTimeUnixNano": str(time.time_ns()),
        "status": {"code": _ERROR, "message": _MESSAGE},
    }
    resource = {"attributes": [{"key": "service.name", "value": {"stringValue": SERVICE}}]}
    body = {"resourceSpans": [{"resource": resource, "scopeSpans": [{"spans": [span]}]}]}
    try:
        answer = ask(f"{otlp.rstrip('/')}/v1/traces", json.dumps(body).encode())
    except (NoAnswerError, NotHttpError) as error:
        return str(error)
    return None if answer.status < 300 else f"{answer.status} {answer.body.decode('utf-8', 'replace')[:200]}"


def _send_grpc(otlp: str, trace_id: bytes, span_id: bytes, began: int) -> str | None:
    import grpc  # noqa: PLC0415 - where it goes over HTTP none is needed
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest  # noqa: PLC0415
    from opentelemetry.proto.trace.v1.trace_pb2 import Status  # noqa: PLC0415

    request = ExportTraceServiceRequest()
    resource = request.resource_spans.add()
    resource.resource.attributes.add(key="service.name").value.string_value = SERVICE
    span = resource.scope_spans.add().spans.add(trace_id=trace_id, span_id=span_id, name="doctor probe", kind=_CLIENT)
    span.start_time_unix_nano, span.end_time_unix_nano = began, time.time_ns()
    span.status.MergeFrom(Status(code=Status.STATUS_CODE_ERROR, message=_MESSAGE))
    with grpc.insecure_channel(otlp, options=[("grpc.enable_http_proxy", 0)]) as channel:
        try:
            channel.unary_unary(_EXPORT)(request.SerializeToString(), timeout=_GRPC_SECONDS)
        except grpc.RpcError as error:
            return f"{error.code().name}: {error.details()}"
    return None
