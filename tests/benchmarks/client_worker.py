"""Runs in an environment of one instrumentation; takes commands on stdin, a JSON line each, and answers on stdout.

`python client_worker.py NAME`, where NAME is a key of `INSTRUMENTATIONS`. Needs pymilvus, opentelemetry-sdk and that
instrumentation, and nothing of this project otherwise: `client_peers.py` starts it.
"""

from __future__ import annotations

import json
import logging
import statistics
import sys
import time
from typing import TYPE_CHECKING, Any

import client_scenarios  # type: ignore[import-not-found] # beside this file
import client_stub  # type: ignore[import-not-found]
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter, SpanExportResult

if TYPE_CHECKING:
    from collections.abc import Callable


class NoOpExporter(SpanExporter):
    def export(self, *_: Any) -> SpanExportResult:
        return SpanExportResult.SUCCESS

    def shutdown(self) -> None: ...


def _ours(*, rpc_spans: bool) -> None:
    from milvus_otel_client import MilvusInstrumentor

    MilvusInstrumentor().instrument(rpc_spans=rpc_spans)


def _traceloop() -> None:
    from opentelemetry.instrumentation.milvus import MilvusInstrumentor  # type: ignore[import-not-found]

    MilvusInstrumentor().instrument()


def _openlit() -> None:
    from openlit._config import OpenlitConfig  # type: ignore[import-not-found]
    from openlit.instrumentation.milvus import MilvusInstrumentor  # type: ignore[import-not-found]

    # what openlit.init() does for Milvus, its defaults included, without asking the network for prices
    OpenlitConfig()
    MilvusInstrumentor().instrument(capture_message_content=True, disable_metrics=True)


def _grpc() -> None:
    from opentelemetry.instrumentation.grpc import GrpcAioInstrumentorClient, GrpcInstrumentorClient

    GrpcInstrumentorClient().instrument()  # type: ignore[no-untyped-call]
    GrpcAioInstrumentorClient().instrument()  # type: ignore[no-untyped-call]


_NAMES = (
    "db.system.name",
    "db.operation.name",
    "db.collection.name",
    "db.namespace",
    "server.address",
    "db.query.text",
)
_ATTRIBUTES = dict.fromkeys(_NAMES, "text") | {"server.port": 1, "milvus.nq": 1, "milvus.limit": 1}


def _bare_span() -> None:
    """One span with as many attributes that nobody reads anything for, and that never becomes the current one."""
    from pymilvus.client.grpc_handler import GrpcHandler

    tracer, search = trace.get_tracer("bare span"), GrpcHandler.search

    def traced(handler: Any, *args: Any, **kwargs: Any) -> Any:
        span = tracer.start_span("search small", kind=trace.SpanKind.CLIENT, attributes=_ATTRIBUTES)
        result = search(handler, *args, **kwargs)
        span.set_attribute("db.response.returned_rows", 10)
        span.end()
        return result

    GrpcHandler.search = traced


def _by_hand() -> None:
    """The same as an application would write it."""
    from pymilvus.client.grpc_handler import GrpcHandler

    tracer, search = trace.get_tracer("by hand"), GrpcHandler.search

    def traced(handler: Any, *args: Any, **kwargs: Any) -> Any:
        with tracer.start_as_current_span("search small", attributes=_ATTRIBUTES) as span:
            result = search(handler, *args, **kwargs)
            span.set_attribute("db.response.returned_rows", 10)
        return result

    GrpcHandler.search = traced


INSTRUMENTATIONS: dict[str, Callable[[], None]] = {
    "plain": lambda: None,
    "bare span": _bare_span,
    "by hand": _by_hand,
    "ours": lambda: _ours(rpc_spans=False),
    "ours, rpc spans": lambda: _ours(rpc_spans=True),
    "traceloop": _traceloop,
    "openlit": _openlit,
    "grpc": _grpc,
}


class Worker:
    """Holds the instrumented client and answers commands."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._provider = TracerProvider()
        trace.set_tracer_provider(self._provider)
        self._calls: dict[str, Callable[[], Any]] = {}

    def stub(self, _: dict[str, Any]) -> Any:
        """Put the stubbed transport in place, then instrument."""
        self._provider.add_span_processor(SimpleSpanProcessor(NoOpExporter()))
        client_stub.install()
        INSTRUMENTATIONS[self._name]()
        self._calls = client_stub.calls()
        return sorted(self._calls)

    def connect(self, command: dict[str, Any]) -> Any:
        """Search a real Milvus instead."""
        self._provider.add_span_processor(SimpleSpanProcessor(NoOpExporter()))
        INSTRUMENTATIONS[self._name]()
        self._calls = {"search": client_scenarios.real_search(command["uri"])}
        return []

    def measure(self, command: dict[str, Any]) -> Any:
        """Microseconds of one call, of the CPU or of the wall: a tenth of the calls is faster."""
        call, clock = self._calls[command["call"]], getattr(time, command["clock"])
        taken = []
        for _ in range(command["count"]):
            started = clock()
            call()
            taken.append(clock() - started)
        return statistics.quantiles(taken, n=10)[0] / 1000

    def observe(self, command: dict[str, Any]) -> Any:
        """Run the scenarios against a real Milvus, and tell what became of them."""
        return client_scenarios.observe(self._provider, INSTRUMENTATIONS[self._name], command["uri"])


def main() -> None:
    logging.disable(logging.CRITICAL)
    worker = Worker(sys.argv[1])
    answers = sys.stdout
    sys.stdout = sys.stderr
    for line in sys.stdin:
        command = json.loads(line)
        answers.write(json.dumps(getattr(worker, command["do"])(command)) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
