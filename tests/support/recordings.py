"""Traffic recorded from Milvus 2.3.5, 2.5.24, 2.6.16 and 3.0: see `tests/data/README.md`."""

from __future__ import annotations

import json
import lzma
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

if TYPE_CHECKING:
    from collections.abc import Iterator

DATA = Path(__file__).parents[1] / "data"
VERSIONS = ("2.6.16", "2.5.24", "3.0")

_SIZE_BYTES = 4


@dataclass(frozen=True)
class Recording:
    """One recording: what a Milvus of this version sent, and its access log from the same time."""

    version: str
    name: str

    @property
    def requests(self) -> tuple[bytes, ...]:
        """The serialized ExportTraceServiceRequests, in the order in which they came."""
        return _requests(self.path)

    @property
    def path(self) -> Path:
        """The file with the requests: only that of 2.3.5 is not compressed."""
        compressed = self._file("binpb")
        return compressed if compressed.exists() else compressed.with_suffix("")

    @property
    def spans(self) -> int:
        """How many spans are in the requests."""
        return len(_trace_ids(self.path))

    @property
    def traces(self) -> int:
        """How many traces they are of."""
        return len(set(_trace_ids(self.path)))

    @property
    def logs(self) -> dict[str, tuple[str, ...]]:
        """The lines of each access log, one of each proxy; the only one of a standalone server is called `""`."""
        found = {}
        for path in sorted(self._folder.glob(f"{self.name}.*access.log.xz")):
            proxy = path.name.removeprefix(f"{self.name}.").removesuffix("access.log.xz").rstrip(".")
            found[proxy] = _lines(path)
        return found

    @property
    def lines(self) -> tuple[str, ...]:
        """The lines of all access logs."""
        return tuple(line for lines in self.logs.values() for line in lines)

    @property
    def truth(self) -> tuple[dict[str, Any], ...]:
        """What each call of the client was, where that was recorded: one object for each, see `tests/data/README.md`."""
        path = self._file("truth.jsonl")
        return tuple(json.loads(line) for line in _lines(path)) if path.exists() else ()

    @property
    def _folder(self) -> Path:
        return DATA / f"milvus-{self.version}"

    def _file(self, suffix: str) -> Path:
        return self._folder / f"{self.name}.{suffix}.xz"

    def __str__(self) -> str:
        return f"{self.version} {self.name}"


MIXES = (
    Recording("2.6.16", "databases"),
    Recording("2.5.24", "databases"),
    Recording("3.0", "rest"),
    Recording("2.3.5", "traces"),
)
"""One recording of each version, with all that a Milvus sends: requests, failures, heartbeats and work of its own.

The access log of 2.3.5 has another format than the others: see `recorded_enrichment`."""


def of_all_versions() -> tuple[bytes, ...]:
    """The requests of all of them, one recording after the other."""
    return tuple(request for mix in MIXES for request in mix.requests)


def recordings(version: str) -> list[Recording]:
    """All recordings of a version."""
    folder = DATA / f"milvus-{version}"
    return [Recording(version, path.name.removesuffix(".binpb.xz")) for path in sorted(folder.glob("*.binpb.xz"))]


def messages(data: bytes) -> Iterator[bytes]:
    """Cut up what the Collector's file exporter writes with `format: proto`: each message behind its size."""
    at = 0
    while at < len(data):
        size = int.from_bytes(data[at : at + _SIZE_BYTES], "big")
        at += _SIZE_BYTES
        yield data[at : at + size]
        at += size


@cache
def _requests(path: Path) -> tuple[bytes, ...]:
    content = path.read_bytes()
    return tuple(messages(lzma.decompress(content) if path.suffix == ".xz" else content))


@cache
def _trace_ids(path: Path) -> tuple[bytes, ...]:
    """The trace id of each span, read by the OpenTelemetry project's own classes."""
    return tuple(
        span.trace_id
        for request in map(ExportTraceServiceRequest.FromString, _requests(path))
        for resource_spans in request.resource_spans
        for scope_spans in resource_spans.scope_spans
        for span in scope_spans.spans
    )


@cache
def _lines(path: Path) -> tuple[str, ...]:
    text = lzma.decompress(path.read_bytes()).decode("utf-8")
    return tuple(line for line in text.split("\n") if line)
