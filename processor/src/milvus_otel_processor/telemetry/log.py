"""The processor's own log: one line for each event on stderr, `time level message key=value ...`."""

from __future__ import annotations

import json
import logging
import sys
import time

LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warn": logging.WARNING, "error": logging.ERROR}
"""The Collector's names of levels."""

_NAMES = {logging.DEBUG: "debug", logging.INFO: "info", logging.WARNING: "warn", logging.ERROR: "error"}
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class KeyValueFormatter(logging.Formatter):
    """Writes a record and its `extra` values on one line, whatever line breaks are in them."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        level = _NAMES.get(record.levelno, record.levelname.lower())
        values = {key: value for key, value in vars(record).items() if key not in _STANDARD}
        if record.exc_info and record.exc_info[1] is not None:
            error = record.exc_info[1]
            values["error"] = f"{type(error).__name__}: {error}"
        message = " ".join(record.getMessage().split())
        fields = "".join(f" {key}={_value(value)}" for key, value in values.items())
        return f"{moment}.{int(record.msecs):03d}Z {level:<5} {message}{fields}"


def _value(value: object) -> str:
    if isinstance(value, list | tuple | set | frozenset):
        value = ",".join(str(item) for item in value)
    text = str(value)
    plain = text.isprintable() and text and not any(character in text for character in ' "=')
    return text if plain else json.dumps(text, ensure_ascii=False)


def log_to_stderr(level: str) -> None:
    """Send the log of the whole program to stderr, from `level` on: debug, info, warn or error."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(KeyValueFormatter())
    logging.basicConfig(level=LEVELS[level], handlers=[handler], force=True)
