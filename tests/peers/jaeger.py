"""Jaeger v2: built from its module, run with its storage in memory or on disk, asked over its query API."""

import json
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from http import HTTPStatus
from pathlib import Path
from typing import Any

from tests.peers.cache import built, fingerprint
from tests.peers.gobuild import build_module, require_go
from tests.peers.process import Part, free_port, running

MODULE = "github.com/jaegertracing/jaeger"
VERSION = "v1.76.0"

CONFIGURATION = """
service:
  extensions: [jaeger_storage, jaeger_query, healthcheckv2]
  pipelines:
    traces: {{receivers: [otlp], exporters: [jaeger_storage_exporter]}}
  telemetry:
    metrics: {{level: none}}
extensions:
  healthcheckv2: {{use_v2: true, http: {{endpoint: "127.0.0.1:{health}"}}}}
  jaeger_query:
    storage: {{traces: store}}
    http: {{endpoint: "127.0.0.1:{query}"}}
    grpc: {{endpoint: "127.0.0.1:{query_grpc}"}}
  jaeger_storage:
    backends:
      store: {{memory: {{max_traces: 100000}}}}
receivers:
  otlp: {{protocols: {{grpc: {{endpoint: "127.0.0.1:{otlp}"}}}}}}
exporters:
  jaeger_storage_exporter: {{trace_storage: store}}
"""


@cache
def jaeger_binary() -> Path:
    """A static Jaeger v2, built on first use."""
    require_go()
    duration = "3 minutes on 2 cores without Go's build cache"

    def build(folder: Path) -> None:
        build_module(MODULE, VERSION, "./cmd/jaeger", folder / "jaeger")

    return built("jaeger", fingerprint(MODULE, VERSION), duration, build) / "jaeger"


@dataclass(frozen=True)
class JaegerQuery:
    """Jaeger's HTTP query API at `url`, such as http://127.0.0.1:16686."""

    url: str

    def services(self) -> list[str]:
        """The names of all services with spans in storage."""
        services: list[str] = self._get("/api/v3/services").get("services", [])
        return services

    def trace(self, trace_id: str) -> list[dict[str, Any]]:
        """The spans of one trace, as OTLP's JSON; empty if Jaeger has none."""
        return _spans(self._get(f"/api/v3/traces/{trace_id}"))

    def traces(
        self,
        service: str,
        *,
        operation: str = "",
        attributes: dict[str, Any] | None = None,
        last: timedelta = timedelta(hours=1),
        limit: int = 1500,
    ) -> dict[str, list[dict[str, Any]]]:
        """The spans of the traces that have a span of `service` which matches, by trace id.

        Jaeger's HTTP API knows nothing of attributes: of the `limit` traces that it finds, those without are left out here.
        """
        now = datetime.now(UTC)
        query = {
            "query.service_name": service,
            "query.operation_name": operation,
            "query.start_time_min": (now - last).isoformat().replace("+00:00", "Z"),
            "query.start_time_max": (now + timedelta(minutes=1)).isoformat().replace("+00:00", "Z"),
            "query.num_traces": str(limit),
        }
        found: dict[str, list[dict[str, Any]]] = {}
        for span in _spans(self._get("/api/v3/traces?" + urllib.parse.urlencode(query))):
            found.setdefault(span["traceId"], []).append(span)
        wanted = (attributes or {}).items()
        return {
            trace_id: spans
            for trace_id, spans in found.items()
            if any(span["service"] == service and wanted <= attributes_of(span).items() for span in spans)
        }

    def _get(self, path: str) -> dict[str, Any]:
        try:
            with urllib.request.urlopen(self.url + path, timeout=30) as response:
                answer: dict[str, Any] = json.load(response)
        except urllib.error.HTTPError as error:
            if error.code == HTTPStatus.NOT_FOUND:  # its answer where nothing matches
                error.close()
                return {}
            raise
        return answer


def _spans(answer: dict[str, Any]) -> list[dict[str, Any]]:
    """The spans of an answer, each with its service's name under `service` beside OTLP's own fields."""
    spans = []
    for resource_spans in answer.get("result", {}).get("resourceSpans", []):
        resource = attributes_of(resource_spans.get("resource", {}))
        for scope_spans in resource_spans.get("scopeSpans", []):
            spans += [{**span, "service": resource.get("service.name")} for span in scope_spans["spans"]]
    return spans


def attributes_of(span_or_resource: dict[str, Any]) -> dict[str, Any]:
    """The attributes of an OTLP JSON span or resource as a plain dictionary; integers are integers again."""
    return {item["key"]: _value(item["value"]) for item in span_or_resource.get("attributes", [])}


def _value(value: dict[str, Any]) -> Any:
    if "intValue" in value:
        return int(value["intValue"])
    if "arrayValue" in value:
        return [_value(item) for item in value["arrayValue"].get("values", [])]
    return next(iter(value.values()), None)


@dataclass(frozen=True)
class Jaeger:
    """A running Jaeger: where it takes OTLP/gRPC, and its query API."""

    endpoint: str
    query: JaegerQuery
    part: Part


@contextmanager
def jaeger(folder: Path, configuration: str = CONFIGURATION) -> Iterator[Jaeger]:
    """Run Jaeger with `configuration`, whose `{otlp}`, `{query}`, `{query_grpc}`, `{health}` become free ports.

    Its traces of itself are off: they would go to localhost:4317, whoever listens there.
    """
    ports = {name: free_port() for name in ("otlp", "query", "query_grpc", "health")}
    path = folder / f"jaeger-{ports['query']}.yaml"
    path.write_text(configuration.format(**ports), encoding="utf-8")
    command = [str(jaeger_binary()), "--config", str(path)]
    health = f"http://127.0.0.1:{ports['health']}/status"
    with running(command, path.with_suffix(".log"), health, {"OTEL_TRACES_SAMPLER": "always_off"}) as part:
        yield Jaeger(f"127.0.0.1:{ports['otlp']}", JaegerQuery(f"http://127.0.0.1:{ports['query']}"), part)
