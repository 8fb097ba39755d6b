"""Which exporters the standard variables and the arguments of ``setup`` ask for."""

from __future__ import annotations

import functools
import importlib
import logging
from dataclasses import dataclass
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any, NamedTuple

from opentelemetry.environment_variables import OTEL_METRICS_EXPORTER, OTEL_TRACES_EXPORTER
from opentelemetry.sdk.environment_variables import (
    OTEL_EXPORTER_OTLP_COMPRESSION,
    OTEL_EXPORTER_OTLP_ENDPOINT,
    OTEL_EXPORTER_OTLP_INSECURE,
    OTEL_EXPORTER_OTLP_PROTOCOL,
    OTEL_EXPORTER_OTLP_TIMEOUT,
)
from opentelemetry.sdk.metrics.export import ConsoleMetricExporter
from opentelemetry.sdk.trace.export import ConsoleSpanExporter

from milvus_otel_client import environment
from milvus_otel_client.endpoints import advise_where_tls_fails, fault_of, without_credentials

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from importlib.metadata import EntryPoint

_logger = logging.getLogger(__name__)


class Protocol(NamedTuple):
    """A protocol of OTLP, as ``OTEL_EXPORTER_OTLP_PROTOCOL`` calls it, and the exporter that speaks it."""

    name: str
    package: str
    distribution: str
    default_endpoint: str
    compressions: tuple[str, ...]


GRPC = Protocol(
    "grpc",
    "opentelemetry.exporter.otlp.proto.grpc",
    "opentelemetry-exporter-otlp-proto-grpc",
    "http://localhost:4317",
    ("gzip",),
)
HTTP = Protocol(
    "http/protobuf",
    "opentelemetry.exporter.otlp.proto.http",
    "opentelemetry-exporter-otlp-proto-http",
    "http://localhost:4318",
    ("gzip", "deflate"),
)
_OTLP_NAMES = {"otlp": None, "otlp_proto_grpc": GRPC, "otlp_proto_http": HTTP}
"""What OTLP is called in ``OTEL_TRACES_EXPORTER``; two of the names ask for a protocol."""


class Signal(NamedTuple):
    """Traces or metrics, and how their exporters are found."""

    name: str
    variable: str
    module: str
    class_name: str
    console: type

    def variables(self, general: str) -> tuple[str, str]:
        """Return the signal's own variable and the one for all signals: the first that has a value counts."""
        return general.replace("OTLP_", f"OTLP_{self.name.upper()}_"), general


TRACES = Signal("traces", OTEL_TRACES_EXPORTER, "trace_exporter", "OTLPSpanExporter", ConsoleSpanExporter)
METRICS = Signal("metrics", OTEL_METRICS_EXPORTER, "metric_exporter", "OTLPMetricExporter", ConsoleMetricExporter)


class Target(NamedTuple):
    """Where ``setup`` was told to send to; what is None comes from the variables."""

    endpoint: str | None = None
    insecure: bool | None = None
    headers: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Chosen:
    """An exporter to be: how it is made, which arguments of ``setup`` it takes, and where it sends to."""

    make: Callable[[], Any]
    takes: frozenset[str] = frozenset()
    receiver: str = ""
    is_console: bool = False


def names(signal: Signal) -> list[str]:
    """Return what ``OTEL_TRACES_EXPORTER`` (or ``OTEL_METRICS_EXPORTER``) names; nothing where it is not set."""
    found = environment.names(signal.variable)
    if "none" in found and len(found) > 1:
        _logger.warning("%s=%s: none stands alone; no %s are exported", signal.variable, ",".join(found), signal.name)
        return ["none"]
    return found


def chosen(signal: Signal, wanted: list[str], target: Target) -> list[Chosen]:
    """Return the exporters that these names stand for; none for `none`.

    A name that nothing stands for is told of in a warning; where no other is left, OTLP is taken.
    """
    if wanted == ["none"]:
        return []
    found: list[Chosen] = []
    is_any_known = False
    for name in wanted:
        if name in _OTLP_NAMES:
            is_any_known = True
            found += _otlp(signal, _OTLP_NAMES[name], target)
        elif name == "console":
            is_any_known = True
            found.append(Chosen(signal.console, is_console=True))
        elif registered := list(entry_points(group=f"opentelemetry_{signal.name}_exporter", name=name)):
            is_any_known = True
            found.append(Chosen(functools.partial(_load, registered[0]), receiver=name))
        else:
            _logger.warning("%s: %r is no exporter; expected otlp, console or none", signal.variable, name)
    return found if is_any_known else _otlp(signal, None, target)


def _load(entry_point: EntryPoint) -> Any:
    return entry_point.load()()


def _otlp(signal: Signal, protocol: Protocol | None, target: Target) -> list[Chosen]:
    protocol = protocol or _protocol(signal)
    try:
        module = importlib.import_module(f"{protocol.package}.{signal.module}")
    except ModuleNotFoundError:
        _logger.warning(
            "milvus_otel_client: no %s are exported: %s=%s needs a package that is not installed: pip install %s, "
            "or set the variable to %s",
            signal.name,
            OTEL_EXPORTER_OTLP_PROTOCOL,
            protocol.name,
            protocol.distribution,
            GRPC.name,
        )
        return []
    if not _is_endpoint(signal, protocol, target):
        return []
    arguments = _arguments(signal, protocol, target)
    return [
        Chosen(
            lambda: _make(signal, protocol, getattr(module, signal.class_name), arguments),
            frozenset({"endpoint", "headers", "insecure"} if protocol is GRPC else {"endpoint", "headers"}),
            _receiver(signal, protocol, target),
        )
    ]


def _protocol(signal: Signal) -> Protocol:
    variables = signal.variables(OTEL_EXPORTER_OTLP_PROTOCOL)
    value = environment.text(*variables).lower()
    if value in ("", GRPC.name):
        return GRPC
    found = HTTP if value.startswith("http") else GRPC
    if value != found.name:
        _logger.warning(
            "%s=%r: expected %s or %s; %s is taken",
            next(name for name in variables if environment.text(name)),
            value,
            GRPC.name,
            HTTP.name,
            found.name,
        )
    return found


def _arguments(signal: Signal, protocol: Protocol, target: Target) -> dict[str, Any]:
    headers = None if target.headers is None else dict(target.headers)
    if protocol is HTTP:
        return {"endpoint": _signal_url(target.endpoint, signal), "headers": headers}
    if headers is not None:
        headers = {name.lower(): value for name, value in headers.items()}  # gRPC refuses capitals
    return {"endpoint": target.endpoint, "insecure": target.insecure, "headers": headers}


def _signal_url(endpoint: str | None, signal: Signal) -> str | None:
    """Return the endpoint as OTLP/HTTP needs it: with the signal's path, which gRPC has no use for."""
    path = f"/v1/{signal.name}"
    return endpoint if endpoint is None or endpoint.endswith(path) else endpoint.rstrip("/") + path


def _receiver(signal: Signal, protocol: Protocol, target: Target) -> str:
    return without_credentials(_named_endpoint(signal, target)[1] or protocol.default_endpoint)


def _named_endpoint(signal: Signal, target: Target) -> tuple[str, str]:
    """Return the argument or variable that says where to send to, and what it says; an empty text where none does."""
    if target.endpoint:
        return "endpoint", target.endpoint
    for variable in signal.variables(OTEL_EXPORTER_OTLP_ENDPOINT):
        if endpoint := environment.text(variable):
            return variable, endpoint
    return "", ""


def _is_endpoint(signal: Signal, protocol: Protocol, target: Target) -> bool:
    """Return whether the endpoint can be one of this protocol; where it cannot, one line says so, and nothing is exported."""
    source, endpoint = _named_endpoint(signal, target)
    if not endpoint:
        return True
    fault = fault_of(endpoint, is_url=protocol is HTTP)
    if fault is not None:
        _logger.error(
            "milvus_otel_client: no %s are exported: %s=%r: %s; expected a URL such as %s",
            signal.name,
            source,
            without_credentials(endpoint),
            fault,
            protocol.default_endpoint,
        )
        return False
    insecure = target.insecure
    if insecure is None:
        insecure = environment.text(*signal.variables(OTEL_EXPORTER_OTLP_INSECURE)).lower() == "true"
    if protocol is GRPC and not insecure:
        advise_where_tls_fails(source, endpoint)
    return True


def _make(signal: Signal, protocol: Protocol, exporter: Callable[..., Any], arguments: Mapping[str, Any]) -> Any:
    """Make an exporter of OTLP; variables that it would fail on are told of, and left out."""
    compression = environment.text(*signal.variables(OTEL_EXPORTER_OTLP_COMPRESSION)).lower()
    without: dict[str, Any] = {}
    if compression and compression not in protocol.compressions:
        if compression != "none":
            _logger.warning("%s=%r: expected gzip or none; none is taken", OTEL_EXPORTER_OTLP_COMPRESSION, compression)
        without["compression"] = importlib.import_module(_COMPRESSION_MODULE[protocol]).Compression.NoCompression
    with environment.without_misspelt_numbers(signal.variables(OTEL_EXPORTER_OTLP_TIMEOUT)):
        return exporter(**arguments, **without)


_COMPRESSION_MODULE = {GRPC: "grpc", HTTP: HTTP.package}
