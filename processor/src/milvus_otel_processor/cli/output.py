"""Standard output that cannot be written, of a full disk for instance: told apart from what the program itself fails at."""

from __future__ import annotations

import io
import os
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from milvus_otel_processor.cli.complaints import fail

if TYPE_CHECKING:
    from collections.abc import Iterator

    from _typeshed import ReadableBuffer


class UnwritableError(Exception):
    """Standard output takes nothing more; the message says why. It is no OSError, which commands expect of their own files."""


class _Output(io.FileIO):
    def write(self, content: ReadableBuffer, /) -> int:
        try:
            return super().write(content)
        except BrokenPipeError:  # nobody reads any more: click ends quietly then
            raise
        except OSError as error:
            raise UnwritableError(error.strerror) from None


@contextmanager
def watched_output() -> Iterator[None]:
    """Write all of standard output while the block runs; end with a line on stderr and status 1 where that cannot be done."""
    _watch()
    try:
        try:
            yield
        finally:
            if sys.stdout is not None:
                sys.stdout.flush()  # while it can still be said that it failed
    except UnwritableError as error:
        _forget()
        fail(f"cannot write: {error}")
    except BrokenPipeError:
        _forget()
        sys.exit(1)


def _watch() -> None:
    out = sys.stdout
    if not isinstance(out, io.TextIOWrapper):  # there is none, or somebody else's
        return
    raw = getattr(out.buffer, "raw", out.buffer)  # with `python -u` there is nothing between the two
    if isinstance(raw, io.FileIO):  # a console of Windows is none
        out.flush()
        buffer = io.BufferedWriter(_Output(raw.fileno(), "wb", closefd=False))
        sys.stdout = io.TextIOWrapper(
            buffer, out.encoding, out.errors, newline="\n", line_buffering=out.line_buffering or out.write_through
        )


def _forget() -> None:
    """Have what is still to be written go nowhere: the interpreter tries once more at its end, and would complain."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
