"""Whether the processor can reach what its configuration names: what it exports to, and Milvus."""

from __future__ import annotations

import re
import socket
from threading import Thread
from typing import NamedTuple
from urllib.request import getproxies_environment, proxy_bypass

from milvus_otel_processor.doctor.finding import Finding

_SCHEME = re.compile(r"^(https?|dns)://+")
_MILVUS_PORT = 19530
_PROXIES = frozenset(("grpc", "http", "https", "all"))
_SECONDS = 2.0
"""For a connection; names are looked up in the same time, or the answer is that nobody says where it is."""


class Peer(NamedTuple):
    """A part that the configuration names."""

    setting: str
    """Where it is named."""
    address: str
    """`host:port`, or a URL with these."""
    purpose: str
    """What it is for the processor: `which it exports spans to`."""
    takes_spans: bool = False


def finding(peer: Peer) -> Finding | None:
    """Return what is wrong with this part, which should answer; None if it does."""
    problem = unreachable(peer.address)
    if problem is None:
        return None
    return Finding(
        "bad",
        f"The processor cannot reach {peer.address}, {peer.purpose}: {problem}.",
        f"Is it up, and is {peer.setting} its address, seen from where the processor runs?",
    )


def unreachable(address: str, seconds: float = _SECONDS) -> str | None:
    """Return why no connection to `host:port` can be made; None if one can, or if a proxy of the environment makes it."""
    host, port = _host_and_port(address)
    if _PROXIES & getproxies_environment().keys() and not proxy_bypass(host):
        return None
    found: list[str | None] = []
    # Nobody says how long the look-up of a name may take.
    thread = Thread(target=lambda: found.append(_attempt(host, port, seconds)), name="doctor", daemon=True)
    thread.start()
    thread.join(2 * seconds)
    return found[0] if found else f"nothing answers within {2 * seconds:g} s"


def _host_and_port(address: str) -> tuple[str, int]:
    host, _, port = _SCHEME.sub("", address).rstrip("/").rpartition(":")
    if not host or "]" in port:
        host, port = f"{host}:{port}".lstrip(":"), str(_MILVUS_PORT)
    return host.strip("[]"), int(port)


def _attempt(host: str, port: int, seconds: float) -> str | None:
    try:
        socket.create_connection((host, port), timeout=seconds).close()
    except OSError as error:
        return error.strerror or str(error)
    return None
