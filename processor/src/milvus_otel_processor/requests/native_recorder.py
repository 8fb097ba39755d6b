"""Counts requests in Rust where they are plain to see, and asks the recorder in Python about those of each new kind.

What a request is counted under depends on few things: what its own spans and its caller's say of it, what the access log says, and
the catalogue. So it is found out once for all requests that are alike in that; from then on the native store counts them by itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple
from weakref import WeakMethod

import milvus_otel_core

from milvus_otel_processor.enrichment.access_log.native import NativeLineStore
from milvus_otel_processor.enrichment.grpc_status import STATUS_CODE
from milvus_otel_processor.enrichment.pairing.agreement import EXCEPTION
from milvus_otel_processor.enrichment.requests import CALLS
from milvus_otel_processor.enrichment.sources import channel, client
from milvus_otel_processor.requests.attributes import NAMES
from milvus_otel_processor.requests.calls import described
from milvus_otel_processor.requests.hints import ATTRIBUTE as HINT
from milvus_otel_processor.requests.hints import HINTS, OTHER, QUERY, SEARCH, WRITES
from milvus_otel_processor.requests.hints import KINDS as KINDS_OF_OPERATIONS
from milvus_otel_processor.requests.kinds import IMPLAUSIBLE, KINDS, NOT_SERVED, REPEATED
from milvus_otel_processor.requests.native import NativeCounts
from milvus_otel_processor.requests.record import STAGES
from milvus_otel_processor.requests.times import OUT, TIME_STEPS

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Callable, Sequence

    from milvus_otel_processor.enrichment.component import Enrichment
    from milvus_otel_processor.requests.counts import Counts
    from milvus_otel_processor.requests.recorder import Answers, Recorder
    from milvus_otel_processor.spans.contract import Trace

_TOLD_HERE = (NOT_SERVED, REPEATED, IMPLAUSIBLE)
"""Kinds that the native side tells by itself; it knows them by their places."""


class RequestKeys(NamedTuple):
    """What is read of spans, but for names, that what a request is counted under depends on."""

    status: bytes = STATUS_CODE
    caller: tuple[bytes, ...] = client.KEYS
    caller_begin: bytes = client.COLLECTION_PREFIX
    caller_end: bytes = client.COLLECTION_SUFFIX
    channel: bytes = channel.MARK
    exception: bytes = EXCEPTION


class Telling(NamedTuple):
    """What is written on the spans of kept requests, see `attributes.encoded`."""

    names: Sequence[bytes | None]
    """The key of each stage, where it is wanted."""
    hint: bytes | None
    """That of the sentence."""
    operations: Sequence[tuple[bytes, int]]
    """Operations as in `hints.KINDS`, and the places of their kinds; the last kind is that of all others."""
    hints: Sequence[Sequence[bytes | None]]
    """The sentences by kind and stage."""

    @classmethod
    def of(cls, wants: Callable[[str], bool]) -> Telling:
        """Return the attributes that are wanted."""
        kinds = (SEARCH, QUERY, WRITES, OTHER)
        hints = [[HINTS.get((stage, kind)) for stage in STAGES] for kind in kinds]
        return cls(
            [name.encode() if wants(name) else None for name in NAMES],
            HINT.encode() if wants(HINT) else None,
            [(operation.encode(), kinds.index(kind)) for operation, kind in KINDS_OF_OPERATIONS.items()],
            [[hint.encode() if hint is not None else None for hint in by_stage] for by_stage in hints],
        )


def native_recorder(
    recorder: Recorder,
    counts: Counts,
    enrichment: Enrichment,
    apart: Counter[str],
    *,
    wants: Callable[[str], bool],
    is_first: bool,
) -> milvus_otel_core.Requests:
    """Return what counts natively, and asks this recorder, which it does not keep alive.

    `wants` tells which attributes are written on kept spans, `is_first` whether no stage in front of enrichment may append
    anything.
    """
    see, lines, catalogue = WeakMethod(recorder.see), enrichment.lines, enrichment.catalogue
    assert isinstance(counts, NativeCounts)
    assert lines is None or isinstance(lines, NativeLineStore)

    def ask(trace: Trace, kept: bool) -> Answers | None:
        found = see()
        return found(trace, kept=kept) if found is not None else None

    made = milvus_otel_core.Requests(
        marks=CALLS,
        steps=TIME_STEPS,
        out=OUT,
        keys=RequestKeys(),
        telling=Telling.of(wants),
        is_first=is_first,
        kinds=(*_TOLD_HERE, *(kind for kind in KINDS if kind not in _TOLD_HERE)),
        lines=lines.native if lines is not None else None,
        counts=counts.native,
        ask=ask,
        describe=described,
        apart=apart,
        series=counts.series,
    )
    catalogue.on_change = lambda: made.forget(len(catalogue) > 0)
    catalogue.on_change()
    return made
