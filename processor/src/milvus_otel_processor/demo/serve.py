"""`milvus-otel demo --serve`: where to point an application, and a line for each trace that is kept of it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, NoReturn

from rich.markup import escape
from rich.text import Text

from milvus_otel_processor.demo.waterfall import summary

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rich.console import Console

    from milvus_otel_processor.demo.milvus import EmbeddedMilvus
    from milvus_otel_processor.demo.sink import Sink
    from milvus_otel_processor.replay.kept_span import KeptSpan

_POLL_SECONDS = 1.0


def serve_until_interrupted(console: Console, sink: Sink, milvus: EmbeddedMilvus, places: dict[str, str]) -> NoReturn:
    """Print where things are, then each trace that the processor keeps, until an exception of a signal ends it.

    `places` are addresses by what is there; `OTLP endpoint` is one. Raises MilvusStoppedError when Milvus ends before.
    """
    console.print("\nMilvus and the processor keep running, until Ctrl-C.", style="bold")
    for name, value in places.items():
        console.print(f"  {name:<20}{escape(value)}", highlight=False, soft_wrap=True)
    console.print("In an application:", style="bold")
    call = f'milvus_otel_client.setup("my-app", endpoint="{places["OTLP endpoint"]}")'
    console.print(f"  import milvus_otel_client\n  {call}", highlight=False, soft_wrap=True)
    console.print(
        "Or any other client of this Milvus, as it is: its requests are known by the access log.", soft_wrap=True
    )
    console.print("All requests, whatever is kept of them:", style="bold")
    console.print(f"  milvus-otel top --from {places['page']}", highlight=False, soft_wrap=True)
    console.print("What is kept of it:", style="bold")
    arrivals = Arrivals(sink.traces)
    while True:
        time.sleep(_POLL_SECONDS)
        milvus.check()
        for trace in arrivals.settled():
            console.print(Text("  ").append(summary(trace)), highlight=False, soft_wrap=True)


class Arrivals:
    """Tells each trace once, when no span has been added to it since the last look; not those that are there already.

    `traces` returns all traces there are, each with all of its spans.
    """

    def __init__(self, traces: Callable[[], list[list[KeptSpan]]]) -> None:
        self._traces = traces
        self._told = {trace[0].trace_id for trace in traces()}
        self._sizes: dict[str, int] = {}

    def settled(self) -> Iterator[list[KeptSpan]]:
        """Yield the traces that are new and complete, as far as can be known."""
        traces = {trace[0].trace_id: trace for trace in self._traces()}
        before = self._sizes
        self._sizes = {trace_id: len(trace) for trace_id, trace in traces.items()}
        self._told &= traces.keys()
        for trace_id, trace in traces.items():
            if trace_id not in self._told and before.get(trace_id) == len(trace):
                self._told.add(trace_id)
                yield trace
