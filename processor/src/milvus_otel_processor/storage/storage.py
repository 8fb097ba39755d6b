"""What a processor keeps on disk, in one folder, under one bound."""

from __future__ import annotations

from typing import TYPE_CHECKING

from milvus_otel_processor.storage.counted import CountedLog
from milvus_otel_processor.storage.folder import Folder, StorageError
from milvus_otel_processor.storage.journal import Journal
from milvus_otel_processor.storage.outbox import Outbox
from milvus_otel_processor.storage.sent import SentLog

if TYPE_CHECKING:
    from collections.abc import Callable

    from milvus_otel_processor.storage.settings import FileStorageSettings

_MIB = 1 << 20
_REQUESTS_SHARE = 0.9
"""Of the folder's size, from which on requests are refused: what is left is for what is kept of those that were taken."""


class Storage:
    """The folder, with the requests and the kept batches in it. Raises StorageError where the folder cannot be used."""

    def __init__(self, settings: FileStorageSettings, clock: Callable[[], float]) -> None:
        self.limit = settings.max_size_mib * _MIB
        """How much may be on disk; bytes."""
        self._folder = Folder(settings.directory, create=settings.create_directory)
        try:
            self.outbox = Outbox(self._folder.path, fsync=settings.fsync, has_room=self._has_room)
            self.journal = Journal(
                self._folder.path, fsync=settings.fsync, has_room=self._has_room_for_request, clock=clock
            )
            self._left, self._recovered_is_gone = self._newest(), False
            self.sent = SentLog(self._folder.path, self._newest)
            self.counted = CountedLog(self._folder.path, self._newest)
        except OSError as error:
            self._folder.close()
            raise StorageError(f"{error.filename}: cannot be read: {error.strerror}") from None

    def forget(self, decided_until: float, position: Callable[[], int], is_out: Callable[[int], bool]) -> None:
        """Remove what is not needed any longer: see `Journal.forget`."""
        self.journal.forget(decided_until, position, is_out)
        self._forget_keys()

    def _forget_keys(self) -> None:
        newest = self._newest()  # first, for one that begins meanwhile is not gone
        segments = self.journal.log.segments()
        oldest = segments[0].number if segments else newest + 1
        self.sent.forget(oldest)
        self.counted.forget(oldest)
        if not self._recovered_is_gone and oldest > self._left:
            self._recovered_is_gone = True
            self.counted.forget_recovered()

    @property
    def bytes(self) -> int:
        """How much is on disk."""
        return self.journal.log.bytes + self.outbox.log.bytes + self.sent.size + self.counted.size

    @property
    def damaged_bytes(self) -> int:
        """How much of what earlier processes left could not be read."""
        return self.journal.damaged_bytes + self.outbox.damaged_bytes

    def close(self) -> None:
        """Let another process have the folder."""
        self._forget_keys()
        self.journal.log.close()
        self.outbox.log.close()
        self._folder.close()

    def _newest(self) -> int:
        return self.journal.log.newest

    def _has_room(self, size: int) -> bool:
        return self.bytes + size <= self.limit

    def _has_room_for_request(self, size: int) -> bool:
        return self.bytes + size <= self.limit * _REQUESTS_SHARE
