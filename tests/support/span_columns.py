"""Writes the table of versions in `docs/milvus-spans.md` from the recordings, so that it cannot be wrong.

uv run python -m tests.support.span_columns docs/milvus-spans.md
"""

from __future__ import annotations

import re
import sys
from collections import Counter, defaultdict
from pathlib import Path
from typing import NamedTuple

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tests.support import recorded
from tests.support.recordings import VERSIONS, recordings

BEGIN, END = "<!-- versions -->", "<!-- /versions -->"
_SERVICE = "milvus.proto.milvus.MilvusService/"
_INNER = re.compile(r"milvus\.proto\.(rootcoord|data|query|index|proxy|streaming)\.\w+")
_NUMBER = re.compile(r"\d{3,}|(?<=_)\d+")
_METHODS = (
    "Search",
    "HybridSearch",
    "Query",
    "Insert",
    "Upsert",
    "Delete",
    "Flush",
    "DescribeCollection",
    "LoadCollection",
)
_MOST_ROOTS = 12


class Seen(NamedTuple):
    """One span with where it came from."""

    span: Span
    service: str
    scope: str


def seen(version: str) -> dict[bytes, list[Seen]]:
    """All spans that were recorded of a version, by trace."""
    requests = (
        recorded.requests()
        if version == "2.3.5"
        else (request for recording in recordings(version) for request in recording.requests)
    )
    traces: dict[bytes, list[Seen]] = defaultdict(list)
    for request in requests:
        for resource in ExportTraceServiceRequest.FromString(request).resource_spans:
            names = {pair.key: pair.value for pair in resource.resource.attributes}
            if "NodeID" not in names and names["service.name"].string_value != "segcore":
                continue
            service = names["service.name"].string_value
            for scope in resource.scope_spans:
                name = scope.scope.name.rpartition("/")[2]
                for span in scope.spans:
                    traces[span.trace_id].append(Seen(span, service, name))
    return traces


def column(version: str) -> dict[str, str]:
    """What is in the recordings of a version, by row."""
    traces = seen(version)
    everything = [one for trace in traces.values() for one in trace]
    cells = {
        "spans recorded": f"{len(everything):,}",
        "`service.name`": _listed({one.service for one in everything}),
        "scopes": _listed({one.scope for one in everything}),
        "address of the caller on a call's span": _listed(
            {
                pair.key
                for one in everything
                if one.span.kind == Span.SPAN_KIND_SERVER and one.span.name.startswith(_SERVICE)
                for pair in one.span.attributes
                if "peer" in pair.key
            }
        ),
        "gRPC statuses other than 0 on a call's span": _listed(
            {
                str(pair.value.int_value)
                for one in everything
                if one.span.kind == Span.SPAN_KIND_SERVER and one.span.name.startswith(_SERVICE)
                for pair in one.span.attributes
                if pair.key == "rpc.grpc.status_code" and pair.value.int_value
            }
        ),
        "roots that are calls between Milvus' parts, by service": _listed(
            {match[0] for one in everything if not one.span.parent_span_id and (match := _INNER.match(one.span.name))}
        ),
        "other roots without a request": _roots(everything),
        "spans of requests over HTTP": _listed(
            {one.span.name.split("/")[1] + "/…" for one in everything if one.span.name.startswith(("/v1/", "/v2/"))}
        ),
    }
    return cells | {f"below `{method}`": _below(traces, method) for method in _METHODS}


def _roots(everything: list[Seen]) -> str:
    names = Counter(
        _NUMBER.sub("…", one.span.name)
        for one in everything
        if not one.span.parent_span_id and not one.span.name.startswith(("milvus.proto.", "/"))
    )
    shown = sorted(name for name, _ in names.most_common(_MOST_ROOTS))
    return ", ".join(f"`{name}`" for name in shown) + (
        f" and {len(names) - len(shown)} more" if len(names) > len(shown) else ""
    )


def _below(traces: dict[bytes, list[Seen]], method: str) -> str:
    """The names of the spans of the server's work of a request, in at least half of its traces, rpcs left out."""
    counted: Counter[str] = Counter()
    total = 0
    for trace in traces.values():
        calls = [one for one in trace if one.span.kind == Span.SPAN_KIND_SERVER and one.span.name.startswith(_SERVICE)]
        if len(calls) == 1 and calls[0].span.name == _SERVICE + method:
            total += 1
            counted.update({one.span.name for one in trace if not one.span.name.startswith(("milvus.proto.", "/"))})
    names = sorted(name for name, count in counted.items() if count * 2 >= total)
    return (", ".join(f"`{name}`" for name in names) or "none") if total else "not recorded"


def _listed(values: set[str]) -> str:
    return ", ".join(f"`{value}`" for value in sorted(values)) or "none"


def table() -> str:
    """The table in Markdown."""
    versions = (*VERSIONS, "2.3.5")
    columns = [column(version) for version in versions]
    lines = [f"| | {' | '.join(versions)} |", "| --- " * (len(versions) + 1) + "|"]
    lines += [f"| {row} | {' | '.join(cells[row] for cells in columns)} |" for row in columns[0]]
    return "\n".join(lines)


def with_table(page: str) -> str:
    """Return the page with the table between its marks."""
    before, _, rest = page.partition(BEGIN)
    return f"{before}{BEGIN}\n{table()}\n{END}{rest.partition(END)[2]}"


if __name__ == "__main__":
    path = Path(sys.argv[1])
    path.write_text(with_table(path.read_text(encoding="utf-8")), encoding="utf-8")
