"""A real Milvus for the demo and the tests: the server of the wheel `milvus`, with tracing and access log on.

    with EmbeddedMilvus(MilvusSettings(otlp_endpoint="127.0.0.1:4317")) as milvus:
        client = MilvusClient(milvus.uri)

Several can run at once. Milvus cannot outlive this process, nor can its temporary folder (see `guardian.py`).
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from typing import TYPE_CHECKING, Any, Self

from ruamel.yaml import YAML

from milvus_otel_processor.demo import wheel
from milvus_otel_processor.demo.errors import MilvusStartError, MilvusStoppedError
from milvus_otel_processor.demo.guarded import Guarded
from milvus_otel_processor.enrichment.access_log.line import FORMAT as ACCESS_LOG_FORMAT

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

_ROLES = ("rootCoord", "proxy", "queryCoord", "queryNode", "indexCoord", "indexNode", "dataCoord", "dataNode")
# Milvus writes these at fixed places, whatever its configuration says.
_LITTER = (
    "/tmp/milvus/server_id_{pid}",  # noqa: S108
    "/tmp/milvus/standalone.pid",  # noqa: S108 - the next one's place where /run is not writable
    "/run/milvus/standalone.pid",
)
_POLL_SECONDS = 0.05
_LOG_TAIL_LINES, _LOG_TAIL_COLUMNS = 8, 300


@dataclass(frozen=True, kw_only=True)
class MilvusSettings:
    """How Milvus is to run."""

    otlp_endpoint: str | None = None
    """Where Milvus and its C++ core export spans, `host:port`, OTLP over plain gRPC; None: to its own log."""
    sample_fraction: float = 1.0
    """Of the traces that Milvus starts itself; a caller's sampled trace is always traced."""
    access_log_format: str | None = ACCESS_LOG_FORMAT
    """The one format for all methods; None: no access log."""
    authorization: bool = False
    """Whether clients must log in; the first user is `root` with password `Milvus`."""
    proxy_port: int | None = None
    """The port of `uri`; None: a free one."""
    environ: dict[str, str] = field(default_factory=dict)
    """Environment variables for Milvus, beside this process' own."""
    overrides: Mapping[str, Any] = field(default_factory=dict)
    """Anything else of milvus.yaml, as nested mappings that are merged over it; None removes a key."""


class EmbeddedMilvus:
    """One Milvus standalone with embedded etcd and local storage, used as a context manager.

    `folder` holds everything it writes: a new temporary one, removed at the end, or the given one, which is kept and
    can be started again, which takes Milvus half a minute or more where a new start takes 2-3 s: it waits for the
    sessions of its former self to expire. `start` raises MilvusUnavailableError, MilvusStartError or
    MilvusStoppedError. `uri`, `access_log` and `folder` can be read once it has started.
    """

    uri: str
    folder: Path
    access_log: Path

    def __init__(
        self, settings: MilvusSettings | None = None, folder: Path | None = None, *, deadline_seconds: float = 90
    ) -> None:
        self._settings = settings or MilvusSettings()
        self._given_folder = folder
        self._deadline_seconds = deadline_seconds
        self._guarded: Guarded | None = None

    def __enter__(self) -> Self:
        """Start, and return self once Milvus is healthy."""
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop without grace: what a temporary folder holds is not worth the wait."""
        self.stop()

    def start(self) -> None:
        """Start Milvus, and return once its health check says OK and its port answers."""
        binaries = wheel.unpack(wheel.cache_folder())
        self._guarded = Guarded(None if self._given_folder else "milvus-otel-demo-")
        try:
            folder = self._given_folder or self._guarded.folder
            assert folder is not None
            self._prepare(folder)
            health_port = wheel.free_ports(["health"])["health"]
            self._guarded.start(
                [str(binaries / "milvus"), "run", "standalone"],
                cwd=self.folder,
                env=os.environ
                | self._settings.environ
                | {
                    "DEPLOY_MODE": "STANDALONE",
                    "METRICS_PORT": str(health_port),
                    "LD_LIBRARY_PATH": str(binaries),
                },
                log=self._log,
                litter=_LITTER,
            )
            self._wait_until_healthy(health_port)
        except BaseException:
            self.stop()
            raise

    def stop(self, grace_seconds: float = 0) -> None:
        """End Milvus: SIGTERM, then, as it can hang while clients are connected, SIGKILL after the grace.

        Does nothing when it is not running.
        """
        if self._guarded is not None:
            self._guarded.stop(grace_seconds)
            self._guarded = None

    def check(self) -> None:
        """Raise MilvusStoppedError when Milvus, once started, has ended by itself."""
        returncode = self._guarded.returncode() if self._guarded is not None else None
        if returncode is not None:
            raise MilvusStoppedError(f"Milvus ended with status {returncode}{self._log_tail()}")

    def _prepare(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder.resolve()
        self.access_log = self.folder / "access" / "access.log"
        self._log = self.folder / "logs" / "milvus.log"
        port = self._settings.proxy_port
        if port is not None and _answers(port):
            raise MilvusStartError(f"port {port} on 127.0.0.1 is taken: end what listens there, or give Milvus another")
        config = wheel.render_template(self.folder)
        if port is not None:
            # Not through the wheel, which takes a port that a Milvus has just left for one in use.
            config["proxy"]["port"] = port
        _merge(config, self._overrides())
        _merge(config, self._settings.overrides)
        self._log.touch()
        configs = self.folder / "configs"
        yaml = YAML(typ="safe")
        yaml.dump(config, configs / "milvus.yaml")
        yaml.dump(_etcd_config(), configs / "etcd.yaml")
        self.uri = f"http://127.0.0.1:{config['proxy']['port']}"

    def _overrides(self) -> dict[str, Any]:
        settings = self._settings
        return {role: {"ip": "127.0.0.1"} for role in _ROLES} | {
            "etcd": {"config": {"path": str(self.folder / "configs" / "etcd.yaml")}},
            "trace": {
                "exporter": "otlp" if settings.otlp_endpoint else "stdout",
                "sampleFraction": settings.sample_fraction,
                "otlp": {"endpoint": settings.otlp_endpoint, "secure": False},
            },
            "proxy": {"ip": "127.0.0.1", "accessLog": self._access_log_config()},
            "common": {"security": {"authorizationEnabled": settings.authorization}},
        }

    def _access_log_config(self) -> dict[str, Any]:
        if self._settings.access_log_format is None:
            return {"enable": False}
        return {
            "enable": True,
            "localPath": str(self.access_log.parent),
            "filename": self.access_log.name,
            "cacheSize": 0,  # with a cache, lines come late and cut in the middle
            "formatters": {"base": {"format": self._settings.access_log_format}, "query": None},
        }

    def _wait_until_healthy(self, health_port: int) -> None:
        deadline = time.monotonic() + self._deadline_seconds
        port = int(self.uri.rsplit(":", 1)[1])
        while not (_is_healthy(health_port) and _answers(port)):
            self.check()
            if time.monotonic() > deadline:
                raise MilvusStartError(f"Milvus was not healthy within {self._deadline_seconds:g} s{self._log_tail()}")
            time.sleep(_POLL_SECONDS)

    def _log_tail(self) -> str:
        if not self._log.exists():
            return ""
        lines = self._log.read_text(encoding="utf-8", errors="replace").splitlines()
        # A panic is followed by the stack of every goroutine: its first lines tell, not its last.
        panic = next((number for number, line in enumerate(lines) if line.startswith("panic")), None)
        shown = lines[-_LOG_TAIL_LINES:] if panic is None else lines[panic : panic + _LOG_TAIL_LINES]
        return "; from its log:\n" + "\n".join(line[:_LOG_TAIL_COLUMNS] for line in shown)


def _etcd_config() -> dict[str, str]:
    """Let the embedded etcd listen on Unix sockets in Milvus' folder.

    Its TCP ports 2379 and 2380 would be fixed, so that a second Milvus, or any etcd, would keep this one from starting.
    etcd wants the form `host:port` of these URLs too, and takes it for a path relative to the working directory. Milvus
    itself reaches its embedded etcd within the process.
    """
    client, peer = "unix://etcd-client:0", "unix://etcd-peer:0"
    return {
        "name": "default",
        "listen-client-urls": client,
        "advertise-client-urls": client,
        "listen-peer-urls": peer,
        "initial-advertise-peer-urls": peer,
        "initial-cluster": f"default={peer}",
    }


def _merge(target: dict[str, Any], changes: Mapping[str, Any]) -> None:
    """Apply the changes as a JSON Merge Patch (RFC 7386): mappings are merged, None removes a key."""
    for key, value in changes.items():
        below = target.get(key)
        if value is None:
            target.pop(key, None)
        elif isinstance(value, Mapping) and isinstance(below, dict):
            _merge(below, value)
        else:
            target[key] = value


def _is_healthy(port: int) -> bool:
    connection = HTTPConnection("127.0.0.1", port, timeout=1)
    try:
        connection.request("GET", "/healthz")
        return b"OK" in connection.getresponse().read()
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()


def _answers(port: int) -> bool:
    with socket.socket() as connection:
        connection.settimeout(1)
        return connection.connect_ex(("127.0.0.1", port)) == 0
