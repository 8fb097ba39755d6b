"""A Docker engine of the tests' own: stand-ins carry the real images' names, which no user's engine should ever see."""

import os
import signal
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from copy import copy
from functools import cache
from pathlib import Path
from typing import IO, Self

from tests.peers.cache import built, cache_dir, fingerprint, locked
from tests.peers.gobuild import build_module, require_go
from tests.peers.missing import missing, require_command
from tests.peers.process import Part
from tests.peers.waiting import wait_until

COMPOSE_MODULE = "github.com/docker/compose/v5"
COMPOSE_VERSION = "v5.6.0"
ROOT = Path(__file__).parents[2]


@cache
def docker_configuration() -> Path:
    """A Docker client's configuration folder whose only plugin is Compose, built on first use."""
    require_go()

    def build(folder: Path) -> None:
        (folder / "cli-plugins").mkdir()
        plugin = folder / "cli-plugins" / "docker-compose"
        build_module(COMPOSE_MODULE, COMPOSE_VERSION, "./cmd", folder / "docker-compose")
        (folder / "docker-compose").rename(plugin)

    return built("compose", fingerprint(COMPOSE_MODULE, COMPOSE_VERSION), "a minute", build)


class Docker:
    """The Docker command, talking to one engine."""

    def __init__(self, host: str = "unix:///nowhere", folder: Path = ROOT) -> None:
        self.folder = folder
        """Where it runs: relative paths in arguments start here."""
        self.environment = {
            **os.environ,
            "DOCKER_HOST": host,
            "DOCKER_CONFIG": str(docker_configuration()),
            "DOCKER_BUILDKIT": "0",  # its plugin is a part of its own, and nothing here needs it
        }

    def within(self, folder: Path) -> Self:
        """The same, run in another folder."""
        other = copy(self)
        other.folder = folder
        return other

    def with_environment(self, variables: Mapping[str, str]) -> Self:
        """The same, with these variables too."""
        other = copy(self)
        other.environment = {**self.environment, **variables}
        return other

    def __call__(self, *arguments: str | Path, timeout: float = 300, stdin: IO[bytes] | None = None) -> str:
        """Run `docker` with `arguments` and return what it printed; a failure carries all that it said."""
        result = self.attempt(*arguments, timeout=timeout, stdin=stdin)
        if result.returncode:
            said = (result.stdout + result.stderr).decode(errors="replace")
            raise RuntimeError(f"docker {' '.join(map(str, arguments))} exited with {result.returncode}:\n{said}")
        return result.stdout.decode()

    def attempt(
        self, *arguments: str | Path, timeout: float = 300, stdin: IO[bytes] | None = None
    ) -> subprocess.CompletedProcess[bytes]:
        """Run `docker` with `arguments`, whatever comes of it."""
        command = [require_command("docker", "the stack"), *map(str, arguments)]
        return subprocess.run(
            command,
            env=self.environment,
            cwd=self.folder,
            stdin=stdin or subprocess.DEVNULL,
            capture_output=True,
            check=False,
            timeout=timeout,
        )


@contextmanager
def engine(folder: Path) -> Iterator[Docker]:
    """Run a Docker engine whose images are kept in the cache and whose socket and log are in `folder`."""
    dockerd = require_command("dockerd", "the stack")
    require_command("iptables", "Docker's networks")
    if os.geteuid() != 0:
        missing("an engine of the tests' own needs root's rights")
    host = f"unix://{folder}/docker.sock"
    pidfile = cache_dir() / "docker.pid"
    command = [
        *(dockerd, "--host", host),
        *("--data-root", str(cache_dir() / "docker")),
        *("--exec-root", str(folder / "exec")),
        *("--pidfile", str(pidfile)),
    ]
    docker = Docker(host)
    # Its images, and the ports that the stack publishes, are for one test run at a time.
    with locked(cache_dir() / "docker.lock"):
        _end_orphan(pidfile)
        part = Part(command, folder / "dockerd.log")
        try:
            wait_until(lambda: _is_up(docker, part), "the Docker engine", deadline=60, interval=0.3)
            yield docker
        finally:
            part.stop(grace=60)  # it stops its containers, and containerd, which would outlive it if it were killed


def _end_orphan(pidfile: Path) -> None:
    """End the engine of a test run that was killed: while it runs, no other can have its images."""
    if not pidfile.exists():
        return
    process = Path("/proc") / pidfile.read_text(encoding="utf-8").strip()
    if (process / "comm").exists() and (process / "comm").read_text(encoding="utf-8").strip() == "dockerd":
        os.kill(int(process.name), signal.SIGTERM)
        wait_until(lambda: not process.exists(), "the engine of an earlier test run to end", deadline=60, interval=0.2)
    pidfile.unlink(missing_ok=True)


def _is_up(docker: Docker, part: Part) -> bool:
    if part.process.poll() is not None:
        missing(
            f"dockerd does not run on this machine: {part.output().strip().splitlines()[-1]} (all of it: {part.log})"
        )
    return docker.attempt("version").returncode == 0
