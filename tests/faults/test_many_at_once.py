"""A sender with as many requests under way on one connection as it may have: none of them is refused by gRPC itself."""

from __future__ import annotations

from collections import Counter
from threading import BoundedSemaphore
from typing import TYPE_CHECKING

import grpc
import pytest

from tests.faults.program import Program
from tests.peers.otlp_sink import METHOD
from tests.support.peer import peer
from tests.support.spans import encoded, span

if TYPE_CHECKING:
    from pathlib import Path

AT_ONCE = 100  # max_concurrent_streams
REQUESTS = 5000


@pytest.mark.parametrize(
    ("request_", "answer"),
    [(encoded(span()), grpc.StatusCode.OK), (b"\x0a\xff", grpc.StatusCode.INVALID_ARGUMENT)],
    ids=["taken", "malformed"],
)
def test_requests_within_max_concurrent_streams_are_all_answered(
    request_: bytes, answer: grpc.StatusCode, tmp_path: Path
) -> None:
    # gRPC counts a request that is answered until Python has let go of it, and has a bound of its own for those.
    answers: Counter[grpc.StatusCode] = Counter()
    places = BoundedSemaphore(AT_ONCE)

    def answered(call: grpc.Future) -> None:
        answers[call.code()] += 1
        places.release()

    with peer() as server, Program(tmp_path, server.endpoint, storage=False) as program:
        program.start()
        program.wait_until_up()
        with grpc.insecure_channel(program.endpoint) as channel:
            export = channel.unary_unary(METHOD)
            for _ in range(REQUESTS):
                places.acquire()
                export.future(request_, timeout=120).add_done_callback(answered)
            for _ in range(AT_ONCE):
                places.acquire()
    assert answers == {answer: REQUESTS}
