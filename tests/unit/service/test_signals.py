"""Signals that come by a test's own queue, at a clock that is turned by hand."""

import signal
from queue import Queue

import pytest
from milvus_otel_processor.service.signals import Signals

from tests.peers.waiting import wait_until
from tests.support.clock import Clock

TERM, INT, HUP = signal.SIGTERM, signal.SIGINT, signal.SIGHUP


class Watched:
    """Signals, and what came of them."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.events: list[str] = []
        self.queue: Queue[int] = Queue()
        self.signals = Signals(
            on_hangup=lambda: self.events.append("reload"),
            on_impatience=lambda: self.events.append("impatient"),
            clock=self.clock,
            next_signal=self._next,
            end=lambda status: self.events.append(f"ended {status}"),
        )

    def _next(self) -> int:
        self.queue.task_done() if self.taken else None
        self.taken = True
        return self.queue.get()

    taken = False

    def send(self, *received: int) -> None:
        for one in received:
            self.queue.put(one)
        wait_until(lambda: not self.queue.unfinished_tasks or "ended" in str(self.events), "the signals to be seen")


@pytest.mark.parametrize("first", [TERM, INT])
@pytest.mark.parametrize("echo", [TERM, INT])
def test_an_echo_within_two_seconds_changes_nothing(first: int, echo: int) -> None:
    watched = Watched()
    watched.send(first)
    watched.signals.wait()
    watched.clock.advance(2.0)
    watched.send(echo, echo)
    assert watched.events == []


def test_a_repeated_sigterm_never_shortens_the_grace() -> None:
    watched = Watched()
    watched.send(TERM)
    watched.clock.advance(1000)
    watched.send(TERM, HUP, TERM)
    assert watched.events == []


@pytest.mark.parametrize("first", [TERM, INT])
def test_a_sigint_more_than_two_seconds_later_ends_it(first: int) -> None:
    watched = Watched()
    watched.send(first)
    watched.clock.advance(2.01)
    watched.send(INT)
    assert watched.events == ["impatient", "ended 130"]


def test_sighup_reloads_until_the_end_begins() -> None:
    watched = Watched()
    watched.send(HUP, HUP, TERM, HUP)
    assert watched.events == ["reload", "reload"]
