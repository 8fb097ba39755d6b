"""One HTTP connection: it has little time to say what it wants and to take the answer, and there are only so many."""

from __future__ import annotations

from typing import TYPE_CHECKING

from uvicorn.protocols.http.h11_impl import H11Protocol

if TYPE_CHECKING:
    import asyncio

READ_SECONDS = 5.0
"""In which a client has to say what it wants, from the connection or the last answer on."""
ANSWER_SECONDS = 60.0
"""In which what there is of an answer has to be taken."""
MOST = 256
"""Connections at once; for one more the one goes that has been silent for longest."""


class Connection(H11Protocol):
    """uvicorn's HTTP/1.1 connection with deadlines: uvicorn itself waits for ever for a request, and for an answer to be taken."""

    _deadline: asyncio.TimerHandle | None = None
    _answers = False  # whether the deadline is that of an answer

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn has it
        """Begin."""
        if len(self.connections) >= MOST and not self._make_room():
            transport.abort()
        super().connection_made(transport)
        self._within(READ_SECONDS)

    def data_received(self, data: bytes) -> None:
        """Take bytes in, up to a whole request."""
        super().data_received(data)
        if self.is_answering and not self._answers and not self.cycle.more_body:
            self._within(ANSWER_SECONDS)
            self._answers = True

    def on_response_complete(self) -> None:
        """Wait for the next request."""
        self._answers = False
        self._within(READ_SECONDS)
        super().on_response_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        """End, and leave no cycle behind: Python may have been told not to look for them."""
        if self._deadline is not None:
            self._deadline.cancel()
        self._unset_keepalive_if_required()
        super().connection_lost(exc)
        self.cycle = self.scope = self.flow = None  # type: ignore[assignment] # nothing asks any more
        # asyncio's transport holds a method of its own (CPython 3.11 to 3.14, selector_events.py), for which nobody asks now.
        self.transport._read_ready_cb = None  # type: ignore[attr-defined] # noqa: SLF001

    @property
    def is_answering(self) -> bool:
        """Whether a request is being answered."""
        return self.cycle is not None and not self.cycle.response_complete

    def _within(self, seconds: float) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
        self._deadline = self.loop.call_later(seconds, self._give_up)

    def _give_up(self) -> None:
        if self._answers and self.cycle.response_started and self.transport.get_write_buffer_size() == 0:
            self._within(ANSWER_SECONDS)  # it has taken all that there was: the answer is one that goes on
            return
        self.transport.abort()

    def _make_room(self) -> bool:
        silent = [one for one in self.connections if isinstance(one, Connection) and not one.is_answering]
        oldest = min(silent, key=lambda one: one.silent_since, default=None)
        if oldest is None:
            return False
        oldest.transport.abort()
        self.connections.discard(oldest)
        return True

    @property
    def silent_since(self) -> float:
        """When it last began to wait for a request; seconds of the loop's clock."""
        return self._deadline.when() if self._deadline is not None else 0.0
