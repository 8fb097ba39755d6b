"""The log of requests: written before they are taken, kept until what they hold is out."""

from pathlib import Path

import pytest
from milvus_otel_processor.receiver.exports import RefusedForNowError
from milvus_otel_processor.storage.journal import Journal
from milvus_otel_processor.telemetry.counters import Refused

from tests.support.clock import Clock


class Kept:
    """A journal, and a pipeline that is a list."""

    def __init__(self, folder: Path, clock: Clock | None = None) -> None:
        self.clock = clock or Clock()
        self.room = True
        self.journal = Journal(folder, fsync=False, has_room=lambda _: self.room, clock=self.clock, segment_bytes=1)
        self.taken: list[bytes] = []
        self.position = 0
        self.out = 0

    def take(self, *requests: bytes) -> None:
        for request in requests:
            self.journal.take(request, self._ingest)
            self.clock.advance(1.0)

    def _ingest(self, request: bytes) -> int:
        self.taken.append(request)
        return 0

    def forget(self, decided_until: float) -> None:
        self.journal.forget(decided_until, lambda: self.position, lambda position: position <= self.out)

    def left(self) -> list[bytes]:
        """What another process would find."""
        return list(Kept(self.journal.log._folder).journal.recovered())


@pytest.fixture
def kept(tmp_path: Path) -> Kept:
    return Kept(tmp_path)


def test_a_request_is_written_down_before_it_is_taken(kept: Kept) -> None:
    assert kept.journal.take(b"a", lambda _: len(kept.left())) == 1


def test_what_is_decided_and_out_is_forgotten_in_whole_segments(kept: Kept) -> None:
    began = kept.clock()
    kept.take(b"a", b"b", b"c")
    kept.clock.advance(2.0)
    kept.forget(began)
    assert kept.left() == [b"a", b"b", b"c"]
    kept.forget(began + 0.5)
    assert kept.left() == [b"b", b"c"]
    kept.forget(began + 10)
    assert kept.left() == []


def test_what_is_decided_stays_until_what_was_kept_of_it_is_out(kept: Kept) -> None:
    kept.take(b"a")
    kept.clock.advance(2.0)
    kept.position = 5
    kept.forget(kept.clock())
    kept.position = 9  # what came into the queue later does not matter
    kept.out = 4
    kept.forget(kept.clock())
    assert kept.left() == [b"a"]
    kept.out = 5
    kept.forget(kept.clock())
    assert kept.left() == []


def test_what_is_just_being_taken_is_not_forgotten(kept: Kept) -> None:
    left: list[bytes] = []

    def slow(_: bytes) -> int:
        kept.clock.advance(100.0)
        kept.forget(kept.clock())
        left.extend(kept.left())
        return 0

    kept.journal.take(b"a", slow)
    assert left == [b"a"]


def test_what_an_earlier_process_left_comes_back_in_its_order_and_stays_until_it_is_out(tmp_path: Path) -> None:
    before = Kept(tmp_path)
    before.take(b"a", b"b")
    after = Kept(tmp_path, before.clock)
    after.forget(after.clock() + 10)  # not before it is taken in
    assert list(after.journal.recovered()) == [b"a", b"b"]
    began = after.clock()
    after.take(b"c")
    assert after.left() == [b"a", b"b", b"c"]
    after.forget(began + 0.5)
    assert after.left() == [b"c"] or after.left() == []


def test_beyond_its_size_requests_are_refused_before_they_are_taken(kept: Kept) -> None:
    kept.room = False
    with pytest.raises(RefusedForNowError) as caught:
        kept.take(b"a")
    assert caught.value.reason is Refused.STORAGE_FULL
    assert (kept.taken, kept.left(), kept.journal.works) == ([], [], False)
    assert kept.journal.obstacle() is not None
    kept.room = True
    kept.take(b"a")
    assert kept.left() == [b"a"]


def test_a_disk_that_fails_is_told_tried_again_and_recovers_by_itself(
    kept: Kept, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(kept.journal.log, "append", fail)
        patched.setattr(kept.journal.log, "probe", fail)
        for _ in range(50):
            with pytest.raises(RefusedForNowError) as caught:
                kept.take(b"a")
        assert caught.value.reason is Refused.STORAGE_FAILED
        assert not kept.journal.works
        assert kept.journal.obstacle() is not None
        kept.clock.advance(1.5)
        kept.forget(0.0)
        assert not kept.journal.works
    assert caplog.text.count("the storage cannot be written to") == 1
    kept.clock.advance(1.5)
    kept.forget(0.0)  # nobody sends, because we are not ready: it is tried nevertheless
    assert kept.journal.works
    assert kept.journal.obstacle() is None
    assert "can be written to again" in caplog.text or kept.journal.works


def test_a_file_that_is_cut_in_the_middle_costs_what_was_cut_and_is_counted(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    before = Kept(tmp_path)
    before.take(b"first", b"second", b"third")
    segments = before.journal.log.segments()
    content = segments[1].path.read_bytes()
    segments[1].path.write_bytes(content[:-2])
    after = Kept(tmp_path)
    assert list(after.journal.recovered()) == [b"first", b"third"]
    assert after.journal.damaged_bytes == len(content) - 2
    assert "is damaged from byte 0 on" in caplog.text
