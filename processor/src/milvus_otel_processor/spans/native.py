"""The native store: `milvus_otel_core`, written in Rust, with what it asks Python for."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import milvus_otel_core

from milvus_otel_processor.spans.groups import make_group
from milvus_otel_processor.spans.schema import AnyValueView, attributes_of, events_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from milvus_otel_processor.spans.contract import OfRoot, Store, StoreSettings
    from milvus_otel_processor.spans.groups import Group
    from milvus_otel_processor.spans.schema import AnyValue, Event

_PACK_ABOVE = 1 << 62
"""Bytes of waiting spans from which on the oldest are compressed: never, by itself. What is packed is small while it waits, so that
more is let in than memory has room for when it is decided: a container of 256 MiB was killed by it (tests/faults/overload.py)."""


class _Hooks(NamedTuple):
    make_group: Callable[[bytes, bytes], Group]
    of_root: OfRoot
    attributes: Callable[[bytes], dict[bytes, AnyValue]]
    value: Callable[[bytes], AnyValue]
    events: Callable[[bytes], Sequence[Event]]


def native_store(settings: StoreSettings, of_root: OfRoot, pack_above: int = _PACK_ABOVE) -> Store:
    """Return a native store; see `spans.contract.Store`. `pack_above` is from how many waiting bytes on it compresses them."""
    hooks = _Hooks(make_group, of_root, attributes_of, AnyValueView.FromString, events_of)
    return milvus_otel_core.Store(hooks, settings, pack_above)


join_traces = milvus_otel_core.Store.join
"""Serialize an ExportTraceServiceRequest that holds the spans of traces that such a store has given out."""
