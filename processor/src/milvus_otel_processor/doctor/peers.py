"""Whether the processor can reach what its configuration names: what it exports to, and Milvus."""

from __future__ import annotations

import re
import socket
from threading import Thread
from time import monotonic
from typing import TYPE_CHECKING, NamedTuple
from urllib.request import getproxies_environment, proxy_bypass

from milvus_otel_processor.doctor.finding import Finding

if TYPE_CHECKING:
    from collections.abc import Sequence

_SCHEME = re.compile(r"^(https?|dns)://+")
_MILVUS_PORT = 19530
_PROXIES = frozenset(("grpc", "http", "https"))
"""Of those that the environment may name, the ones by which gRPC connects."""
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


def away(peers: Sequence[Peer]) -> dict[Peer, Finding]:
    """Return what is wrong with these parts, which should answer; without those that do. All are asked at the same time."""
    problems = unreachable([peer.address for peer in peers])
    return {
        peer: Finding(
            "bad",
            f"The processor cannot reach {peer.address}, {peer.purpose}: {problem}.",
            f"Is it up, and is {peer.setting} its address, seen from where the processor runs?",
        )
        for peer, problem in zip(peers, problems, strict=True)
        if problem is not None
    }


def unreachable(addresses: Sequence[str], seconds: float = _SECONDS) -> list[str | None]:
    """Return why no connection to each `host:port` can be made; None if one can, or if a proxy of the environment makes it."""
    places = [_host_and_port(address) for address in addresses]
    found: list[str | None] = [f"nothing answers within {2 * seconds:g} s"] * len(places)

    def ask(number: int, host: str, port: int) -> None:
        found[number] = _attempt(host, port, seconds)

    # Nobody says how long the look-up of a name may take: whoever is not back by then is not waited for.
    asked = [Thread(target=ask, args=(number, *place), daemon=True) for number, place in enumerate(places)]
    for thread in asked:
        thread.start()
    until = monotonic() + 2 * seconds
    for thread in asked:
        thread.join(max(0.0, until - monotonic()))
    return found.copy()


def _host_and_port(address: str) -> tuple[str, int]:
    host, _, port = _SCHEME.sub("", address).rstrip("/").rpartition(":")
    if not host or "]" in port:
        host, port = f"{host}:{port}".lstrip(":"), str(_MILVUS_PORT)
    return host.strip("[]"), int(port)


def _attempt(host: str, port: int, seconds: float) -> str | None:
    if _PROXIES & getproxies_environment().keys() and not proxy_bypass(host):
        return None
    try:
        socket.create_connection((host, port), timeout=seconds).close()
    except OSError as error:
        return error.strerror or str(error)
    return None
