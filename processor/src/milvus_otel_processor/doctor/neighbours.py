"""What can be asked of the Collector, Milvus and Jaeger from outside."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

from milvus_otel_processor import printable
from milvus_otel_processor.doctor.finding import Finding
from milvus_otel_processor.doctor.web import NoAnswerError, NotHttpError, ask
from milvus_otel_processor.enrichment.catalogue.milvus import TRACEPARENT

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_SOURCE, _NO_LETTERS = re.compile(r"\[\w+\]$"), re.compile(r"[./_]")
_ROOMY = 200
_NOT_FOUND = 404
_TOKEN_WANTED = frozenset((401, 403))
_TLS_WANTED = b"HTTP request to an HTTPS server"
"""In what Go's server answers."""
_ELSEWHERE = "Start it, or if it runs elsewhere say where: {option}."
_VERSION_CALL = "/milvus.proto.milvus.MilvusService/GetVersion"
_GRPC_SECONDS = 5.0


class Place(NamedTuple):
    """Where a part may be, and whether the user said so."""

    address: str
    is_given: bool


def application(environ: Mapping[str, str]) -> Iterator[Finding]:
    """Look at the variables that SDKs read, as they are where this runs."""
    endpoint = environ.get("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") or environ.get("OTEL_EXPORTER_OTLP_ENDPOINT", "")
    protocol = environ.get("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL") or environ.get("OTEL_EXPORTER_OTLP_PROTOCOL", "")
    if not endpoint:
        return
    if ":4317" in endpoint and protocol.startswith("http"):
        yield Finding(
            "bad",
            f"OTEL_EXPORTER_OTLP_ENDPOINT is {endpoint} with the protocol {protocol}: HTTP that is sent to the gRPC port.",
            "Send HTTP to port 4318, or set OTEL_EXPORTER_OTLP_PROTOCOL=grpc.",
        )
    elif ":4318" in endpoint and protocol == "grpc":
        yield Finding(
            "bad",
            f"OTEL_EXPORTER_OTLP_ENDPOINT is {endpoint} with the protocol grpc: gRPC that is sent to the HTTP port.",
            "Send gRPC to port 4317, or set OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf.",
        )
    elif ":4317" in endpoint and not protocol:
        yield Finding(
            "warn",
            f"OTEL_EXPORTER_OTLP_ENDPOINT is {endpoint}, and no protocol is set: many SDKs then send HTTP to the gRPC port.",
            "Set OTEL_EXPORTER_OTLP_PROTOCOL=grpc, or send to port 4318.",
        )


def collector(place: Place) -> Iterator[Finding]:
    """Offer the Collector's OTLP/HTTP receiver a request without spans."""
    url = place.address.rstrip("/")
    try:
        answer = ask(f"{url}/v1/traces", b'{"resourceSpans":[]}')
    except NotHttpError as error:
        yield Finding(
            "bad",
            f"What listens at {url} is no OTLP/HTTP receiver: {error}.",
            "Applications that send http/protobuf there lose everything: HTTP goes to port 4318, gRPC to 4317.",
        )
        return
    except NoAnswerError as error:
        yield _missing("Collector", url, error, place, "--collector")
        return
    if answer.status < _ROOMY + 100:
        yield Finding("good", f"The Collector takes traces at {url}.")
    elif answer.status in _TOKEN_WANTED or _TLS_WANTED in answer.body:
        wanted = "TLS" if _TLS_WANTED in answer.body else "a token"
        yield Finding(
            "unknown",
            f"The Collector answers at {url} and asks for {wanted}, so whether it takes traces was not tried.",
            "What it has passed on, the processor tells, below.",
        )
    elif answer.status == _NOT_FOUND:
        yield Finding(
            "bad",
            f"What listens at {url} takes no traces (404).",
            "Has the Collector a pipeline for traces with the receiver otlp, protocol http?",
        )
    else:
        yield Finding(
            "bad",
            f"The Collector refuses traces at {url}: {answer.status}.",
            "Its log says why: a full queue, its memory limit, or a token that is wanted.",
        )


def collector_health(url: str) -> Iterator[Finding]:
    """Ask the Collector's `health_check` extension."""
    try:
        answer = ask(url)
    except (NoAnswerError, NotHttpError) as error:
        yield Finding(
            "bad", f"The Collector's health is not to be had at {url}: {error}.", "Does it have health_check?"
        )
        return
    if answer.status == _ROOMY:
        yield Finding("good", "The Collector says that it is healthy.")
    else:
        said = answer.body.decode("utf-8", "replace")[:200]
        yield Finding("bad", f"The Collector is not healthy: {answer.status} {said}", "Its log says why.")


def collector_metrics(url: str) -> Iterator[Finding]:
    """Read in the Collector's own metrics what it could not pass on."""
    try:
        answer = ask(url)
    except (NoAnswerError, NotHttpError) as error:
        yield Finding("bad", f"The Collector's metrics are not to be had at {url}: {error}.", "Does it have a reader?")
        return
    sums: dict[str, float] = {}
    for line in answer.body.decode("utf-8", "replace").splitlines():
        name, _, value = line.rpartition(" ")
        if line.startswith("otelcol_"):
            name = name.partition("{")[0].removesuffix("_total")
            sums[name] = sums.get(name, 0.0) + _number(value)
    accepted, sent = sums.get("otelcol_receiver_accepted_spans", 0), sums.get("otelcol_exporter_sent_spans", 0)
    failed = sums.get("otelcol_exporter_send_failed_spans", 0) + sums.get("otelcol_exporter_enqueue_failed_spans", 0)
    refused = sums.get("otelcol_receiver_refused_spans", 0)
    if not accepted:
        yield Finding("bad", "The Collector has received no span.", "Look at what should send to it.")
    elif not sent:
        yield Finding(
            "bad",
            f"The Collector has received {accepted:,.0f} spans and sent none on.",
            "Does the traces pipeline export to the processor, and does it answer there?",
        )
    else:
        yield Finding("good", f"The Collector has received {accepted:,.0f} spans, and sent {sent:,.0f} on.")
    if failed:
        yield Finding("bad", f"{failed:,.0f} spans could not be passed on by the Collector.", "Its log says why.")
    if refused:
        yield Finding(
            "warn", f"{refused:,.0f} spans were refused by the Collector.", "It was out of memory, or its queue full."
        )


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0


def milvus(place: Place) -> Iterator[Finding]:
    """Ask Milvus for its version."""
    try:
        version = milvus_version(place.address)
    except NoAnswerError as error:
        yield _missing("Milvus", place.address, error, place, "--milvus")
        return
    yield Finding("good", f"Milvus {version} answers at {place.address}.")


def milvus_version(target: str, traceparent: str = TRACEPARENT) -> str:
    """Return what Milvus says its version is; by default it makes no trace of the question. Raises NoAnswerError."""
    import grpc  # noqa: PLC0415 - it takes a tenth of a second

    with grpc.insecure_channel(
        target.partition("://")[2] or target, options=[("grpc.enable_http_proxy", 0)]
    ) as channel:
        call = channel.unary_unary(_VERSION_CALL)
        try:
            answer: bytes = call(b"", timeout=_GRPC_SECONDS, metadata=(("traceparent", traceparent),))
        except grpc.RpcError as error:
            if error.code() in {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED}:
                raise NoAnswerError(f"{error.code().name}") from None
            return f"(which tells no version: {error.code().name})"
    return _second_field(answer) or "(which tells no version)"


def _second_field(message: bytes) -> str:
    """Return the text in field 2 of a short message of length-delimited fields: GetVersionResponse.version."""
    at = 0
    while at + 1 < len(message):
        tag, size = message[at], message[at + 1]
        if size > 0x7F or tag & 7 != 2:
            return ""
        if tag >> 3 == 2:
            return message[at + 2 : at + 2 + size].decode("utf-8", "replace")
        at += 2 + size
    return ""


def milvus_management(place: Place) -> Iterator[Finding]:
    """Ask Milvus' management port for its health, and from 2.5 on for how it traces."""
    url = place.address.rstrip("/")
    try:
        health = ask(f"{url}/healthz")
        settings = _flat(ask(f"{url}/api/v1/_cluster/configs").json())
    except (NoAnswerError, NotHttpError) as error:
        if place.is_given:
            yield Finding("bad", f"Milvus' management port does not answer at {url}: {error}.", "Port 9091 by default.")
        return
    if health.status != _ROOMY:
        yield Finding("bad", f"Milvus says that it is not healthy: {health.body.decode('utf-8', 'replace')[:200]}")
    exporter = settings.get("traceexporter")
    if exporter is None:
        yield Finding("unknown", "Milvus does not tell how it traces.", "Look at `trace` in milvus.yaml or user.yaml.")
        return
    endpoint = settings.get("traceotlpendpoint", "")
    if exporter != "otlp":
        yield Finding(
            "bad",
            f"Milvus does not export traces: trace.exporter is {exporter}.",
            "Set trace.exporter: otlp and trace.otlp.endpoint to the Collector's host:port, and start it anew.",
        )
    elif "://" in endpoint or not endpoint:
        yield Finding(
            "bad", f"Milvus' trace.otlp.endpoint is {endpoint!r}.", "It has to be host:port, without http://."
        )
    else:
        fraction = settings.get("tracesamplefraction", "?")
        yield Finding("good", f"Milvus exports traces to {endpoint}, sampleFraction {fraction}.")
    if settings.get("proxyaccesslogenable") == "false":
        yield Finding(
            "warn",
            "Milvus writes no access log.",
            "Set proxy.accessLog.enable: true, as compose/milvus/user.yaml does.",
        )


def _flat(value: Any, path: str = "") -> dict[str, str]:
    """Return all values by their keys, which Milvus tells apart by their letters alone: `trace.exporter` is `traceexporter`.

    It tells a map of such keys, with and without dots and underscores, and versions differ in whether a value names its source
    behind it: `otlp[FileSource]` (Milvus' pkg/config/manager.go, `formatKey`, `GetConfigs` and `GetConfigsView`).
    """
    if not isinstance(value, dict):
        text = str(value).lower() if isinstance(value, bool) else str(value)
        return {path: _SOURCE.sub("", text)} if path else {}
    found: dict[str, str] = {}
    for key, below in value.items():
        found |= _flat(below, path + _NO_LETTERS.sub("", str(key)).lower())
    return found


def jaeger(place: Place, exported: int | None = None) -> Iterator[Finding]:
    """Ask Jaeger which services it has traces of; so many spans were exported by the processor, if that is known."""
    url = place.address.rstrip("/")
    try:
        answer = ask(f"{url}/api/services")
    except (NoAnswerError, NotHttpError) as error:
        yield _missing("Jaeger", url, error, place, "--jaeger")
        return
    found = answer.json()
    services = found.get("data") if isinstance(found, dict) else None
    if answer.status != _ROOMY or not isinstance(services, list | None):
        yield Finding(
            "bad", f"What answers at {url} is no Jaeger ({answer.status}).", _ELSEWHERE.format(option="--jaeger")
        )
    elif not services and exported:
        yield Finding(
            "warn",
            f"Jaeger has no traces at all, and the processor has exported {exported:,} spans.",
            "Is exporters.otlp.endpoint this Jaeger, and has it lost its storage since?",
        )
    elif not services:
        yield Finding("unknown", "Jaeger has no traces yet.", "It gets the first once one is kept.")
    else:
        yield Finding("good", f"Jaeger has traces of {', '.join(sorted(map(str, services))[:10])}.")


def jaeger_has(url: str, trace_id: str) -> bool:
    """Tell whether Jaeger has a trace. Raises NoAnswerError or NotHttpError."""
    found = ask(f"{url.rstrip('/')}/api/traces/{trace_id}").json()
    return isinstance(found, dict) and bool(found.get("data"))


def _missing(part: str, address: str, error: Exception, place: Place, option: str) -> Finding:
    state = "bad" if place.is_given else "unknown"
    advice = "Is it up, and is this its address?" if place.is_given else _ELSEWHERE.format(option=option)
    return Finding(state, f"No {part} answers at {address}: {error}.", advice)  # type: ignore[arg-type] # one of the states


def as_json(findings: list[Finding]) -> str:
    """Return them as a JSON document."""
    return printable.as_json({"findings": [one.as_dict() for one in findings]})
