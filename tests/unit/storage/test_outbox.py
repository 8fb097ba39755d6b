"""Kept batches on disk."""

from pathlib import Path

import pytest
from milvus_otel_processor.storage.outbox import Outbox


def outbox(folder: Path, segment_bytes: int = 1 << 20, room: bool = True) -> Outbox:
    return Outbox(folder, fsync=False, has_room=lambda _: room, segment_bytes=segment_bytes)


def left(folder: Path) -> list[bytes]:
    """What another process would find."""
    found = outbox(folder)
    return [found.get(place) for place in found.recovered()]


@pytest.mark.parametrize("segment_bytes", [1, 25, 1 << 20])
def test_batches_are_there_until_they_are_done_with(tmp_path: Path, segment_bytes: int) -> None:
    box = outbox(tmp_path, segment_bytes)
    batches = [b"batch %d" % number for number in range(6)]
    places = [place for batch in batches if (place := box.put(batch)) is not None]
    assert left(tmp_path) == batches
    for number in (1, 4, 0):
        box.done(places[number])
    assert left(tmp_path) == [b"batch 2", b"batch 3", b"batch 5"]
    assert [box.get(places[number]) for number in (2, 3, 5)] == [b"batch 2", b"batch 3", b"batch 5"]
    for number in (5, 2, 3):
        box.done(places[number])
    assert list(tmp_path.iterdir()) == []
    assert box.log.bytes == 0
    again = box.put(b"more")
    assert again is not None
    assert left(tmp_path) == [b"more"]


def test_where_there_is_no_room_nothing_is_written(tmp_path: Path) -> None:
    assert outbox(tmp_path, room=False).put(b"batch") is None
    assert list(tmp_path.iterdir()) == []


def test_what_another_process_left_is_done_with_by_this_one(tmp_path: Path) -> None:
    outbox(tmp_path).put(b"a")
    box = outbox(tmp_path)
    (place,) = box.recovered()
    box.done(place)
    assert list(tmp_path.iterdir()) == []
