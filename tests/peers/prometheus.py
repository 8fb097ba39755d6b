"""Prometheus of today, built from its module: Debian's is older than its OTLP receiver. Its web pages are not in the module."""

import json
import os
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from tests.peers.cache import built, fingerprint
from tests.peers.gobuild import build_module, require_go
from tests.peers.process import free_port, running

MODULE = "github.com/prometheus/prometheus"
VERSION = "v0.316.0"
"""Release 3.16.0, the one that compose's image has."""
TAGS = "remove_all_sd"
"""Without the clients of every cloud, which the stack does not look for targets with."""


@cache
def prometheus_binary() -> Path:
    """A static Prometheus, built on first use."""
    require_go()

    def build(folder: Path) -> None:
        build_module(MODULE, VERSION, "./cmd/prometheus", folder / "prometheus", tags=TAGS)

    return built("prometheus", fingerprint(MODULE, VERSION, TAGS), "4 minutes", build) / "prometheus"


class Prometheus:
    """A running Prometheus at `url`, such as http://127.0.0.1:9090."""

    def __init__(self, url: str) -> None:
        self.url = url

    def query(self, expression: str) -> list[dict[str, Any]]:
        """The series that an expression gives now: `metric` with the labels, and `value`."""
        data = self._get("/api/v1/query", query=expression)
        if data["resultType"] == "scalar":
            return [{"metric": {}, "value": data["result"]}]
        result: list[dict[str, Any]] = data["result"]
        return result

    def exemplars(self, expression: str, start: float, end: float) -> list[dict[str, Any]]:
        """The exemplars of an expression's series, `start` to `end` in seconds since 1970."""
        found: list[dict[str, Any]] = self._get("/api/v1/query_exemplars", query=expression, start=start, end=end)
        return found

    def names(self) -> set[str]:
        """The names of all metrics."""
        return set(self._get("/api/v1/label/__name__/values"))

    def _get(self, path: str, **parameters: Any) -> Any:
        asked = f"{self.url}{path}?{urllib.parse.urlencode(parameters)}"
        try:
            with urllib.request.urlopen(asked, timeout=30) as response:
                return json.load(response)["data"]
        except urllib.error.HTTPError as error:
            with error:
                error.add_note(f"{parameters}: {error.read().decode()}")
            raise


@contextmanager
def prometheus(folder: Path, configuration: Path, *options: str) -> Iterator[Prometheus]:
    """Run Prometheus with a configuration file and further options, its data in `folder`."""
    address = f"127.0.0.1:{free_port()}"
    command: Sequence[str] = [
        str(prometheus_binary()),
        f"--config.file={configuration}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address={address}",
        *options,
    ]
    environment = {"GOMAXPROCS": str(min(2, os.cpu_count() or 1))}
    with running(command, folder / "prometheus.log", f"http://{address}/-/ready", environment):
        yield Prometheus(f"http://{address}")
