"""Tells the C library how to give memory back."""

from __future__ import annotations

import ctypes
import sys

_MMAP_THRESHOLD, _ARENA_MAX = -3, -8  # malloc.h
_LARGE_BYTES = 1 << 20


def tune_allocator() -> None:
    """Let large pieces of memory, which requests are, go back to the system as soon as they are free; on Linux with glibc.

    By itself glibc learns to keep them, in a heap that only grows where small pieces lie between them, and has eight of these
    for each core: a process then takes twice of what it uses.
    """
    if not sys.platform.startswith("linux"):
        return
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):  # another C library
        return
    mallopt(_MMAP_THRESHOLD, _LARGE_BYTES)
    mallopt(_ARENA_MAX, 2)
