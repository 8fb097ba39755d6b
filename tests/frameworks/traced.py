"""Runs an application of a framework, traced, in an environment that has no more than that: `traced.py APP FOLDER`.

Prints, as JSON, what the application found without and with the instrumentation, and the spans.
"""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from milvus_otel_client import MilvusInstrumentor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

if TYPE_CHECKING:
    from types import ModuleType

    from opentelemetry.sdk.trace import ReadableSpan


def application(path: Path) -> ModuleType:
    """Load the file by its path: it is called as the framework is."""
    spec = importlib.util.spec_from_file_location("application", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def described(span: ReadableSpan, outer: ReadableSpan) -> dict[str, Any]:
    assert span.context is not None
    assert outer.context is not None
    return {
        "name": span.name,
        "status": span.status.status_code.name,
        "parent": span.parent and span.parent.span_id,
        "id": span.context.span_id,
        "is_in_trace": span.context.trace_id == outer.context.trace_id,
        "is_operation": "db.system.name" in (span.attributes or {}),
    }


def main(path: str, folder: str) -> None:
    app = application(Path(path))
    plain = app.search(f"{folder}/plain.db")
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    MilvusInstrumentor().instrument(tracer_provider=provider)
    with provider.get_tracer("application").start_as_current_span("application") as outer:
        traced = app.search(f"{folder}/traced.db")
    spans = [described(span, outer) for span in exporter.get_finished_spans()]  # type: ignore[arg-type]
    sys.stdout.write("\n" + json.dumps({"plain": plain, "traced": traced, "spans": spans}))


if __name__ == "__main__":
    main(*sys.argv[1:])
