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
from milvus_otel_processor.page.probes import new_trace_id

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
    trace_id, span_id = new_trace_id(), os.urandom(8)
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
        yield Finding("bad", f"Probe: the client's span was not taken at {hops.otlp}: {problem.words}.", problem.advice)
        return
    yield Finding("good", f"Probe: the client's span was taken at {hops.otlp}.")
    if hops.page is None:
        yield Finding(
            "unknown",
            "Probe: what the processor decides is not known: no page of it was found.",
            "It has one where service.telemetry.page is set: say where with --from.",
        )
    else:
        wait = seconds + _decision_wait(hops.page)
        found = _wait(lambda: _decision(hops.page, trace_id), wait, sleep)
        if found is None:
            yield Finding(
                "bad",
                f"Probe: the processor has decided nothing about the trace within {wait:g} s.",
                "The span did not come to it: look at the Collector's log, and at where its traces pipeline exports to.",
            )
            return
        yield from _decided(found, to_milvus=to_milvus)
        if found["decision"] != "sampled":
            return
    if hops.jaeger is None:
        yield Finding("unknown", "Probe: no Jaeger was found to ask for the trace.", "Say where it is: --jaeger.")
        return
    if _wait(lambda: _is_in_jaeger(hops.jaeger or "", trace_id), seconds, sleep):
        yield Finding("good", "Probe: Jaeger has the trace.")
    else:
        yield Finding(
            "bad",
            "Probe: Jaeger does not have the trace"
            + (
                ", which was kept."
                if hops.page is not None
                else "; it may be that no rule kept it, or that it did not come so far."
            ),
            "Look at the processor's log, and at where exporters.otlp.endpoint is.",
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


def _decision_wait(page: Client) -> float:
    """Return how long traces wait for their decision; 0 where the processor does not tell."""
    try:
        wait = page.get("/rules").get("decision_wait")
    except ClientError:
        return 0.0
    return float(wait) if isinstance(wait, int | float) else 0.0


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


class _Problem(NamedTuple):
    words: str
    advice: str


_AWAY = "Is the Collector up? Without one, say where the processor receives: --otlp HOST:PORT."
_OTHER_PORT = "HTTP goes to port 4318 (--otlp http://HOST:4318), gRPC to 4317 (--otlp HOST:4317)."


def _send(otlp: str, trace_id: bytes, span_id: bytes, began: int) -> _Problem | None:
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
    except NoAnswerError as error:
        return _Problem(str(error), _AWAY)
    except NotHttpError as error:
        return _Problem(str(error), _OTHER_PORT)
    said = f"{answer.status} {answer.body.decode('utf-8', 'replace')[:200]}"
    return None if answer.status < 300 else _Problem(said, "The Collector's log says why.")


def _send_grpc(otlp: str, trace_id: bytes, span_id: bytes, began: int) -> _Problem | None:
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
            return _refused(error.code().name, error.details() or "")
    return None


def _refused(code: str, details: str) -> _Problem:
    """Return what gRPC's words mean: they name addresses and sockets at length."""
    if "http1.x" in details or "HTTP/1" in details:
        return _Problem("it speaks HTTP, not gRPC", _OTHER_PORT)
    if code == "UNAVAILABLE":
        return _Problem("nothing answers there", _AWAY)
    return _Problem(f"{code}: {details}", "The log of what listens there says why.")
