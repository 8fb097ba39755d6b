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


class _Hooks(NamedTuple):
    make_group: Callable[[bytes, bytes], Group]
    of_root: OfRoot
    attributes: Callable[[bytes], dict[bytes, AnyValue]]
    value: Callable[[bytes], AnyValue]
    events: Callable[[bytes], Sequence[Event]]


def native_store(settings: StoreSettings, of_root: OfRoot) -> Store:
    """Return a native store; see `spans.contract.Store`."""
    hooks = _Hooks(make_group, of_root, attributes_of, AnyValueView.FromString, events_of)
    return milvus_otel_core.Store(hooks, settings)


join_traces = milvus_otel_core.Store.join
"""Serialize an ExportTraceServiceRequest that holds the spans of traces that such a store has given out."""
