"""A real Milvus, a real Collector that tails its access log, and the processor: as in the stack, on free ports."""

from __future__ import annotations

from collections import defaultdict
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from milvus_otel_processor.config import load_config
from milvus_otel_processor.demo.milvus import EmbeddedMilvus, MilvusSettings
from milvus_otel_processor.service.service import Service
from ruamel.yaml import YAML

from tests.peers.collector import collector
from tests.peers.otlp_sink import otlp_sink
from tests.peers.process import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from opentelemetry.proto.trace.v1.trace_pb2 import Span

    from tests.peers.otlp_sink import OtlpSink

FAST_EXPORT = {"OTEL_BSP_SCHEDULE_DELAY": "500"}
WAIT_SECONDS = 7.0
"""How long traces are gathered: Milvus' C++ core sends its spans after 5 s."""
REQUEST = "milvus.proto.milvus.MilvusService/"

_COLLECTOR = """
receivers:
  otlp:
    protocols:
      grpc:
        endpoint: 127.0.0.1:{port}
  filelog:
    include: [{access_log}/access*.log]
    start_at: beginning
    poll_interval: 100ms
    multiline:
      line_start_pattern: '^\\d{{4}}/\\d{{2}}/\\d{{2}} \\d{{2}}:\\d{{2}}:\\d{{2}}\\.\\d{{3}} '
processors:
  batch:
    timeout: 100ms
exporters:
  otlp:
    endpoint: {processor}
    tls:
      insecure: true
service:
  pipelines:
    traces:
      receivers: [otlp]
      processors: [batch]
      exporters: [otlp]
    logs:
      receivers: [filelog]
      processors: [batch]
      exporters: [otlp]
"""


@dataclass
class Stack:
    """What runs; spans that came out are in `sink`."""

    milvus: EmbeddedMilvus
    service: Service
    sink: OtlpSink
    collector: str
    """Where applications send traces, `host:port`."""

    def traces(self) -> dict[bytes, list[Span]]:
        """What came out, by trace."""
        found = defaultdict(list)
        for span in self.sink.spans():
            found[span.trace_id].append(span)
        return found

    def served(self, method: str = "") -> list[Span]:
        """Milvus' own spans of requests with this method, or of all requests."""
        return [
            span
            for span in self.sink.spans()
            if span.name.startswith(REQUEST) and span.name.endswith(method) and span.kind == span.SPAN_KIND_SERVER
        ]


def service(folder: Path, sink: OtlpSink, **milvus: Any) -> Service:
    """A processor that passes all on; `milvus` are its settings for enrichment."""
    config = {
        "receivers": {"otlp": {"protocols": {"grpc": {"endpoint": f"127.0.0.1:{free_port()}"}}}},
        "processors": {"milvus": {"wait_duration": f"{WAIT_SECONDS}s", **milvus}},
        "exporters": {"otlp": {"endpoint": sink.endpoint, "tls": {"insecure": True}}},
        "service": {"pipelines": {"traces": {"receivers": ["otlp"], "processors": ["milvus"], "exporters": ["otlp"]}}},
    }
    path = folder / "processor.yaml"
    YAML(typ="safe").dump(config, path)
    return Service(load_config(path, environ={}).config)


@contextmanager
def stack(folder: Path, overrides: dict[str, Any] | None = None, **milvus: Any) -> Iterator[Stack]:
    """Start everything in `folder`, and stop it at the end."""
    proxy_port, access_log = free_port(), folder / "milvus" / "access"
    access_log.mkdir(parents=True)
    with ExitStack() as parts:
        sink = parts.enter_context(otlp_sink())
        processor = service(folder, sink, uri=f"http://127.0.0.1:{proxy_port}", **milvus)
        processor.start()
        parts.callback(processor.stop, 5)
        port = free_port()
        text = _COLLECTOR.format(port=port, access_log=access_log, processor=processor.endpoint)
        parts.enter_context(collector(text, folder))
        settings = MilvusSettings(
            otlp_endpoint=f"127.0.0.1:{port}", proxy_port=proxy_port, environ=FAST_EXPORT, overrides=overrides or {}
        )
        server = parts.enter_context(EmbeddedMilvus(settings, folder / "milvus"))
        yield Stack(server, processor, sink, f"127.0.0.1:{port}")
