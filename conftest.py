"""How the suite runs side by side: which tests share a worker, which start first, how many workers there are."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import hypothesis
import pytest
from xdist.scheduler import LoadScopeScheduling

if TYPE_CHECKING:
    from xdist.remote import Producer

GROUPS = {
    "tests/stack/": "the stack",
    "tests/demo/test_demo.py": "the stack",
    "tests/client_e2e/": "the client's Milvus",
}
"""Folders and files whose tests stay together in one worker, and that worker's group: they share a fixture of the whole session
that is dear, one Docker engine or one Milvus, or the ports that the stack publishes. Any other file is a group of its own."""

LONGEST_FIRST = (
    "tests/stack/",
    "tests/client_e2e/",
    "tests/demo/",
    "tests/enrichment/",
    "tests/differential/",
    "tests/faults/",
    "tests/frameworks/",
    "tests/servers/",
    "tests/packaging/",
)
"""Folders that start first, so that no long group starts when everything else is over. Others follow, by name."""

WAITING_WORKERS = 1
"""Workers beside one for each core: most of the suite's time is waiting for real parts to start and to stop."""

# Else what commands print would be as wide as the terminal of whoever runs the tests.
os.environ.pop("COLUMNS", None)

LOOPBACK = ("127.0.0.1", "localhost", "::1")
# The parts that tests start are here, and no proxy is to stand before them; what is downloaded still goes through it.
for _name in ("no_proxy", "NO_PROXY"):
    os.environ[_name] = ",".join(dict.fromkeys([*filter(None, os.environ.get(_name, "").split(",")), *LOOPBACK]))

# How long an example takes says more about what else the machine does than about the code.
hypothesis.settings.register_profile(
    "suite", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow], parent=hypothesis.settings.default
)
hypothesis.settings.load_profile("suite")


class Groups(LoadScopeScheduling):  # type: ignore[misc]
    """Hands out groups of tests to whichever worker is free, in the order in which the tests were collected."""

    def _split_scope(self, nodeid: str) -> str:
        return group(nodeid)


def group(nodeid: str) -> str:
    """The group of the test `nodeid`, such as tests/unit/test_remarks.py::test_empty: that of its place, or its file."""
    return next((name for place, name in GROUPS.items() if nodeid.startswith(place)), nodeid.partition("::")[0])


def turn(nodeid: str) -> int:
    """The place of the test's folder in LONGEST_FIRST."""
    places = (place for place, folder in enumerate(LONGEST_FIRST) if nodeid.startswith(folder))
    return next(places, len(LONGEST_FIRST))


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Groups:
    config.option.loadscopereorder = False
    return Groups(config, log)


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """No worker for a single file or test, which would wait longer for the workers than for itself."""
    if len(config.args) == 1 and Path(config.args[0].partition("::")[0]).is_file():
        return 0
    return len(os.sched_getaffinity(0)) + WAITING_WORKERS if hasattr(os, "sched_getaffinity") else (os.cpu_count() or 1)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: turn(item.nodeid))
