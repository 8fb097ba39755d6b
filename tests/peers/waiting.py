"""Waiting for what another process does: poll until a deadline, fail with what was awaited."""

import threading
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def wait_until(probe: Callable[[], T | None], awaited: str, deadline: float = 30.0, interval: float = 0.05) -> T:
    """The first true value that `probe` returns within `deadline` seconds, asked every `interval` seconds.

    Raises TimeoutError naming `awaited`. A `probe` that raises ends the wait: that is how it reports a dead process.
    """
    pause = threading.Event()  # never set: its wait is the pause between two probes
    until = time.monotonic() + deadline
    while True:
        value = probe()
        if value:
            return value
        if time.monotonic() >= until:
            raise TimeoutError(f"waited {deadline:g} s for {awaited}")
        pause.wait(interval)
