"""The processor's own log on stderr: one line for each event, as text or as JSON. It never blocks who logs."""

from __future__ import annotations

import json
import logging
import os
import sys
import time
from collections import deque
from contextlib import suppress
from threading import Condition, Thread
from time import monotonic
from typing import TYPE_CHECKING, Any, Literal

from milvus_otel_processor.printable import as_value, printable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warn": logging.WARNING, "error": logging.ERROR}
"""The Collector's names of levels."""

_NAMES = {logging.DEBUG: "debug", logging.INFO: "info", logging.WARNING: "warn", logging.ERROR: "error"}
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_LONGEST_TEXT = 4096
"""Characters of one message or value; what is longer, mostly somebody else's text, is cut."""
_HELD_BYTES = 1 << 20
"""Of lines that wait for a reader of stderr; what does not fit is dropped and counted."""
_FLUSH_SECONDS = 1.0


class KeyValueFormatter(logging.Formatter):
    """Writes `time level message key=value ...` on one line, whatever line breaks and control characters are in the texts."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        message = printable(" ".join(_cut(record.getMessage()).split()))
        fields = "".join(f" {key}={_value(value)}" for key, value in _values(record).items())
        return f"{_moment(record)} {_level(record):<5} {message}{fields}"


class JsonFormatter(logging.Formatter):
    """Writes one JSON object on a line, with the Collector's names: `level`, `ts`, `msg`, and the values."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        values = {key: _json_value(value) for key, value in _values(record).items()}
        line = {"level": _level(record), "ts": _moment(record), "msg": _cut(record.getMessage()), **values}
        return json.dumps(line)


def _moment(record: logging.LogRecord) -> str:
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(record.created))}.{int(record.msecs):03d}Z"


def _level(record: logging.LogRecord) -> str:
    return _NAMES.get(record.levelno, record.levelname.lower())


def _values(record: logging.LogRecord) -> Mapping[str, object]:
    values = {key: value for key, value in vars(record).items() if key not in _STANDARD}
    if record.exc_info and record.exc_info[1] is not None:
        error = record.exc_info[1]
        values["error"] = f"{type(error).__name__}: {error}"
    return values


def _value(value: object) -> str:
    if isinstance(value, list | tuple | set | frozenset):
        value = ",".join(str(item) for item in value)
    return as_value(_cut(str(value)))


def _json_value(value: object) -> Any:
    if isinstance(value, bool | int | float) or value is None:
        return value
    if isinstance(value, list | tuple | set | frozenset):
        return [_cut(str(item)) for item in value]
    return _cut(str(value))


def _cut(text: str) -> str:
    if len(text) <= _LONGEST_TEXT:
        return text
    return f"{text[:_LONGEST_TEXT]}… ({len(text) - _LONGEST_TEXT} characters more)"


class UnblockingHandler(logging.Handler):
    """Hands lines to a thread that writes them: where nobody reads, lines are dropped and counted, and who logs goes on."""

    def __init__(self, write: Callable[[bytes], object], *, held_bytes: int = _HELD_BYTES) -> None:
        super().__init__()
        self._write = write
        self._limit = held_bytes
        self._lines: deque[bytes] = deque()
        self._held = 0
        self._dropped = 0
        self._writing = False
        self._changed = Condition()
        Thread(target=self._write_lines, name="log", daemon=True).start()

    def emit(self, record: logging.LogRecord) -> None:
        """Take a record; never waits for the reader of the log."""
        try:
            line = self.format(record).encode("utf-8", "backslashreplace") + b"\n"
        except Exception:  # noqa: BLE001 - logging's own contract
            self.handleError(record)
            return
        with self._changed:
            if self._held + len(line) > self._limit:
                self._dropped += 1
                return
            self._lines.append(line)
            self._held += len(line)
            self._changed.notify_all()

    def flush(self, timeout: float = _FLUSH_SECONDS) -> None:
        """Wait until all lines are written, for `timeout` seconds at the most."""
        deadline = monotonic() + timeout
        with self._changed:
            while (self._lines or self._writing) and (left := deadline - monotonic()) > 0:
                self._changed.wait(left)

    def _write_lines(self) -> None:
        while True:
            with self._changed:
                while not self._lines:
                    self._changed.wait()
                lines, dropped = b"".join(self._lines), self._dropped
                self._lines.clear()
                self._writing, self._dropped = True, 0
            note = _note_of_dropped(dropped) if dropped else b""
            with suppress(OSError):  # closed, or on a full disk: there is no other place to say it
                self._write(lines + note)
            with self._changed:
                self._held -= len(lines)
                self._writing = False
                self._changed.notify_all()


def _note_of_dropped(lines: int) -> bytes:
    moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime())
    return b"%s.000Z warn  log lines were dropped, nobody read them: lines=%d\n" % (moment.encode(), lines)


def log_to_stderr(level: str, encoding: Literal["console", "json"] = "console") -> None:
    """Send the log of the whole program to stderr, from `level` on: debug, info, warn or error."""
    sys.stderr.flush()
    handler = UnblockingHandler(_write_to_stderr)
    handler.setFormatter(JsonFormatter() if encoding == "json" else KeyValueFormatter())
    logging.basicConfig(level=LEVELS[level], handlers=[handler], force=True)


def flush_log(timeout: float = _FLUSH_SECONDS) -> None:
    """Write what waits to be logged, for `timeout` seconds at the most: for those that end the program at once."""
    for handler in logging.getLogger().handlers:
        if isinstance(handler, UnblockingHandler):
            handler.flush(timeout)


_descriptor = [2]


def write_to(descriptor: int) -> None:
    """Write the log to this file descriptor from now on, in the place of stderr's own."""
    _descriptor[0] = descriptor


def _write_to_stderr(lines: bytes) -> None:
    view = memoryview(lines)
    while view:
        view = view[os.write(_descriptor[0], view) :]
