"""Puts the stand-ins into pymilvus' classes when its modules are imported, and takes them out again."""

from __future__ import annotations

import functools
import inspect
from typing import TYPE_CHECKING, Any

import wrapt

from milvus_otel_client.operations import CLIENT_COMPOUNDS, COLLECTION_COMPOUNDS, NOT_OPERATIONS, OPERATIONS, Compound
from milvus_otel_client.rpc import StubAttribute
from milvus_otel_client.surprises import logger_for
from milvus_otel_client.wrappers import (
    HandedOver,
    inside_decorators,
    traced_compound,
    traced_connecting,
    traced_handler_method,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from types import ModuleType

    from milvus_otel_client.telemetry import Telemetry

_logger = logger_for(__name__)
_ABSENT = object()


class Patches:
    """What one instrumentation has changed in pymilvus."""

    def __init__(self, telemetry: Telemetry) -> None:
        self._telemetry = telemetry
        self._changes: list[tuple[type, str, Any, Any]] = []
        self._stubs: list[StubAttribute] = []

    def apply(self) -> None:
        """Patch the modules of pymilvus that are imported, and each other one as soon as it is."""
        for module, patch in _PATCHES.items():
            wrapt.register_post_import_hook(self._hook(patch), module)

    def undo(self) -> None:
        """Take out what is still in; what somebody else has wrapped since stays, and does nothing any more."""
        self._telemetry.is_active = False
        for owner, name, before, after in reversed(self._changes):
            if owner.__dict__.get(name) is not after:
                _logger.warning("%s.%s was wrapped by something else since: left as it is", owner.__qualname__, name)
            elif before is _ABSENT:
                delattr(owner, name)
            else:
                setattr(owner, name, before)
        self._changes.clear()
        for seen in self._stubs:
            seen.leave()
        self._stubs.clear()

    def replace(self, owner: type, name: str, after: Any) -> None:
        """Set a class's attribute, remembering what was there."""
        self._changes.append((owner, name, owner.__dict__.get(name, _ABSENT), after))
        setattr(owner, name, after)

    def replace_methods(self, owner: type) -> None:
        """Trace every method of a handler that is a request to Milvus."""
        for name, method in list(_requests_of(owner)):
            self.replace(owner, name, traced_handler_method(name, method, self._telemetry))

    def replace_compounds(self, owner: type, compounds: Mapping[str, Compound]) -> None:
        """Trace the methods of a client that make several requests as one operation."""
        for name, compound in compounds.items():
            method = owner.__dict__.get(name)
            if inspect.isfunction(method):
                traced = inside_decorators(method, functools.partial(traced_compound, compound, self._telemetry))
                self.replace(owner, name, HandedOver(traced) if compound.is_handed_over else traced)

    def replace_connecting(self, owner: type, *names: str) -> None:
        """Tell of connections that fail before the first rpc, in methods that open one."""
        for name in names:
            method = owner.__dict__.get(name)
            if inspect.isfunction(method):
                traced = inside_decorators(method, functools.partial(traced_connecting, self._telemetry))
                self.replace(owner, name, traced)

    def replace_stub(self, owner: type, attribute: str) -> None:
        """See every rpc that goes through a handler's stub."""
        from pymilvus.grpc_gen.milvus_pb2_grpc import MilvusServiceStub  # noqa: PLC0415 - only once pymilvus is there

        seen = StubAttribute(attribute, MilvusServiceStub, self._telemetry)
        self._stubs.append(seen)
        self.replace(owner, attribute, seen)

    def _hook(self, patch: Callable[[Patches, ModuleType], None]) -> Callable[[ModuleType], None]:
        def after_import(module: ModuleType) -> None:
            if not self._telemetry.is_active:  # wrapt keeps a hook for good
                return
            try:
                patch(self, module)
            except Exception:
                _logger.exception("%s is not instrumented", module.__name__)

        return after_import


def _requests_of(handler: type) -> Iterator[tuple[str, Any]]:
    for name, method in vars(handler).items():
        is_request = name in OPERATIONS or not name.startswith("_")
        if is_request and name not in NOT_OPERATIONS and inspect.isfunction(method) and not _is_generator(method):
            yield name, method


def _is_generator(method: Any) -> bool:
    function = inspect.unwrap(method)
    return inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function)


def _patch_handler(patches: Patches, module: ModuleType) -> None:
    patches.replace_methods(module.GrpcHandler)
    patches.replace_stub(module.GrpcHandler, "_stub")


def _patch_async_handler(patches: Patches, module: ModuleType) -> None:
    patches.replace_methods(module.AsyncGrpcHandler)
    patches.replace_stub(module.AsyncGrpcHandler, "_async_stub")


def _patch_connections(patches: Patches, module: ModuleType) -> None:
    patches.replace_connecting(module.Connections, "connect")


def _patch_client(patches: Patches, module: ModuleType) -> None:
    patches.replace_connecting(module.MilvusClient, "__init__")
    patches.replace_compounds(module.MilvusClient, CLIENT_COMPOUNDS)


def _patch_async_client(patches: Patches, module: ModuleType) -> None:
    patches.replace_connecting(module.AsyncMilvusClient, "__init__", "_connect")
    patches.replace_compounds(module.AsyncMilvusClient, CLIENT_COMPOUNDS)


def _patch_collection(patches: Patches, module: ModuleType) -> None:
    patches.replace_compounds(module.Collection, COLLECTION_COMPOUNDS)


_PATCHES: dict[str, Callable[[Patches, ModuleType], None]] = {
    "pymilvus.client.grpc_handler": _patch_handler,
    "pymilvus.client.async_grpc_handler": _patch_async_handler,
    "pymilvus.milvus_client.milvus_client": _patch_client,
    "pymilvus.milvus_client.async_milvus_client": _patch_async_client,
    "pymilvus.orm.connections": _patch_connections,
    "pymilvus.orm.collection": _patch_collection,
}
"""By module of pymilvus; one that a version does not have is never imported, and so never patched."""
