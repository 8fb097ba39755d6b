"""`milvus-otel top` in a terminal: it keeps itself up to date, keys change it, and it leaves the terminal as it was."""

import os
import pty
import re
import signal
import subprocess
import sys
import termios
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread

import pytest

from tests.peers.waiting import wait_until
from tests.support.page import Shown, shown

SECONDS = 60.0
_COLOURS = re.compile(r"\x1b\[[\d;]*m")


def _heeds_sigint() -> None:
    """A shell that starts tests in the background has their children ignore it."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


class Terminal:
    """A program in a terminal of its own."""

    def __init__(self, *arguments: str) -> None:
        self.screen, inside = pty.openpty()
        self.inside = inside
        environ = {**os.environ, "TERM": "xterm", "COLUMNS": "100", "LINES": "30"}
        self.program = subprocess.Popen(
            [sys.executable, "-c", "from milvus_otel_processor.cli import main; main()", *arguments],
            stdin=inside,
            stdout=inside,
            stderr=inside,
            env=environ,
            start_new_session=True,
            preexec_fn=_heeds_sigint,  # noqa: PLW1509 - it only sets a signal
        )
        self.shown = b""
        self._seen = 0
        self._reader = Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        while True:
            try:
                part = os.read(self.screen, 65536)
            except OSError:
                return
            if not part:
                return
            self.shown += part

    def sees(self, text: str) -> None:
        """Wait until this text comes, whatever its colours, behind what was seen before."""

        def there() -> int:
            return self.text.find(text, self._seen) + 1

        try:
            self._seen = wait_until(there, f"{text!r} on the screen", deadline=SECONDS) - 1 + len(text)
        except TimeoutError as error:
            raise AssertionError(f"{error}; it shows {self.text[-2000:]!r}") from None

    @property
    def text(self) -> str:
        """All that was shown, without colours."""
        return _COLOURS.sub("", self.shown.decode("utf-8", "replace"))

    def press(self, keys: str) -> None:
        os.write(self.screen, keys.encode())


@contextmanager
def top(page: Shown, *arguments: str) -> Iterator[Terminal]:
    terminal = Terminal("top", "--from", page.url, "--interval", "0.5", *arguments)
    try:
        yield terminal
    finally:
        terminal.program.kill()
        terminal.program.wait()
        os.close(terminal.inside)
        os.close(terminal.screen)


@pytest.fixture(scope="module")
def page() -> Iterator[Shown]:
    with shown() as running:
        yield running


def test_keys_change_what_is_shown_and_q_ends_it_with_the_terminal_as_it_was(page: Shown) -> None:
    with top(page) as terminal:
        before = termios.tcgetattr(terminal.inside)[3] | termios.ICANON | termios.ECHO
        terminal.sees("requests in the last")
        terminal.press("/ord")
        terminal.sees("filter: ord_")
        terminal.press("\r")
        terminal.sees("p pause")
        terminal.press("p")
        terminal.sees("Paused.")
        terminal.press("q")
        assert terminal.program.wait(timeout=SECONDS) == 0
        terminal.sees("\x1b[?1049l")
        assert termios.tcgetattr(terminal.inside)[3] == before


def test_ctrl_c_ends_it_quietly(page: Shown) -> None:
    with top(page) as terminal:
        terminal.sees("requests in the last")
        terminal.program.send_signal(signal.SIGINT)
        assert terminal.program.wait(timeout=SECONDS) == 0
        assert b"Aborted" not in terminal.shown
        assert b"Traceback" not in terminal.shown


def test_when_the_processor_goes_away_it_says_so_and_goes_on() -> None:
    with shown() as page, top(page) as terminal:
        terminal.sees("requests in the last")
        page.running.service.stop(grace_seconds=0)
        terminal.sees("no answer")
        terminal.press("q")
        assert terminal.program.wait(timeout=SECONDS) == 0
