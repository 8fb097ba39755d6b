"""Where a call goes: the server's address, and the database."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from milvus_otel_client import attributes
from milvus_otel_client.extractors import MAX_NAME

if TYPE_CHECKING:
    from collections.abc import Mapping

_MAX_ADDRESS = 255
"""Characters, as of a host's name; identities are kept."""


def server_attributes(address: str) -> dict[str, str | int]:
    """Return ``server.address`` and ``server.port`` for ``host:port``, ``[::1]:port`` or ``unix:path``.

    An address that pymilvus took from a URI as it was may have the user's name and password before the host.
    """
    if address.startswith("unix:"):
        return {attributes.SERVER_ADDRESS: address.removeprefix("unix:")[:_MAX_ADDRESS]}
    address = address.rpartition("@")[2][:_MAX_ADDRESS]
    host, colon, port = address.rpartition(":")
    if not colon or not port.isdecimal():
        return {attributes.SERVER_ADDRESS: address} if address else {}
    return {attributes.SERVER_ADDRESS: host.strip("[]"), attributes.SERVER_PORT: int(port)}


def target_of(handler: Any, arguments: Mapping[str, Any]) -> tuple[str | None, str]:
    """Return the database and the address that a call on a handler goes to; None for what is too long to be a database's name.

    The database is where each version of pymilvus keeps it: an argument names the one that is created or dropped; from
    2.6.1 on a ``CallContext`` travels with each call; before that the async handler kept the name, and the sync one an
    interceptor that adds it as a header.
    """
    name = arguments.get("db_name")
    if not name or not isinstance(name, str):
        if (context := arguments.get("context")) is not None:
            name = context.get_db_name()
        elif (interceptor := getattr(handler, "_db_interceptor", None)) is not None:
            name = _header_value(interceptor)
        else:
            name = getattr(handler, "_db_name", "")
        if not name or not isinstance(name, str):
            return attributes.DEFAULT_DATABASE, handler.server_address
    return name if len(name) <= MAX_NAME else None, handler.server_address


def _header_value(interceptor: Any) -> Any:
    """Return the value that pymilvus' ``header_adder_interceptor`` adds: it is in the closure, and nowhere else."""
    function = interceptor._fn  # noqa: SLF001
    return function.__closure__[function.__code__.co_freevars.index("values")].cell_contents[0]
