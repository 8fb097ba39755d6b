"""What is appended to Milvus' access log, cut into records as the Collector's receiver does it by `collector/config.yaml`.

There is no Collector in the demo, and the processor is to get what it gets behind one.
"""

from __future__ import annotations

import os
import re
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from io import FileIO
    from pathlib import Path

LINE_START_PATTERN = rb"^\[?\d{4}/\d{2}/\d{2} \d{2}:\d{2}:\d{2}\.\d{3} "
FORCE_FLUSH_PERIOD_SECONDS = 0.25
MAX_LOG_SIZE_BYTES = 256 << 10
"""These three are the Collector's settings of the same names."""
_STARTS = re.compile(LINE_START_PATTERN, re.MULTILINE)
_READ_BYTES = 1 << 20
_WHITE_SPACE = b"\r\n\t "  # what the Collector takes off both ends of a record


class Tail:
    """Follows the file of this path from its beginning, and into the next one of its name when it is renamed or truncated.

    The file need not be there yet. `clock` tells seconds.
    """

    def __init__(self, path: Path, clock: Callable[[], float]) -> None:
        self._path = path
        self._clock = clock
        self._file: FileIO | None = None
        self._held = b""
        self._grew = clock()

    def records(self) -> list[str]:
        """Return the records that are new, of very many the first ones; does not wait for any.

        The last one is held back until a next one begins, or nothing has come for the flush period.
        """
        found: list[str] = []
        ended = self._ended()
        data = self._read()
        if ended and not data:
            found += self.rest()
            self.close()
            data = self._read()
        if data:
            self._grew = self._clock()
            found += self._cut(data)
        elif self._clock() - self._grew >= FORCE_FLUSH_PERIOD_SECONDS:
            found += self.rest()
        return found

    def rest(self) -> list[str]:
        """Return the record that is held back, whole or not, if there is one."""
        held, self._held = self._held, b""
        return _texts([held])

    def close(self) -> None:
        """Let the file go."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _ended(self) -> bool:
        """Tell whether nothing will be appended to the open file behind what it holds now."""
        if self._file is None:
            return False
        try:
            of_name, of_file = self._path.stat(), os.fstat(self._file.fileno())
        except OSError:  # renamed, and the next one is not there yet
            return False
        return not os.path.samestat(of_name, of_file) or of_file.st_size < self._file.tell()

    def _read(self) -> bytes:
        try:
            if self._file is None:
                self._file = self._path.open("rb", buffering=0)
            return self._file.read(_READ_BYTES)
        except OSError:  # not there yet, or not to be read now: the next call tries again
            return b""

    def _cut(self, data: bytes) -> list[str]:
        held = self._held + data
        places = [0, *(start for match in _STARTS.finditer(held) if (start := match.start()) > 0)]
        self._held = held[places[-1] :]
        records = [held[start:end] for start, end in pairwise(places)]
        if len(self._held) > MAX_LOG_SIZE_BYTES:
            records.append(self._held)
            self._held = b""
        return _texts(records)


def _texts(records: list[bytes]) -> list[str]:
    stripped = (record.strip(_WHITE_SPACE) for record in records)
    pieces = (
        record[start : start + MAX_LOG_SIZE_BYTES]
        for record in stripped
        for start in range(0, len(record), MAX_LOG_SIZE_BYTES)
    )
    return [piece.decode("utf-8", "replace") for piece in pieces]
