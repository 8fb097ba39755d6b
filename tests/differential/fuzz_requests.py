"""Mutated requests for protobuf and both stores: `python -m tests.differential.fuzz_requests [--requests 2000000] [--seed 0]`.

What is compared of each request:

- Whether it is refused. What protobuf, with opentelemetry-proto's messages, takes is taken by both stores. What it refuses is
  refused by both, or is taken by both because only spans in it are malformed: those wait, and are left out when their trace is
  decided. (Or because only a resource without a scope is: nothing of that goes on.)
- Its spans, by trace, in their order, each with its resource and scope, as protobuf decodes them.
- Which spans are well formed, and what is joined of those.
- Of one in `--thorough` requests also all else that a trace tells: heads, roots, times, attributes, events, hints.

Prints what was done. At the first request with a difference it writes the request to a file and exits with 1.
"""

import argparse
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from random import Random
from typing import Any

from milvus_otel_processor.spans.contract import Store, StoreSettings, Trace
from milvus_otel_processor.spans.schema import DecodeError, RequestView
from milvus_otel_processor.spans.store import ReferenceStore

from tests.benchmarks.load import recorded
from tests.support import official
from tests.support.observed import observed
from tests.support.official import Row
from tests.support.traffic import mutated, request
from tests.support.wire import delimited, grouped_spans

MORE_THAN_ALL = 1 << 20
FEW = 4
"""Spans in a piece of the recording: few, so that a change finds the places that matter."""
REQUESTS_OF_A_STORE = 1000
"""After which stores are made anew, so that a difference does not depend on all that was before it."""
TEXTS, KEYS = (b"k", b"db.collection.name", b"milvus"), (b"db.collection.name", b"rpc.method")

Envelopes = tuple[bytes, bytes, bytes]
"""What is around a span, a ResourceSpans and a ScopeSpans, and the span."""
Came = tuple[int, list[Trace]] | None
"""What a store made of a request: how many spans have no valid trace id, and its traces; None where it is refused."""


def pieces() -> list[list[Envelopes]]:
    """The recorded spans with what is around them, a few at a time."""
    found = []
    for one in recorded():
        spans = grouped_spans(one)
        found += [spans[at : at + FEW] for at in range(0, len(spans), FEW)]
    return found


def _request(piece: Sequence[Envelopes]) -> bytes:
    return b"".join(
        delimited(1, resource + delimited(2, scope + delimited(2, span))) for resource, scope, span in piece
    )


def mutants(random: Random, count: int) -> Iterator[bytes]:
    """So many requests, recorded and made up, alone and joined, with a few bytes changed: within one span, or anywhere."""
    recording = pieces()
    for _ in range(count):
        piece = list(random.choice(recording) if random.random() < 0.7 else grouped_spans(request(random)))
        if random.random() < 0.3:
            piece += random.choice(recording)
        if piece and random.random() < 0.5:
            at = random.randrange(len(piece))
            resource, scope, span = piece[at]
            piece[at] = resource, scope, mutated(random, span)
            yield _request(piece)
        else:
            yield mutated(random, _request(piece))


def both_stores() -> tuple[Store, Store]:
    """The reference and the native store, which has to be installed."""
    from milvus_otel_processor.spans.native import native_store

    settings = StoreSettings(1.0)
    return ReferenceStore(settings, _nothing), native_store(settings, _nothing)


def _nothing(_: bytes) -> None:
    return None


class Comparison:
    """Protobuf and the two stores, one request after the other."""

    def __init__(self, make_stores: Callable[[], tuple[Store, Store]] = both_stores) -> None:
        self.counts: Counter[str] = Counter()
        """How many requests were taken, refused, taken with malformed spans."""
        self._make_stores = make_stores
        self._stores = make_stores()
        self._left = REQUESTS_OF_A_STORE

    def difference(self, data: bytes, *, thorough: bool = True) -> str | None:
        """In what protobuf and the stores differ over a request; None where they do not."""
        if not self._left:
            self._stores, self._left = self._make_stores(), REQUESTS_OF_A_STORE
        self._left -= 1
        reference, native = (_what_comes_of(store, data) for store in self._stores)
        if reference is None or native is None:
            self.counts["refused"] += 1
            if reference is not native:
                return f"refused by the reference: {reference is None}, by the native store: {native is None}"
            return "refused, though protobuf takes it" if official.rows(data) is not None else None
        return (
            _between_stores(reference, native, thorough=thorough)
            or self._from_protobuf(data, *reference)
            or self._joined(reference[1], native[1])
        )

    def _from_protobuf(self, data: bytes, refused_spans: int, traces: Sequence[Trace]) -> str | None:
        rows = official.rows(data)
        if rows is not None:
            self.counts["taken"] += 1
            wanted, without_id = by_trace(rows)
            if refused_spans != without_id:
                return f"{refused_spans} spans without a valid trace id, {without_id} by protobuf"
            return None if _rows_by_trace(traces) == wanted else "spans or groups, from protobuf's"
        self.counts["taken with malformed spans"] += 1
        malformed = refused_spans or any(trace.without_malformed() is not trace for trace in traces)
        if not malformed and official.rows(_with_scopes(data)) is None:
            return "taken, though protobuf refuses it and no span is malformed"
        return None

    def _joined(self, reference: Sequence[Trace], native: Sequence[Trace]) -> str | None:
        """What goes out of the well-formed spans is valid, and the same."""
        joined = [
            store.join([trace.without_malformed() for trace in traces])
            for store, traces in zip(self._stores, (reference, native), strict=True)
        ]
        decoded = [official.rows(one) for one in joined]
        if None in decoded:
            return "what is joined is not valid"
        first, second = (sorted(rows) for rows in decoded if rows is not None)
        return None if first == second else "what is joined"


def _what_comes_of(store: Store, data: bytes) -> Came:
    try:
        arrived = store.ingest(data, 0.0)
    except DecodeError:
        return None
    return arrived.refused, list(store.take_oldest(MORE_THAN_ALL))


def _with_scopes(data: bytes) -> bytes:
    """A request without its resources that have no scope: stores do not look into those, because nothing of them goes on."""
    request_ = RequestView.FromString(data)
    kept = [resource for resource in request_.resource_spans if resource.scope_spans]
    return b"".join(delimited(1, resource.SerializeToString()) for resource in kept)


def by_trace(rows: Sequence[Row]) -> tuple[dict[bytes, list[Row]], int]:
    """The rows by trace id, and how many have none that is valid."""
    found: dict[bytes, list[Row]] = defaultdict(list)
    without_id = 0
    for row in rows:
        trace_id, _ = official.ids(row.span)
        if len(trace_id) == 16 and any(trace_id):
            found[trace_id].append(row)
        else:
            without_id += 1
    return dict(found), without_id


def _rows_by_trace(traces: Sequence[Trace]) -> dict[bytes, list[Row | None]]:
    return {
        trace.id: [
            official.row(group.resource, group.scope, span)
            for group, span in zip(trace.groups, trace.spans, strict=True)
        ]
        for trace in traces
    }


def _between_stores(
    reference: tuple[int, list[Trace]], native: tuple[int, list[Trace]], *, thorough: bool
) -> str | None:
    if reference[0] != native[0]:
        return f"{reference[0]} and {native[0]} spans without a valid trace id"
    if [trace.id for trace in reference[1]] != [trace.id for trace in native[1]]:
        return "traces"
    look = _all_of if thorough else _bytes_of
    for pair in zip(reference[1], native[1], strict=True):
        one, other = map(look, pair)
        found = next((what for what, value in one.items() if other[what] != value), None)
        if found is not None:
            return found
    return None


def _bytes_of(trace: Trace) -> dict[str, Any]:
    return {
        "spans": list(trace.spans),
        "groups": [(group.resource, group.scope) for group in trace.groups],
        "malformed spans": list(trace.without_malformed().spans),
    }


def _all_of(trace: Trace) -> dict[str, Any]:
    return observed(trace, TEXTS, KEYS) | _bytes_of(trace)


def fuzz(requests: int, seed: int, thorough: int) -> tuple[Counter[str], bytes | None, str]:
    """Try so many requests; return what became of them, and the first that made a difference, with that."""
    comparison = Comparison()
    for number, data in enumerate(mutants(Random(seed), requests)):
        found = comparison.difference(data, thorough=number % thorough == 0)
        if found is not None:
            return comparison.counts, data, found
    return comparison.counts, None, "no difference"


def write_corpus(folder: Path) -> None:
    """Write the recorded spans as what `cargo fuzz` begins with: see processor/core/spans/tests/drive."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, piece in enumerate(pieces()):
        data = _request(piece)
        settings, ingest = number % 256, 0
        (folder / f"recorded-{number}").write_bytes(bytes((settings, ingest)) + len(data).to_bytes(2, "little") + data)


def main() -> int:
    """Fuzz, and say what was found."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=time.time_ns() % 1_000_000)
    parser.add_argument("--thorough", type=int, default=10, metavar="N", help="all is compared of one in N requests")
    parser.add_argument(
        "--corpus", type=Path, metavar="FOLDER", help="write the recorded spans there for `cargo fuzz` instead"
    )
    options = parser.parse_args()
    if options.corpus is not None:
        write_corpus(options.corpus)
        return 0
    began = time.process_time()
    counts, data, found = fuzz(options.requests, options.seed, options.thorough)
    told = ", ".join(f"{number} {what}" for what, number in sorted(counts.items()))
    print(
        f"seed {options.seed}: {counts.total()} requests ({told}): {found}; {time.process_time() - began:.0f} s of CPU"
    )
    if data is None:
        return 0
    path = Path(f"different-{options.seed}.binpb")
    path.write_bytes(data)
    print(f"the difference is over {path}")
    return 1


if __name__ == "__main__":
    sys.exit(main())
