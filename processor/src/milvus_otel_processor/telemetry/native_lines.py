"""What libraries in C++ write on stderr: gRPC's log, as lines of our own, and TLS handshakes that fail, counted.

gRPC tells Python nothing of a handshake that fails; it writes a line on stderr for each, as often as anybody connects, past our log
and its encoding. So the program's stderr is taken over: native code writes into a pipe, and a thread reads that.
"""

from __future__ import annotations

import faulthandler
import fcntl
import logging
import os
import re
import sys
from contextlib import suppress
from threading import Thread
from typing import TYPE_CHECKING

from milvus_otel_processor.telemetry import log
from milvus_otel_processor.telemetry.paced import PacedLog

if TYPE_CHECKING:
    from collections.abc import Callable

_log = logging.getLogger(__name__)

_ABSL = re.compile(rb"[IWEF]\d{4} [\d:.]+ +\d+ ([\w./-]+:\d+)\] (.*)", re.DOTALL)
_HANDSHAKE = b"Handshake failed"
_REASON = re.compile(rb"OPENSSL_internal:([A-Z0-9_]{1,64})")
_OTHER = "other"
_MOST_REASONS = 32
_LONGEST_LINE = 64 * 1024
_PIPE_BYTES = 1 << 20
_STDERR = 2


class NativeLines:
    """Tells lines apart: of gRPC's log those of failed handshakes are counted and logged, paced, others are for debugging.

    `on_handshake` is told why one failed. What is not of gRPC's log is written on as it came.
    """

    def __init__(self, on_handshake: Callable[[str], object], write: Callable[[bytes], object]) -> None:
        self._on_handshake = on_handshake
        self._write = write
        self._reasons: set[str] = set()
        self._paced = PacedLog(_log)

    def take(self, line: bytes) -> None:
        """Take one line, without its end."""
        found = _ABSL.fullmatch(line)
        if found is None:
            self._write(line + b"\n")
        elif found[2].startswith(_HANDSHAKE):
            reason = self._reason(found[2])
            self._on_handshake(reason)
            self._paced.tell(
                logging.WARNING, "a TLS handshake failed: reason=%s; docs/operations.md says what each means", reason
            )
        else:
            text = found[2].decode("utf-8", "replace")
            # The place in gRPC's code is the kind of the line: there are as many as that has.
            self._paced.tell(logging.DEBUG, f"gRPC says, at {found[1].decode()}: %s", text)

    def _reason(self, text: bytes) -> str:
        found = _REASON.search(text)
        reason = found[1].decode() if found is not None else _OTHER
        if reason not in self._reasons:
            if len(self._reasons) >= _MOST_REASONS:
                return _OTHER
            self._reasons.add(reason)
        return reason


def take_over_stderr(on_handshake: Callable[[str], object]) -> None:
    """Read what native code writes on stderr from now on; Python's own goes where it went before.

    Native code never waits for us: where the pipe is full, its lines are lost. The last words of a native crash are lost with it;
    Python then writes where each of its threads was.
    """
    own = os.dup(_STDERR)
    reads, writes = os.pipe()
    os.set_blocking(writes, False)
    with suppress(OSError):  # more than the limit of this user
        fcntl.fcntl(writes, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
    sys.stderr.flush()
    sys.stderr = os.fdopen(own, "w", buffering=1, encoding="utf-8", errors="backslashreplace", closefd=False)
    log.write_to(own)
    faulthandler.enable(own)
    os.dup2(writes, _STDERR)
    os.close(writes)
    lines = NativeLines(on_handshake, lambda line: os.write(own, line))
    Thread(target=_read, args=[reads, lines], name="native log", daemon=True).start()


def _read(descriptor: int, lines: NativeLines) -> None:
    rest = b""
    while content := os.read(descriptor, _LONGEST_LINE):
        *whole, rest = (rest + content).split(b"\n")
        if len(rest) > _LONGEST_LINE:
            whole.append(rest)
            rest = b""
        for line in whole:
            with suppress(Exception):  # one line must not end the reading of all later ones
                lines.take(line)
