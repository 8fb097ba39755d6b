"""The same requests to a real Collector and to our pipeline, and which traces each of them kept."""

import json
import struct
import time
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from tempfile import TemporaryDirectory

import grpc
from milvus_otel_processor.spans.groups import GroupRegistry
from milvus_otel_processor.spans.schema import HeadView

from tests.differential.blocks import Block
from tests.peers.collector import collector
from tests.peers.otlp_sink import METHOD
from tests.peers.process import Part
from tests.support.harness import Harness, sampling

_SIZE = struct.Struct(">I")
_AT_ONCE = 20
"""How many configurations one Collector runs; each has all spans in memory."""
_LONGER_THAN_THE_TEST = "600s"

Kept = dict[str, int]
"""The ids of the traces that were kept, in hex, and how many spans of each."""


def kept_by_collector(blocks: Sequence[Block], requests: Sequence[bytes], folder: Path) -> list[Kept]:
    """What `tail_sampling` of a real Collector keeps with each of these policies.

    Each block is a pipeline of its own behind one receiver. Nothing is decided before the Collector stops, and then everything
    is: so each decision is over the whole trace, and the test does not wait.
    """
    found: list[Kept] = []
    for first in range(0, len(blocks), _AT_ONCE):
        found += _one_collector(blocks[first : first + _AT_ONCE], requests, folder / f"{first}")
    return found


def _one_collector(blocks: Sequence[Block], requests: Sequence[bytes], folder: Path) -> list[Kept]:
    folder.mkdir()
    files = [folder / f"kept-{place}" for place in range(len(blocks))]
    with TemporaryDirectory() as short:  # pytest's own folders have longer names than a socket may have
        endpoint = f"{short}/otlp.sock"
        send(requests, endpoint, collector(_configuration(blocks, files, endpoint), folder))
    return [kept_in(file) for file in files]


def send(requests: Sequence[bytes], endpoint: str, running: AbstractContextManager[Part]) -> None:
    with running, grpc.insecure_channel(f"unix:{endpoint}") as channel:
        export = channel.unary_unary(METHOD)
        for request in requests:
            export(request, timeout=60, wait_for_ready=True)


def _configuration(blocks: Sequence[Block], files: Sequence[Path], endpoint: str) -> str:
    places = range(len(blocks))
    return json.dumps(
        {
            "receivers": {"otlp": {"protocols": {"grpc": {"endpoint": endpoint, "transport": "unix"}}}},
            "processors": {
                f"tail_sampling/{place}": {"decision_wait": _LONGER_THAN_THE_TEST, "policies": blocks[place]}
                for place in places
            },
            "exporters": {f"file/{place}": {"path": str(files[place]), "format": "proto"} for place in places},
            "service": {
                # It warns of each condition that has no answer for a span.
                "telemetry": {"metrics": {"level": "none"}, "logs": {"level": "error"}},
                "pipelines": {
                    f"traces/{place}": {
                        "receivers": ["otlp"],
                        "processors": [f"tail_sampling/{place}"],
                        "exporters": [f"file/{place}"],
                    }
                    for place in places
                },
            },
        }
    )


def kept_in(file: Path) -> Kept:
    data, at = file.read_bytes(), 0
    kept: Kept = {}
    while at < len(data):
        (size,) = _SIZE.unpack_from(data, at)
        at += _SIZE.size
        for _, spans in GroupRegistry().split(data[at : at + size]):
            _count(kept, spans)
        at += size
    return kept


def _count(kept: Kept, spans: Iterable[bytes]) -> None:
    # Not with OpenTelemetry's classes: they refuse text that is not UTF-8.
    for span in spans:
        trace = HeadView.FromString(span).trace_id.hex()
        kept[trace] = kept.get(trace, 0) + 1


def kept_by_us(block: Block, requests: Sequence[bytes]) -> Kept:
    """What our pipeline keeps with these policies, decided when all spans are there."""
    harness = Harness(sampling(*block, decision_wait=_LONGER_THAN_THE_TEST))
    harness.clock.now = time.time()  # the clock that the Collector sees, at one moment
    for request in requests:
        harness.pipeline.ingest(request)
    harness.pipeline.drain()
    kept: Kept = {}
    _count(kept, harness.exporter.spans)
    return kept
