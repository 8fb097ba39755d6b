"""How many requests of the recordings get their collection, and how many failures are seen: the table in the README.

    uv run python -m tests.benchmarks.coverage [--only NAME] [--lost 0.05]

Each recording goes through the pipeline in the order of its own times, spans when they were sent and lines of the access log when
they were written, so what is decided is decided with what had come by then. Where the truth was recorded, every answer is
compared with it. `--lost` leaves out this share of spans and of lines.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING, Any

from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from tests.support.recordings import VERSIONS, Recording, recordings
from tests.support.replayed import Replayed, replay

if TYPE_CHECKING:
    from collections.abc import Iterator

_IDLE = ("startup", "idle-empty", "idle-loaded", "cluster-idle", "woodpecker-idle")


@dataclass
class Row:
    """What became of the requests of one recording; `wrong` is None where there is no truth to compare with."""

    recording: Recording
    requests: int = 0
    naming: int = 0
    named: int = 0
    wrong: int | None = 0
    ambiguous: int = 0
    failed: int = 0
    marked: int = 0
    marked_wrongly: int | None = 0


def measure(recording: Recording, *, lost: float = 0.0, ahead: float = 0.0) -> Row:
    """Replay one recording and compare what its requests were given with what they were.

    The processor's clock is `ahead` of Milvus' by so many seconds.
    """
    replayed = replay(recording, lost=lost, random=Random(1), ahead=ahead)
    row = Row(recording, ambiguous=replayed.telemetry.enriched_requests["ambiguous"])
    if recording.truth:
        _against_truth(row, replayed)
    else:
        _against_lines(row, replayed)
    return row


def _against_truth(row: Row, replayed: Replayed) -> None:
    assert row.wrong is not None
    assert row.marked_wrongly is not None
    lines = row.recording.logs
    for rpc in (rpc for call in row.recording.truth for rpc in call["rpcs"]):
        span = replayed.spans.get(bytes.fromhex(rpc.get("span_id") or ""))
        if span is None:
            continue
        row.requests += 1
        line = _line(lines, rpc)
        has = attributes(span)
        if rpc["collection"]:
            row.naming += 1
            row.named += "db.collection.name" in has
        wanted = (line[7], rpc["collection"])
        # What names no collection itself may be part of an operation that does.
        if rpc["collection"] and "db.collection.name" in has:
            row.wrong += (has.get("db.namespace", ""), has["db.collection.name"]) != wanted
        # A client that gave up by itself on a request that Milvus went on to answer well leaves nothing of that in Milvus.
        failed = rpc["code"] not in {0, None} or line[11] != "Successful" or has.get("rpc.grpc.status_code", 0) != 0
        row.failed += failed
        marked = span.status.code == Status.STATUS_CODE_ERROR
        row.marked += failed and marked
        row.marked_wrongly += marked and not failed


def _line(lines: dict[str, tuple[str, ...]], rpc: dict[str, Any]) -> list[str]:
    number = rpc.get("line")
    return lines[rpc.get("log", "")][number - 1].split("\t") if number else [""] * 11 + ["Successful"]


def _against_lines(row: Row, replayed: Replayed) -> None:
    """Without truth: how many lines name a collection, or a failure, and how many requests of the same method do.

    Lines of requests that left no span are left out.
    """
    row.wrong = row.marked_wrongly = None
    traces = {span.trace_id.hex() for span in replayed.spans.values()}
    naming: Counter[str] = Counter()
    named: Counter[str] = Counter()
    failed: Counter[str] = Counter()
    marked: Counter[str] = Counter()
    for line in row.recording.lines:
        fields = line.split("\t")
        if (
            len(fields) < 13
            or (len(fields[4]) == 32 and fields[4] not in traces)
            or fields[12] == fields[4] == "Unknown"
        ):
            continue
        row.requests += 1
        method = _last(fields[1].partition("?")[0])
        naming[method] += fields[9] not in {"", "Unknown", "[]"}
        failed[method] += fields[11] not in {"Successful", "Unknown"}
    for span in replayed.served:
        method = _last(span.name.replace("Proxy-S", "/s"))
        named[method] += "db.collection.name" in attributes(span)
        marked[method] += span.status.code == Status.STATUS_CODE_ERROR
    row.naming, row.failed = naming.total(), failed.total()
    row.named = sum(min(count, named[method]) for method, count in naming.items())
    row.marked = sum(min(count, marked[method]) for method, count in failed.items())


def _last(path: str) -> str:
    return path.rpartition("/")[2]


def attributes(span: Span) -> dict[str, Any]:
    """The span's attributes."""
    return {pair.key: getattr(pair.value, pair.value.WhichOneof("value") or "string_value") for pair in span.attributes}


def _rows(only: str | None, lost: float) -> Iterator[Row]:
    for version in VERSIONS:
        for recording in recordings(version):
            if recording.name not in _IDLE and only in {None, recording.name}:
                yield measure(recording, lost=lost)


def _percent(part: int | None, whole: int) -> str:
    if part is None:
        return "not known"
    return f"{100 * part / whole:.2f} %" if whole else "none"


def table(rows: Iterator[Row]) -> Iterator[str]:
    """The table in Markdown, line by line."""
    yield "| Milvus | recording | requests | that name a collection | named | wrong | ambiguous | failed | marked | wrongly |"
    yield "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |"
    for row in rows:
        cells = (
            row.recording.version,
            f"`{row.recording.name}`",
            row.requests,
            row.naming,
            _percent(row.named, row.naming),
            "not known" if row.wrong is None else row.wrong,
            row.ambiguous,
            row.failed,
            _percent(row.marked, row.failed),
            "not known" if row.marked_wrongly is None else row.marked_wrongly,
        )
        yield f"| {' | '.join(map(str, cells))} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", help="a recording's name")
    parser.add_argument("--lost", type=float, default=0.0, help="the share of spans, and of lines, to leave out")
    arguments = parser.parse_args()
    for line in table(_rows(arguments.only, arguments.lost)):
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
