"""Tells the C library how much memory to keep."""

from __future__ import annotations

import ctypes
import sys

_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -3, -8  # malloc.h
_LARGE_BYTES = 32 << 20
_KEPT_BYTES = 8 << 20


def tune_allocator() -> None:
    """Have the memory of one request used again for the next, and little more than that kept; on Linux with glibc.

    By itself glibc gives each large piece back to the system, so that every page of every request is a new one that the
    kernel has to clear: a fifth of all that a span costs (measured: docs/decisions.md). And it has eight heaps for each core, none
    of which another can use.
    """
    if not sys.platform.startswith("linux"):
        return
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):  # another C library
        return
    mallopt(_MMAP_THRESHOLD, _LARGE_BYTES)
    mallopt(_TRIM_THRESHOLD, _KEPT_BYTES)
    mallopt(_ARENA_MAX, 2)
