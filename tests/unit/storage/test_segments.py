"""A log in files, and what is made of files that are not whole."""

import errno
import os
from pathlib import Path

import pytest
from milvus_otel_processor.replay.recording import read as read_recording
from milvus_otel_processor.storage.folder import Folder, StorageError
from milvus_otel_processor.storage.segments import Damage, SegmentLog, records

from tests.support.spans import encoded, span


def log(folder: Path, segment_bytes: int = 1 << 20, fsync: bool = False) -> SegmentLog:
    return SegmentLog(folder, "requests", segment_bytes=segment_bytes, fsync=fsync)


def messages(found: SegmentLog) -> list[bytes]:
    return [record[1] for segment in found.segments() for record in records(segment) if not isinstance(record, Damage)]


@pytest.mark.parametrize("fsync", [False, True])
def test_what_was_appended_is_there_after_the_process_is_gone(tmp_path: Path, fsync: bool) -> None:
    written = log(tmp_path, segment_bytes=50, fsync=fsync)
    texts = [b"message %d" % number * 3 for number in range(10)]
    for text in texts:
        place = written.append(text)
        written.sync(place)
        assert written.read(place) == text
    again = log(tmp_path)  # without a word to the first one, as after kill -9
    assert messages(again) == texts
    assert again.bytes == written.bytes == sum(len(text) + 4 for text in texts)
    assert len(again.segments()) == 5
    again.append(b"more")
    assert messages(log(tmp_path)) == [*texts, b"more"]


def test_a_segment_is_a_recording_that_replay_reads(tmp_path: Path) -> None:
    request = encoded(span(1), span(2))
    written = log(tmp_path)
    written.append(request)
    written.append(request)
    (segment,) = written.segments()
    assert [message.request for message in read_recording(segment.path)] == [request, request]


def test_whole_segments_are_removed(tmp_path: Path) -> None:
    written = log(tmp_path, segment_bytes=1)
    for text in (b"a", b"b", b"c"):
        written.append(text)
    written.remove(written.segments()[0])
    assert messages(log(tmp_path)) == [b"b", b"c"]
    for segment in written.segments():
        written.remove(segment)
    assert (written.bytes, list(tmp_path.iterdir())) == (0, [])
    written.append(b"d")
    assert messages(written) == [b"d"]


@pytest.mark.parametrize("cut", range(1, 13))
def test_a_torn_last_write_costs_that_record_alone(tmp_path: Path, cut: int) -> None:
    written = log(tmp_path)
    written.append(b"whole")
    written.append(b"12345678")
    (segment,) = written.segments()
    os.truncate(segment.path, segment.size - cut)
    found = list(records(log(tmp_path).segments()[0]))
    assert [record[1] for record in found if not isinstance(record, Damage)] == [b"whole"]
    damage = [record for record in found if isinstance(record, Damage)]
    assert damage == ([Damage(9, 12 - cut, torn=True)] if cut < 12 else [])


@pytest.mark.parametrize("harm", [b"\xff\xff\xff\xff", b"\0\0\0\0"])
def test_what_is_no_record_ends_the_segment_and_is_told(tmp_path: Path, harm: bytes) -> None:
    written = log(tmp_path)
    for text in (b"first", b"second", b"third"):
        written.append(text)
    (segment,) = written.segments()
    content = segment.path.read_bytes()
    segment.path.write_bytes(content[:9] + harm + content[13:])
    found = list(records(log(tmp_path).segments()[0]))
    assert found[0][1] == b"first"  # type: ignore[index] # a record
    assert found[1:] == [Damage(9, len(content) - 9, torn=False)]


def test_a_record_that_does_not_fit_on_the_disk_leaves_no_part_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = log(tmp_path)
    written.append(b"before")

    def full(file: int, parts: tuple[bytes, ...]) -> int:
        os.write(file, parts[0] + parts[1][:1])
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "writev", full)
        with pytest.raises(OSError, match="No space"):
            written.append(b"too much")
    assert written.bytes == 10
    written.append(b"after")
    assert messages(log(tmp_path)) == [b"before", b"after"]


class TestTheFolder:
    def test_a_second_processor_does_not_get_it(self, tmp_path: Path) -> None:
        first = Folder(str(tmp_path / "new" / "folder"), create=True)
        with pytest.raises(StorageError, match=rf"is in use by another processor \(process {os.getpid()}\)"):
            Folder(str(first.path), create=True)
        first.close()
        Folder(str(first.path), create=False).close()  # the lock file that is left locks nobody out

    def test_one_that_is_missing_or_no_folder_is_told(self, tmp_path: Path) -> None:
        with pytest.raises(StorageError, match="No such file or directory; make it, or set create_directory: true"):
            Folder(str(tmp_path / "missing"), create=False)
        (tmp_path / "file").write_text("")
        with pytest.raises(StorageError, match="cannot use the folder"):
            Folder(str(tmp_path / "file"), create=True)

    def test_a_newer_format_is_told_from_ours(self, tmp_path: Path) -> None:
        Folder(str(tmp_path), create=True).close()
        (tmp_path / "format").write_text("2\n")
        with pytest.raises(StorageError, match="says format '2', this version knows 1"):
            Folder(str(tmp_path), create=True)
        (tmp_path / "format").write_text("")
        Folder(str(tmp_path), create=True).close()
