"""A lock that nobody holds in a forked child: whoever held it in the parent is not there."""

from __future__ import annotations

import os
import threading


class Lock:
    """Held as ``with lock.held``; the same thread can hold it more than once."""

    def __init__(self) -> None:
        self.held = threading.RLock()
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._renew)

    def _renew(self) -> None:
        self.held = threading.RLock()
