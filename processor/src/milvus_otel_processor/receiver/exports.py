"""One Export call: let in or refused, read, inflated, taken in, answered."""

from __future__ import annotations

import asyncio
import logging
from time import monotonic
from typing import TYPE_CHECKING, NoReturn, Protocol

import grpc
from google.rpc import code_pb2
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status

from milvus_otel_processor.receiver.inflate import (
    InflateError,
    TooLargeError,
    announced_size,
    inflate,
    is_compressed,
)
from milvus_otel_processor.telemetry.counters import Refused
from milvus_otel_processor.telemetry.paced import PacedLog

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from concurrent.futures import ThreadPoolExecutor

    from milvus_otel_processor.receiver.settings import GrpcSettings
    from milvus_otel_processor.telemetry.counters import Telemetry

    Take = Callable[[bytes], bytes]

_log = logging.getLogger(__name__)

_MIB = 1024 * 1024
_RETRY_SECONDS = 1
_SECONDS_TO_BE_CANCELLED = 0.1
"""For a call whose stream has ended, after which it is one that has no request."""
_MOST_READING = 1024
"""Requests that may be announced and not there yet; beyond it those that were announced first are let go of."""
_SECONDS_WITH_ROOM = 1.0
_FORGETTING = 0.98
"""How much of the size of a large request is expected of the next one."""
_Code = grpc.StatusCode


class InvalidRequestError(Exception):
    """A request is not what it should be, and never will be; the message says what is wrong."""


class FailedRequestError(Exception):
    """A fault of this program has cost a request; the message is for the sender."""


class RefusedForNowError(Exception):
    """A request cannot be taken now, and is to be sent again; the message says why. Nothing of it was taken."""

    def __init__(self, reason: Refused, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class Admission(Protocol):
    """Who may send, and whether there is room for what they send."""

    def is_authenticated(self, metadata: tuple[tuple[str, str | bytes], ...]) -> bool:
        """Tell whether a request with these headers may be read at all."""

    def check(self) -> None:
        """Raise RefusedForNowError where nothing can be taken now."""

    def reserve(self, size: int) -> bool:
        """Set aside the memory for a request of so many bytes; False where there is not so much."""

    def could_ever_take(self, size: int) -> bool:
        """Tell whether a request of so many bytes would fit if there were nothing else."""

    def release(self, size: int) -> None:
        """Give back what was reserved."""

    @property
    def in_danger(self) -> bool:
        """Whether memory is so short that what is being read has to be let go of."""


class _Room:
    """Memory that is set aside, and given back once."""

    def __init__(self, admission: Admission, size: int) -> None:
        self._admission = admission
        self._size = size
        self.is_there = admission.reserve(size)

    def give_back(self) -> None:
        if self.is_there:
            self.is_there = False
            self._admission.release(self._size)


class Exports:
    """Handles the Export calls of all services; all but `take` runs in the receiver's event loop."""

    def __init__(
        self,
        settings: GrpcSettings,
        telemetry: Telemetry,
        admission: Admission,
        workers: ThreadPoolExecutor,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._largest = settings.max_recv_msg_size_mib * _MIB
        self._read_timeout = settings.read_timeout
        self._telemetry = telemetry
        self._admission = admission
        self._workers = workers
        self._clock = clock
        self._reading: dict[asyncio.Timeout, RefusedForNowError] = {}
        """What is being read, and what is said of it where it does not come."""
        self._expected = 0.0
        self._closing = False
        self._paced = PacedLog(_log)

    def handler(self, take: Callable[[bytes], bytes]) -> grpc.RpcMethodHandler:
        """Return the handler of a method whose requests are given to `take`, in a worker thread, and answered with what it returns.

        Towards gRPC the method takes a stream of requests, of which there is one: so it is asked before that is read.
        """

        async def export(_: AsyncIterator[bytes], context: grpc.aio.ServicerContext[bytes, bytes]) -> bytes:
            began = self._clock()
            try:
                return await self._export(context, take)
            except RefusedForNowError as error:
                self._telemetry.refused_request(error.reason)
                self._paced.tell(
                    logging.WARNING, "refused for now, to be sent again: reason=%s %s", error.reason.value, error
                )
                await context.abort(_Code.RESOURCE_EXHAUSTED, str(error), _to_be_sent_again(str(error)))
            except InvalidRequestError as error:
                await self._refuse(context, _Code.INVALID_ARGUMENT, Refused.MALFORMED_REQUEST, str(error))
            except FailedRequestError as error:
                await self._refuse(context, _Code.INTERNAL, Refused.FAILED, str(error))
            except TooLargeError:
                message = f"larger than max_recv_msg_size_mib, {self._largest // _MIB} MiB, or than memory allows"
                await self._refuse(context, _Code.RESOURCE_EXHAUSTED, Refused.TOO_LARGE, message)
            finally:
                self._telemetry.request_duration.observe(self._clock() - began)
            raise AssertionError  # abort has raised already

        return grpc.stream_unary_rpc_method_handler(export)

    def keep_memory(self) -> None:
        """Where memory is short, let go of the requests that are being read, those first that have been for longest."""
        if self._admission.in_danger:
            for reading in list(self._reading)[: 1 + len(self._reading) // 2]:
                self._let_go(reading, RefusedForNowError(Refused.MEMORY_LIMIT, "memory is short"))

    def close(self) -> None:
        """Refuse what has not arrived yet."""
        self._closing = True
        for reading in list(self._reading):
            self._let_go(reading, RefusedForNowError(Refused.SHUTDOWN, "the processor is stopping"))

    async def _export(self, context: grpc.aio.ServicerContext[bytes, bytes], take: Callable[[bytes], bytes]) -> bytes:
        if not self._admission.is_authenticated(context.invocation_metadata() or ()):
            await self._refuse(context, _Code.UNAUTHENTICATED, Refused.UNAUTHENTICATED, "no token, or a wrong one")
        if self._closing:
            raise RefusedForNowError(Refused.SHUTDOWN, "the processor is stopping")
        self._admission.check()
        message = await self._read_with_room(context)
        size = len(message)
        if is_compressed(message):
            size += min(max(announced_size(message), size), self._largest)
        if not self._admission.could_ever_take(size):
            raise TooLargeError
        if not self._admission.reserve(size):
            raise RefusedForNowError(Refused.MEMORY_LIMIT, "there is no memory for it now")
        self._expected = max(float(len(message)), self._expected * _FORGETTING)
        # What was reserved is given back by the worker, because this may be cancelled while that is still at work.
        work = asyncio.get_running_loop().run_in_executor(self._workers, self._take, take, message, size)
        del message
        return await asyncio.shield(work)

    async def _read_with_room(self, context: grpc.aio.ServicerContext[bytes, bytes]) -> bytes:
        """Read a request. How large it is shows only then, so until then room is set aside for one as large as others lately."""
        room = _Room(self._admission, int(self._expected))
        if not room.is_there:
            self._expected *= _FORGETTING  # so that it is tried again in the end, even if no other has come meanwhile
            raise RefusedForNowError(Refused.MEMORY_LIMIT, "there is no memory for it now")
        # One that does not come soon sends slowly, or nothing: it must not keep others out.
        timer = asyncio.get_running_loop().call_later(_SECONDS_WITH_ROOM, room.give_back)
        try:
            message = await self._read(context)
        finally:
            timer.cancel()
            room.give_back()
        return message

    async def _read(self, context: grpc.aio.ServicerContext[bytes, bytes]) -> bytes:
        late = RefusedForNowError(Refused.READ_TIMEOUT, "it did not arrive in time")
        if len(self._reading) >= _MOST_READING:
            self._let_go(next(iter(self._reading)), late)
        reading = asyncio.timeout(self._read_timeout)
        try:
            async with reading:
                self._reading[reading] = late
                message = await context.read()
        except TimeoutError:
            raise self._reading[reading] from None
        finally:
            self._reading.pop(reading, None)
        if not isinstance(message, bytes):  # the end of the stream: no request came at all
            await self._told_if_cancelled(context)
            raise InvalidRequestError("there is no request")
        return message

    async def _told_if_cancelled(self, context: grpc.aio.ServicerContext[bytes, bytes]) -> None:
        """Wait for gRPC to end a call whose stream has ended: it does so right behind that, and does not say why."""
        try:
            await asyncio.sleep(_SECONDS_TO_BE_CANCELLED)
        except asyncio.CancelledError:
            self._telemetry.refused_request(Refused.CANCELLED)
            why = f"its sender gave up, or it is larger than max_recv_msg_size_mib, {self._largest // _MIB} MiB"
            reason = Refused.CANCELLED.value
            self._paced.tell(
                logging.WARNING, "a request did not come: reason=%s peer=%s %s", reason, context.peer(), why
            )
            raise

    def _let_go(self, reading: asyncio.Timeout, why: RefusedForNowError) -> None:
        if not reading.expired():
            self._reading[reading] = why
            reading.reschedule(asyncio.get_running_loop().time())

    def _take(self, take: Callable[[bytes], bytes], message: bytes, reserved: int) -> bytes:
        try:
            if is_compressed(message):
                try:
                    message = inflate(message, self._largest)
                except InflateError as error:
                    raise InvalidRequestError(f"it cannot be inflated: {error}") from None
            return take(message)
        finally:
            self._admission.release(reserved)

    async def _refuse(
        self, context: grpc.aio.ServicerContext[bytes, bytes], code: grpc.StatusCode, reason: Refused, why: str
    ) -> NoReturn:
        self._telemetry.refused_request(reason)
        self._paced.tell(logging.WARNING, "refused a request: reason=%s peer=%s %s", reason.value, context.peer(), why)
        await context.abort(code, why)
        raise AssertionError  # abort has raised already


def _to_be_sent_again(message: str) -> tuple[tuple[str, bytes], ...]:
    """Return the trailing metadata that makes senders try again: they compare its message with the status's own."""
    info = RetryInfo()
    info.retry_delay.FromSeconds(_RETRY_SECONDS)
    status = Status(code=code_pb2.RESOURCE_EXHAUSTED, message=message)
    status.details.add().Pack(info)
    return (("grpc-status-details-bin", bytes(status.SerializeToString())),)
