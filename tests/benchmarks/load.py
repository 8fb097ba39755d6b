"""The load of the benchmarks: the recorded traffic, again and again, with fresh trace ids each time."""

import os
import re
import struct
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

from milvus_otel_processor.spans.groups import Group, GroupRegistry, join

RECORDING = Path(__file__).parent.parent / "data" / "milvus-2.3.5" / "traces.binpb"
_SIZE = struct.Struct(">I")
_TRACE_ID = re.compile(rb"\n\x10(?=.{16}\x12\x08)", re.DOTALL)
_A_REQUEST = b"milvus.proto.milvus.MilvusService/"


def recorded() -> list[bytes]:
    """The requests of the recording: heartbeats and requests as they came."""
    data = RECORDING.read_bytes()
    requests, at = [], 0
    while at < len(data):
        (size,) = _SIZE.unpack_from(data, at)
        requests.append(data[at + _SIZE.size : at + _SIZE.size + size])
        at += _SIZE.size + size
    return requests


def busy() -> list[bytes]:
    """The requests of the recording less every trace in which no Milvus request is."""
    parts = [GroupRegistry().split(request) for request in recorded()]
    wanted = {span[2:18] for part in parts for _, spans in part for span in spans if _A_REQUEST in span}

    def keep(part: list[tuple[Group, list[bytes]]]) -> bytes:
        return join((group, span) for group, spans in part for span in spans if span[2:18] in wanted)

    return [keep(part) for part in parts]


MIXES = {"recorded": recorded, "busy": busy}


def spans_in(requests: list[bytes]) -> int:
    """Count the spans of some requests."""
    return sum(len(spans) for request in requests for _, spans in GroupRegistry().split(request))


def batched(requests: Iterator[bytes], count: int) -> Iterator[bytes]:
    """Join each `count` requests to one: protobuf messages concatenate, as the Collector's batch processor does with them."""
    while batch := list(islice(requests, count)):
        yield b"".join(batch)


def repeated(requests: list[bytes], rounds: int, randbytes: Callable[[int], bytes] = os.urandom) -> Iterator[bytes]:
    """Yield the requests `rounds` times, each time with other trace ids."""
    places = [[match.end() for match in _TRACE_ID.finditer(request)] for request in requests]
    for _ in range(rounds):
        mask = int.from_bytes(randbytes(8))
        for request, offsets in zip(requests, places, strict=True):
            fresh = bytearray(request)
            for offset in offsets:
                half = int.from_bytes(request[offset : offset + 8]) ^ mask
                fresh[offset : offset + 8] = half.to_bytes(8)
            yield bytes(fresh)
