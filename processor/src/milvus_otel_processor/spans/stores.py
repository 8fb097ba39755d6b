"""Which store holds the spans: the native one, where it is installed, or the reference."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from milvus_otel_processor.spans.contract import OfRoot, Store, StoreSettings, Trace

StoreKind = Literal["auto", "native", "reference"]
"""The words of `service.store`."""

NATIVE: Final = "native"
REFERENCE: Final = "reference"


_MAKERS = {NATIVE: ("native", "native_store"), REFERENCE: ("store", "ReferenceStore")}
_JOINERS = {NATIVE: ("native", "join_traces"), REFERENCE: ("groups", "join_traces")}


class StoreError(Exception):
    """The store that the settings name cannot be had; the message says why, and what can be done."""


def chosen(kind: StoreKind) -> Literal["native", "reference"]:
    """Return which store that is here. Raises StoreError where it is not installed."""
    there = find_spec("milvus_otel_core") is not None
    if kind == NATIVE and not there:
        raise StoreError(
            "service.store: native: the native store is not installed; install milvus-otel-processor[native] (in a checkout: "
            "`uv sync --extra native`, which wants cargo), or write `auto` or `reference`"
        )
    return NATIVE if there and kind != REFERENCE else REFERENCE


def make_store(kind: StoreKind, settings: StoreSettings, of_root: OfRoot) -> Store:
    """Return a store of this kind. Raises StoreError where it is not installed."""
    store: Store = _found(*_MAKERS[chosen(kind)])(settings, of_root)
    return store


def joiner(kind: StoreKind) -> Callable[[Sequence[Trace]], bytes]:
    """Return what serializes a request that holds traces of such a store. Raises StoreError where it is not installed."""
    join: Callable[[Sequence[Trace]], bytes] = _found(*_JOINERS[chosen(kind)])
    return join


def _found(module: str, name: str) -> Callable[..., Any]:
    # Imported when it is wanted: the native one may not be installed, and who asks for `chosen` alone has no need of either.
    found: Callable[..., Any] = getattr(import_module(f"{__package__}.{module}"), name)
    return found
