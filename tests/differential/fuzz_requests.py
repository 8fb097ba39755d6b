"""Mutated requests for both stores: `python -m tests.differential.fuzz_requests [--requests 2000000] [--seed 0]`.

What is compared: whether protobuf, by way of the reference, and the native store take or refuse a request; the spans and groups
of each trace; the heads; which spans are well formed. Prints what was done, and exits with 1 at the first request of which the
two make something different, which it writes to a file.
"""

import argparse
import sys
import time
from pathlib import Path
from random import Random

from milvus_otel_processor.spans.contract import Store, StoreSettings, Trace
from milvus_otel_processor.spans.native import native_store
from milvus_otel_processor.spans.schema import DecodeError
from milvus_otel_processor.spans.store import ReferenceStore

from tests.benchmarks.load import recorded
from tests.support.observed import observed
from tests.support.traffic import mutated, request
from tests.support.wire import delimited, grouped_spans

_MORE_THAN_ALL = 1 << 20
_FEW = 4
_TEXTS, _KEYS = (b"k", b"db.collection.name", b"milvus"), (b"db.collection.name", b"rpc.method")


def small_requests() -> list[bytes]:
    """The recorded requests, cut into pieces of a few spans, so that a change finds the places that matter."""
    pieces = []
    for one in recorded():
        spans = grouped_spans(one)
        pieces += [b"".join(_request(*span) for span in spans[at : at + _FEW]) for at in range(0, len(spans), _FEW)]
    return pieces


def _request(resource: bytes, scope: bytes, span: bytes) -> bytes:
    return delimited(1, resource + delimited(2, scope + delimited(2, span)))


def what_comes_of(store: Store, data: bytes) -> list[Trace] | None:
    """The traces of a request; None where it is refused."""
    try:
        store.ingest(data, 0.0)
    except DecodeError:
        return None
    return store.take_oldest(_MORE_THAN_ALL)


def difference(data: bytes) -> str | None:
    """In what the two stores differ over a request; None where they do not."""
    stores = ReferenceStore(StoreSettings(1.0), _nothing), native_store(StoreSettings(1.0), _nothing)
    reference, native = (what_comes_of(store, data) for store in stores)
    if reference is None or native is None:
        return None if reference is native else f"taken: {reference is not None} and {native is not None}"
    if [trace.id for trace in reference] != [trace.id for trace in native]:
        return "traces"
    for one, other in zip(reference, native, strict=True):
        first, second = (observed(trace, _TEXTS, _KEYS) for trace in (one, other))
        found = next((what for what, value in first.items() if second[what] != value), None)
        if found is not None:
            return found
        if list(one.without_malformed().spans) != list(other.without_malformed().spans):
            return "malformed spans"
    joined = [
        sorted(grouped_spans(store.join(taken))) for store, taken in zip(stores, (reference, native), strict=True)
    ]
    return None if joined[0] == joined[1] else "joined"


def _nothing(_: bytes) -> None:
    return None


def fuzz(requests: int, seed: int) -> tuple[int, int, bytes | None, str]:
    """Try so many requests; return how many, how many of them were taken, and the first that made a difference, with that."""
    random, pieces, taken = Random(seed), small_requests(), 0
    for number in range(requests):
        data = random.choice(pieces) if random.random() < 0.7 else request(random)
        if random.random() < 0.3:
            data += random.choice(pieces)
        data = mutated(random, data)
        found = difference(data)
        if found is not None:
            return number + 1, taken, data, found
        taken += what_comes_of(native_store(StoreSettings(1.0), _nothing), data) is not None
    return requests, taken, None, ""


def main() -> int:
    """Fuzz, and say what was found."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=time.time_ns() % 1_000_000)
    options = parser.parse_args()
    done, taken, data, found = fuzz(options.requests, options.seed)
    print(f"seed {options.seed}: {done} requests, {taken} of them taken, {'no difference' if data is None else found}")
    if data is None:
        return 0
    path = Path(f"different-{options.seed}.binpb")
    path.write_bytes(data)
    print(f"the stores differ over {path}")
    return 1


if __name__ == "__main__":
    sys.exit(main())
