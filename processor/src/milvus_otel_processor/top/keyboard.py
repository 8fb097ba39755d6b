"""Keys as they are pressed, one by one, where there is a terminal to press them in."""

from __future__ import annotations

import os
import select
import sys
from contextlib import contextmanager
from time import sleep
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_MOST_BYTES = 64


@contextmanager
def keyboard() -> Iterator[Callable[[float], str] | None]:
    """Yield a function that waits for a key for some seconds and returns it, or an empty text; None without a terminal."""
    if not sys.stdin.isatty():
        yield None
        return
    try:
        import termios  # noqa: PLC0415 - not on every platform
        import tty  # noqa: PLC0415
    except ImportError:
        yield None
        return
    descriptor = sys.stdin.fileno()
    before = termios.tcgetattr(descriptor)
    try:
        tty.setcbreak(descriptor)
        yield lambda seconds: _pressed(descriptor, seconds)
    finally:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)


def _pressed(descriptor: int, seconds: float) -> str:
    ready, _, _ = select.select([descriptor], [], [], seconds)
    if not ready:
        return ""
    pressed = os.read(descriptor, _MOST_BYTES)
    if not pressed:  # the terminal is gone
        sleep(seconds)
        return ""
    return pressed.decode("utf-8", "ignore")
