"""One engine with all images for the whole test session; a stack for each module that asks for one."""

import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pytest

from tests.peers.jaeger import JaegerQuery
from tests.stack.engine import ROOT, Docker, engine
from tests.stack.standins import build_standins

LONG = pytest.mark.timeout(1800)
"""On a machine where nothing is built yet, the first test waits for all the parts."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(LONG)


PROJECT = ("compose.yaml", ".env", ".dockerignore", "pyproject.toml", "collector", "compose", "client", "processor")


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of what the stack is made of, as in a fresh clone: a test may change files in it."""
    folder = tmp_path_factory.mktemp("project")
    folder.chmod(0o755)
    for name in PROJECT:
        if (ROOT / name).is_dir():
            leftovers = shutil.ignore_patterns("__pycache__", "certificates", "target", "fuzz", ".*")
            shutil.copytree(ROOT / name, folder / name, ignore=leftovers)
        else:
            shutil.copy(ROOT / name, folder)
    return folder


@pytest.fixture(scope="session")
def docker(tmp_path_factory: pytest.TempPathFactory, project: Path) -> Iterator[Docker]:
    """An engine that has every image of the stack: stand-ins, and our own built from their Dockerfiles."""
    with engine(tmp_path_factory.mktemp("engine")) as engine_alone:
        build_standins(engine_alone)
        docker = engine_alone.within(project)
        docker("compose", "--profile", "demo", "build", timeout=1500)
        yield docker
        # Each change of the sources leaves images behind; those of today are the builder's cache.
        docker("image", "prune", "--force", "--filter", "until=24h")


class Stack:
    """A running stack: `docker compose` with the options that it was started with, and Jaeger's query API."""

    def __init__(self, docker: Docker, *options: str, environment: Mapping[str, str]) -> None:
        self._docker = docker.with_environment(environment)
        self._options = options
        self.folder = docker.folder
        self.jaeger = JaegerQuery("http://127.0.0.1:16686")
        self.up_seconds = 0.0

    def compose(self, *arguments: str, timeout: float = 300) -> str:
        """Run `docker compose` and return what it printed."""
        return self._docker("compose", *self._options, *arguments, timeout=timeout)

    def up(self) -> None:
        """Start everything and return when it is healthy; a failure carries the logs."""
        start = time.monotonic()
        try:
            self.compose("up", "--wait", "--wait-timeout", "180")
        except RuntimeError as error:
            error.add_note(self.compose("ps", "--all") + self.compose("logs", "--no-color", "--tail", "40"))
            raise
        self.up_seconds = time.monotonic() - start

    def down(self) -> None:
        """Stop and remove all of it, its volumes too."""
        self.compose("--profile", "demo", "down", "--volumes", "--timeout", "10")


@pytest.fixture(scope="module")
def overlays() -> Sequence[str]:
    """The compose files over compose.yaml; a module that wants some has a fixture of this name."""
    return ()


@pytest.fixture(scope="module")
def environment() -> Mapping[str, str]:
    """The variables that the compose files take; a module that sets some has a fixture of this name."""
    return {}


@pytest.fixture(scope="module")
def stack(docker: Docker, overlays: Sequence[str], environment: Mapping[str, str]) -> Iterator[Stack]:
    """The stack, up and healthy."""
    files = [option for file in ("compose.yaml", *overlays) for option in ("--file", file)]
    stack = Stack(docker, *files, environment=environment)
    try:
        stack.up()
        yield stack
    finally:
        stack.down()
