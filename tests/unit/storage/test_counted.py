"""Which requests are counted already, when an earlier process has shown them to somebody."""

from __future__ import annotations

import math
import os
from time import monotonic
from typing import TYPE_CHECKING

import pytest
from milvus_otel_processor.requests.repeated import Repeated
from milvus_otel_processor.storage import counted
from milvus_otel_processor.storage.counted import CountedLog
from milvus_otel_processor.storage.settings import FileStorageSettings
from milvus_otel_processor.storage.storage import Storage

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SPAN = b"span id!"


def trace(number: int) -> bytes:
    return number.to_bytes(16, "big")


def log(folder: Path, *, newest: Callable[[], int] = lambda: 1) -> tuple[CountedLog, Repeated]:
    made, repeats = CountedLog(folder, newest), Repeated()
    made.follow(repeats)
    return made, repeats


def show(log: CountedLog) -> None:
    """Have somebody shown what is counted."""
    log.shown(lambda: None, lambda act: act())


def count(repeats: Repeated, *numbers: int) -> list[bool]:
    """Count these requests; tell of each whether it was counted before."""
    return [repeats.is_repeated(trace(number), SPAN) for number in numbers]


def test_what_was_shown_is_known_to_the_next_process_and_what_was_not_shown_is_not(tmp_path: Path) -> None:
    first, repeats = log(tmp_path)
    assert count(repeats, 1, 2) == [False, False]
    show(first)
    count(repeats, 3)
    first.gather()
    _, repeats = log(tmp_path)
    assert count(repeats, 1, 2, 3) == [True, True, False]


def test_it_is_known_to_each_process_until_the_requests_are_gone_from_the_disk(tmp_path: Path) -> None:
    first, repeats = log(tmp_path, newest=lambda: 7)
    count(repeats, 1, 2)
    show(first)
    for _ in range(2):
        later, repeats = log(tmp_path, newest=lambda: 7)
        assert count(repeats, 1) == [True]
    later.forget(oldest_segment=7)
    assert list(tmp_path.iterdir())
    later.forget(oldest_segment=8)
    later.forget_recovered()
    assert not list(tmp_path.iterdir())
    assert count(repeats, 1, 2) == [True, False]  # the first came to this process, too


def test_what_somebody_is_shown_is_noted_and_nothing_that_is_counted_behind_that_moment(tmp_path: Path) -> None:
    made, repeats = log(tmp_path)
    counts: list[int] = []

    def undisturbed(act: Callable[[], tuple[int, bytes]]) -> tuple[int, bytes]:
        counts.extend([1, 2])
        count(repeats, 1, 2)
        found = act()
        count(repeats, 3)  # as soon as others may count again
        return found

    assert made.shown(lambda: len(counts), undisturbed) == 2
    (file,) = tmp_path.iterdir()
    assert file.read_bytes() == trace(1) + SPAN + trace(2) + SPAN
    show(made)
    assert file.read_bytes()[48:] == trace(3) + SPAN


def test_what_cannot_be_written_is_written_with_the_next_reading(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, repeats = log(tmp_path)
    count(repeats, 1, 2)
    with monkeypatch.context() as full:
        write = os.write
        full.setattr(os, "write", lambda descriptor, keys: write(descriptor, keys[:30]))  # as where a disk is full
        show(made)
    (file,) = tmp_path.iterdir()
    assert file.read_bytes() == b""
    count(repeats, 3)
    show(made)
    _, repeats = log(tmp_path)
    assert count(repeats, 1, 2, 3) == [True, True, True]


def test_where_nothing_is_counted_nothing_waits(tmp_path: Path) -> None:
    made, _ = log(tmp_path)
    for _ in range(100):
        made.gather()
    assert not made._pending


def test_what_is_noted_of_requests_that_are_gone_is_gone_at_the_next_look_and_at_the_end(tmp_path: Path) -> None:
    folder = tmp_path / "storage"
    settings = FileStorageSettings(directory=str(folder), create_directory=True)

    def look(storage: Storage) -> None:
        storage.forget(math.inf, lambda: 0, lambda _: True)

    for _ in range(2):
        storage, repeats = Storage(settings, monotonic), Repeated()
        storage.counted.follow(repeats)
        look(storage)
        assert count(repeats, 1) == [False]
        show(storage.counted)  # the last metrics, behind the last look
        assert storage.bytes == 24
        storage.close()
    assert not list(folder.glob("*.ids"))


def test_nothing_waits_for_a_reader_without_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counted, "_MOST_PENDING", 24)
    first, repeats = log(tmp_path)
    count(repeats, 1)
    first.gather()
    assert not list(tmp_path.iterdir())
    count(repeats, 2)
    first.gather()
    (file,) = tmp_path.iterdir()
    assert file.read_bytes() == trace(1) + SPAN + trace(2) + SPAN


def test_of_more_than_memory_is_meant_for_the_newest_are_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("milvus_otel_processor.storage.keys._FILE_BYTES", 48)
    monkeypatch.setattr(counted, "_MOST_RECOVERED", 72)
    first, repeats = log(tmp_path)
    for number in range(1, 6):
        count(repeats, number)
        show(first)
    _, repeats = log(tmp_path)
    assert count(repeats, 1, 2, 3, 4, 5) == [False, False, True, True, True]


def test_without_anybody_that_counts_nothing_is_noted(tmp_path: Path) -> None:
    made = CountedLog(tmp_path, lambda: 1)
    made.gather()
    show(made)
    made.forget_recovered()
    assert not list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_written_to_costs_no_reader_its_metrics(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "gone"
    made, repeats = log(folder)
    count(repeats, 1)
    show(made)
    assert "after a crash it counts twice" in caplog.text


def test_what_is_noted_is_kept_for_the_segment_that_is_the_newest_then(tmp_path: Path) -> None:
    newest = 7
    made, repeats = log(tmp_path, newest=lambda: newest)
    newest = 8  # begun since somebody last looked
    count(repeats, 1)
    show(made)
    made.forget(oldest_segment=8)
    assert list(tmp_path.iterdir())
    made.forget(oldest_segment=9)
    assert not list(tmp_path.iterdir())
