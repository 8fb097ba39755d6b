"""Where a call goes: the server's address, and the database."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

from milvus_otel_client import attributes

if TYPE_CHECKING:
    from collections.abc import Mapping


@lru_cache(maxsize=64)
def server_attributes(address: str) -> dict[str, str | int]:
    """Return ``server.address`` and ``server.port`` for ``host:port``, ``[::1]:port`` or ``unix:path``."""
    if address.startswith("unix:"):
        return {attributes.SERVER_ADDRESS: address.removeprefix("unix:")}
    host, colon, port = address.rpartition(":")
    if not colon or not port.isdecimal():
        return {attributes.SERVER_ADDRESS: address} if address else {}
    return {attributes.SERVER_ADDRESS: host.strip("[]"), attributes.SERVER_PORT: int(port)}


def target_of(handler: Any, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return the attributes of a handler's target for one call."""
    found: dict[str, Any] = {attributes.DB_NAMESPACE: _database_of(handler, arguments) or attributes.DEFAULT_DATABASE}
    found.update(server_attributes(handler.server_address))
    return found


def _database_of(handler: Any, arguments: Mapping[str, Any]) -> str:
    """Find the database where each version of pymilvus keeps it.

    An argument names the database that is created or dropped; from 2.6.1 on a ``CallContext`` travels with each call;
    before that the async handler kept the name, and the sync one an interceptor that adds it as a header.
    """
    name = arguments.get("db_name")
    if isinstance(name, str) and name:
        return name
    context = arguments.get("context")
    if context is not None:
        return str(context.get_db_name())
    interceptor = getattr(handler, "_db_interceptor", None)
    name = getattr(handler, "_db_name", "") if interceptor is None else _header_value(interceptor)
    return name if isinstance(name, str) else ""


def _header_value(interceptor: Any) -> Any:
    """Return the value that pymilvus' ``header_adder_interceptor`` adds: it is in the closure, and nowhere else."""
    function = interceptor._fn  # noqa: SLF001
    return function.__closure__[function.__code__.co_freevars.index("values")].cell_contents[0]
