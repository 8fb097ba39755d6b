"""The rpc level: every request to Milvus carries the trace context, in a span of its own unless that is turned off.

pymilvus calls ``handler._stub.Search(...)``. The stub is looked at anew at each call, so a stand-in for it sees the
rpcs of every client, made before or after instrumenting, through whatever channel and interceptors it has.
OpenTelemetry's gRPC instrumentation works on channels: it misses those that exist, and sends flags that Milvus rejects.
Where the application uses it too, it is suppressed for rpcs to Milvus, since the span here takes the place of its own.
"""

from __future__ import annotations

import functools
import sys
import weakref
from typing import TYPE_CHECKING, Any

import grpc
from opentelemetry import context as context_api
from opentelemetry.trace import Span, SpanKind, get_current_span, set_span_in_context

from milvus_otel_client import attributes
from milvus_otel_client.errors import grpc_code_of, type_name
from milvus_otel_client.held import set_rpc_failed
from milvus_otel_client.locks import Lock
from milvus_otel_client.messages import rpc_message_of
from milvus_otel_client.propagation import inject
from milvus_otel_client.surprises import logger_for
from milvus_otel_client.telemetry import CURRENT

if TYPE_CHECKING:
    from collections.abc import Callable

    from milvus_otel_client.telemetry import Call, Telemetry

_logger = logger_for(__name__)
_SUPPRESS = "suppress_instrumentation"
"""The key that every version of OpenTelemetry's instrumentations looks at."""
_GRPC_INSTRUMENTATION = "opentelemetry.instrumentation.grpc"
_OK = grpc.StatusCode.OK.value[0]
_METADATA_POSITION = 2
"""Of ``metadata`` in gRPC's ``(request, timeout, metadata, ...)``."""


class StubView:
    """What a ``MilvusServiceStub`` becomes: its rpcs are traced, each from when it is first used.

    The object stays the very same, since applications and tests compare it, and have it in their hands already.
    """

    _stub: Any
    """What the stub was: it has gRPC's own callables, and what was set on it since."""
    _telemetry: Telemetry

    def __setattr__(self, method: str, value: Any) -> None:
        # unittest.mock puts back what it read here, which must not be seen twice
        setattr(self._stub, method, value._target if isinstance(value, _RpcBase) else value)  # noqa: SLF001
        self.__dict__.pop(method, None)

    def __delattr__(self, method: str) -> None:
        self.__dict__.pop(method, None)
        delattr(self._stub, method)

    def __dir__(self) -> list[str]:
        return dir(self._stub)

    def __getattr__(self, method: str) -> Any:
        target = getattr(self._stub, method)
        if not callable(target):
            return target
        kind = _Stream if _is_stream(target) else _AioRpc if _is_aio(target) else _Rpc
        rpc = kind(target, method, self._telemetry)
        self.__dict__[method] = rpc
        return rpc


_becoming = Lock()


def _trace_stub(stub: Any, telemetry: Telemetry) -> None:
    """Make a view of a stub; whoever calls its rpcs meanwhile finds gRPC's own."""
    with _becoming.held:
        if isinstance(stub, StubView):
            return
        own = object.__new__(type(stub))
        rpcs = dict(vars(stub))
        vars(own).update(rpcs)
        vars(stub).update(_stub=own, _telemetry=telemetry)
        stub.__class__ = _view_of(type(stub))  # type: ignore[arg-type] # mypy takes classes for their instances
        for method in rpcs:
            vars(stub).pop(method, None)


def _leave_stub(stub: Any) -> None:
    """Make a view the stub again that it was."""
    with _becoming.held:
        own = vars(stub)["_stub"]
        vars(stub).update(vars(own))
        object.__setattr__(stub, "__class__", type(own))
        for name in vars(stub).keys() - vars(own).keys():
            del vars(stub)[name]


@functools.lru_cache(maxsize=16)
def _view_of(stub_type: type) -> type:
    return type(stub_type.__name__, (StubView, stub_type), {"__module__": stub_type.__module__})


class StubAttribute:
    """A data descriptor for ``handler._stub``: whichever stub is there becomes a view when it is read."""

    def __init__(self, name: str, stub_type: type, telemetry: Telemetry) -> None:
        self._name = name
        self._stub_type = stub_type
        self._telemetry = telemetry
        self._views: weakref.WeakSet[Any] = weakref.WeakSet()

    def __get__(self, handler: Any, _owner: type | None = None) -> Any:
        if handler is None:
            return self
        try:
            stub = handler.__dict__[self._name]
        except KeyError:
            raise AttributeError(f"{type(handler).__name__!r} object has no attribute {self._name!r}") from None
        stub_type = type(stub)
        # None before the first connection, or an application's own fake, is left alone
        if not issubclass(stub_type, StubView) and issubclass(stub_type, self._stub_type) and self._telemetry.is_active:
            self._views.add(stub)
            _trace_stub(stub, self._telemetry)
        return stub

    def __set__(self, handler: Any, stub: Any) -> None:
        handler.__dict__[self._name] = stub

    def __delete__(self, handler: Any) -> None:
        del handler.__dict__[self._name]

    def leave(self) -> None:
        """Leave each stub as it was."""
        for stub in list(self._views):
            _leave_stub(stub)
        self._views.clear()


def _under_way() -> Call | None:
    """Return the operation that an rpc is part of: the trace context goes with the rpc, as the operation is traced."""
    call = CURRENT.get()
    return call if call is not None and call.is_under_way else None


class _RpcBase:
    """An rpc of the stub; whatever else is asked of it, or set on it, is asked of gRPC's callable, or a test's fake."""

    _target: Any
    _telemetry: Telemetry
    _path: str
    _attributes: dict[str, str]

    def __init__(self, target: Any, method: str, telemetry: Telemetry) -> None:
        path = getattr(target, "_method", b"")
        path = path.decode() if isinstance(path, bytes) and path else f"/milvus.proto.milvus.MilvusService/{method}"
        service, _, name = path.strip("/").rpartition("/")
        self.__dict__.update(
            _target=target,
            _telemetry=telemetry,
            _path=path,
            _attributes={
                attributes.RPC_SYSTEM: "grpc",
                attributes.RPC_SERVICE: service,
                attributes.RPC_METHOD: name,
            },
        )

    def __getattr__(self, name: str) -> Any:
        return getattr(self._target, name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self._target, name, value)

    def __delattr__(self, name: str) -> None:
        delattr(self._target, name)

    def __dir__(self) -> list[str]:
        return dir(self._target)

    def _prepare(
        self, call: Call | None, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[tuple[Any, ...], Span | None]:
        """Put the trace context into the metadata; return the arguments, and the span of the rpc if it is to have one.

        A failure costs the span, never the rpc.
        """
        span = None
        try:
            context = context_api.get_current()
            if self._telemetry.options.rpc_spans:
                current = span = self._telemetry.tracer.start_span(
                    self._path, context, SpanKind.CLIENT, self._attributes
                )
                context = set_span_in_context(span, context)
            else:
                current = call.span if call is not None and call.context is context else get_current_span(context)
            if len(args) > _METADATA_POSITION:
                metadata = inject(current.get_span_context(), context, args[_METADATA_POSITION])
                args = (*args[:_METADATA_POSITION], metadata, *args[_METADATA_POSITION + 1 :])
            else:
                kwargs["metadata"] = inject(current.get_span_context(), context, kwargs.get("metadata"))
        except Exception:
            _logger.exception("no trace context for the rpc %s", self._path)
        return args, span

    def _end(self, span: Span) -> None:
        """End the span of an rpc that was answered."""
        try:
            if span.is_recording():
                span.set_attribute(attributes.RPC_GRPC_STATUS_CODE, _OK)
            span.end()
        except Exception:
            _logger.exception("could not end the span of the rpc %s", self._path)

    def _fail(self, call: Call | None, span: Span | None, error: BaseException, *, is_future: bool = False) -> None:
        """End the span of an rpc that failed, or leave that to the operation, which may do without it.

        An rpc that the server does not know is no error where there is no operation that it could fail.
        """
        if span is None:
            return
        try:
            if not span.is_recording():
                span.end()
                return
            code = grpc_code_of(error)
            if code is not None:
                span.set_attribute(attributes.RPC_GRPC_STATUS_CODE, code.value[0])
            error_type = type_name(error) if code is None else code.name
            is_unknown = code is grpc.StatusCode.UNIMPLEMENTED
            description = self._description(error, call)
            if call is not None and not is_future:
                call.hold(self._path, span, error_type, description, is_unknown=is_unknown)
                return
            if call is not None or not is_unknown:
                set_rpc_failed(span, error_type, description)
            span.end()
        except Exception:
            _logger.exception("could not end the span of the rpc %s", self._path)

    def _description(self, error: BaseException, call: Call | None) -> str | None:
        if not self._telemetry.options.capture_error_messages:
            return None
        return rpc_message_of(error, str if call is None else call.without_private)

    def _end_with_future(self, span: Span, call: Call | None, future: Any) -> None:
        """End the span of an rpc whose answer is there, on gRPC's thread."""
        try:
            error = future if future.cancelled() else future.exception()
        except Exception as raised:  # noqa: BLE001 - a future that cannot say is no reason to lose the span
            error = raised
        if error is None:
            self._end(span)
        else:
            self._fail(call, span, error, is_future=True)

    def _aside(self, start: Callable[..., Any]) -> Callable[..., Any]:
        """Return what starts the rpc while OpenTelemetry's gRPC instrumentation, if it is in use, is told to stay out."""
        if _GRPC_INSTRUMENTATION not in sys.modules:
            return start

        def suppressed(*args: Any, **kwargs: Any) -> Any:
            token = context_api.attach(context_api.set_value(_SUPPRESS, value=True))
            try:
                return start(*args, **kwargs)
            finally:
                context_api.detach(token)

        return suppressed


class _Rpc(_RpcBase):
    """A unary rpc of a sync channel."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        call = CURRENT.get()
        if call is None or not call.is_under_way:
            call = None
            if self._telemetry.wanted_in() is None:
                return self._target(*args, **kwargs)
        args, span = self._prepare(call, args, kwargs)
        start = self._target if _GRPC_INSTRUMENTATION not in sys.modules else self._aside(self._target)
        try:
            response = start(*args, **kwargs)
        except BaseException as error:
            self._fail(call, span, error)
            raise
        if call is not None:
            call.take_answer(self._path, response)
        if span is not None:
            self._end(span)
        return response

    @property
    def future(self) -> Any:
        """The call that returns at once."""
        return _Future(self)

    def start(self, *args: Any, **kwargs: Any) -> Any:
        """Start the rpc; the span ends when the answer is there."""
        call = _under_way()
        if call is None and self._telemetry.wanted_in() is None:
            return self._target.future(*args, **kwargs)
        args, span = self._prepare(call, args, kwargs)
        try:
            future = self._aside(self._target.future)(*args, **kwargs)
        except BaseException as error:
            self._fail(call, span, error)
            raise
        if span is None:
            return future
        if hasattr(future, "add_done_callback"):
            future.add_done_callback(functools.partial(self._end_with_future, span, call))
        else:  # a test's fake
            self._end(span)
        return future


class _Future:
    """gRPC's ``rpc.future``; what is asked of it or set on it otherwise is gRPC's, or a test's fake."""

    def __init__(self, rpc: _Rpc) -> None:
        self.__dict__["_rpc"] = rpc

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._rpc.start(*args, **kwargs)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._rpc._target.future, name)  # noqa: SLF001

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self._rpc._target.future, name, value)  # noqa: SLF001


class _AioRpc(_RpcBase):
    """A unary rpc of an asyncio channel."""

    async def __call__(self, *args: Any, **kwargs: Any) -> Any:
        call = _under_way()
        if call is None and self._telemetry.wanted_in() is None:
            return await self._target(*args, **kwargs)
        args, span = self._prepare(call, args, kwargs)
        start = self._target if _GRPC_INSTRUMENTATION not in sys.modules else self._aside(self._target)
        try:
            response = await start(*args, **kwargs)
        except BaseException as error:
            self._fail(call, span, error)
            raise
        if call is not None:
            call.take_answer(self._path, response)
        if span is not None:
            self._end(span)
        return response


class _Stream(_RpcBase):
    """An rpc with a stream of answers: it carries the trace context, and has no span of its own."""

    def _prepare(
        self, _call: Call | None, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[tuple[Any, ...], Span | None]:
        context = context_api.get_current()
        kwargs["metadata"] = inject(get_current_span(context).get_span_context(), context, kwargs.get("metadata"))
        return args, None

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        call = _under_way()
        if (call is None and self._telemetry.wanted_in() is None) or len(args) > _METADATA_POSITION:
            return self._target(*args, **kwargs)
        args, _ = self._prepare(call, args, kwargs)
        return self._aside(self._target)(*args, **kwargs)


def _is_stream(target: Any) -> bool:
    return isinstance(
        target,
        (
            grpc.UnaryStreamMultiCallable,
            grpc.StreamStreamMultiCallable,
            grpc.StreamUnaryMultiCallable,
            grpc.aio.UnaryStreamMultiCallable,
            grpc.aio.StreamStreamMultiCallable,
            grpc.aio.StreamUnaryMultiCallable,
        ),
    )


def _is_aio(target: Any) -> bool:
    return isinstance(target, grpc.aio.UnaryUnaryMultiCallable)
