"""zstd, so that what was cut short is an error and not an early end."""

from __future__ import annotations

from io import RawIOBase
from typing import TYPE_CHECKING

from zstandard import ZstdDecompressor, ZstdError

if TYPE_CHECKING:
    from io import BufferedReader

    from typing_extensions import Buffer
    from zstandard import ZstdDecompressionObj

MAGIC = b"\x28\xb5\x2f\xfd"
"""How a frame begins."""

_CHUNK = 1 << 16
_NO_END = "its zstd frame has no end"


class ZstdFrames(RawIOBase):
    """The content of a file of zstd frames, one after another: a Collector begins a new one when it is started anew.

    Reading raises ZstdError where it is none, and EOFError where the last frame has no end.
    """

    def __init__(self, file: BufferedReader) -> None:
        super().__init__()
        self._file = file
        self._frame: ZstdDecompressionObj | None = None
        self._following = b""
        self._content = b""

    def readable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, buffer: Buffer) -> int:
        """Fill the buffer as far as the next piece goes, and return how far that is: 0 at the end of the file."""
        while not self._content:
            chunk = self._following or self._file.read(_CHUNK)
            if not chunk:
                if self._frame is not None:
                    raise EOFError(_NO_END)
                return 0
            self._read(chunk)
        target = memoryview(buffer)
        size = min(len(target), len(self._content))
        target[:size] = self._content[:size]
        self._content = self._content[size:]
        return size

    def _read(self, chunk: bytes) -> None:
        if self._frame is None:
            self._frame = ZstdDecompressor().decompressobj()
        self._content = self._frame.decompress(chunk)
        self._following = self._frame.unused_data
        if self._frame.eof:
            self._frame = None


def inflate(frame: bytes) -> bytes:
    """Return the content of one frame. Raises ZstdError where it is none, and EOFError where it has no end."""
    inflating = ZstdDecompressor().decompressobj()
    content = inflating.decompress(frame)
    if not inflating.eof:
        raise EOFError(_NO_END)
    return content


__all__ = ["MAGIC", "ZstdError", "ZstdFrames", "inflate"]
