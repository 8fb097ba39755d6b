"""Which store holds the spans: the native one, where it is installed, or the reference."""

from __future__ import annotations

import logging
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final, Literal

from milvus_otel_processor.installing import how_to_install
from milvus_otel_processor.spans.contract import CONTRACT

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from milvus_otel_processor.spans.contract import OfRoot, Store, StoreSettings, Trace

StoreKind = Literal["auto", "native", "reference"]
"""The words of `service.store`."""

AUTO: Final = "auto"
NATIVE: Final = "native"
REFERENCE: Final = "reference"

_MODULE = "milvus_otel_core"
_INSTALL_ANEW = (
    f"install it anew, of the processor's own version: {how_to_install('native', anew=True)} (with uv: "
    "`uv sync --extra native --reinstall-package milvus-otel-core`)"
)
_NOT_INSTALLED = (
    f"the native store is not installed; it wants cargo: {how_to_install('native')} (with uv: `uv sync --extra native`)"
)

_MAKERS = {NATIVE: ("native", "native_store"), REFERENCE: ("store", "ReferenceStore")}
_JOINERS = {NATIVE: ("native", "join_traces"), REFERENCE: ("groups", "join_traces")}


_log = logging.getLogger(__name__)


class StoreError(Exception):
    """The store that the settings name cannot be had; the message says why, and what can be done."""


@cache
def unusable() -> str | None:
    """Return why the native store cannot be used; None where it can be, and "" where it is not installed."""
    if find_spec(_MODULE) is None:
        return ""
    try:
        module = import_module(_MODULE)
    except Exception as error:  # noqa: BLE001 - built for another system, damaged: whatever it is, there is another store
        return f"the installed milvus-otel-core cannot be loaded ({type(error).__name__}: {error}); {_INSTALL_ANEW}"
    built_for = getattr(module, "CONTRACT", 0)
    if built_for != CONTRACT:
        return (
            f"the installed milvus-otel-core was built for another version of this processor (its contract is number {built_for}, "
            f"this one's {CONTRACT}); {_INSTALL_ANEW}"
        )
    return None


def chosen(kind: StoreKind) -> Literal["native", "reference"]:
    """Return which store that is here. Raises StoreError where it cannot be had."""
    if kind == REFERENCE:
        return REFERENCE
    why = unusable()
    if kind == NATIVE and why is not None:
        raise StoreError(f"service.store: native: {why or _NOT_INSTALLED}, or write `auto` or `reference`")
    return NATIVE if why is None else REFERENCE


def make_store(kind: StoreKind, settings: StoreSettings, of_root: OfRoot) -> Store:
    """Return a store of this kind. Raises StoreError where it cannot be had.

    `auto` says in the log, once, that a native store is installed and cannot be used.
    """
    which = chosen(kind)
    if kind == AUTO and unusable():
        _warn(
            f"service.store: auto: {unusable()}; spans wait in the reference store, which keeps the same traces and costs more CPU"
        )
    store: Store = _found(*_MAKERS[which])(settings, of_root)
    return store


def joiner(kind: StoreKind) -> Callable[[Sequence[Trace]], bytes]:
    """Return what serializes a request that holds traces of such a store. Raises StoreError where it cannot be had."""
    join: Callable[[Sequence[Trace]], bytes] = _found(*_JOINERS[chosen(kind)])
    return join


@cache
def _warn(text: str) -> None:
    _log.warning("%s", text)


def _found(module: str, name: str) -> Callable[..., Any]:
    # Imported when it is wanted: the native one may not be installed, and who asks for `chosen` alone has no need of either.
    found: Callable[..., Any] = getattr(import_module(f"{__package__}.{module}"), name)
    return found
