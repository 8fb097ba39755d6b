"""What stands in for a method of pymilvus: the same call, inside a span.

Nothing here may change what the application sees: whatever goes wrong on the way to a span is logged, and the call goes
on.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from types import CellType, FunctionType
from typing import Any, Protocol

from opentelemetry import context as context_api

from milvus_otel_client.arguments import by_name, positional_names
from milvus_otel_client.futures import end_with_future
from milvus_otel_client.operations import Compound, Operation, operation_of
from milvus_otel_client.telemetry import CURRENT, Call, Telemetry

Method = Callable[..., Any]
_Args = tuple[Any, ...]
_Kwargs = dict[str, Any]


def traced_handler_method(name: str, method: Method, telemetry: Telemetry) -> Method:
    """Wrap a method of ``GrpcHandler`` or ``AsyncGrpcHandler``: one span, unless it is part of an operation already."""
    return _wrap(method, _HandlerMethod(name, operation_of(name), positional_names(method), telemetry))


def traced_compound(compound: Compound, telemetry: Telemetry, method: Method) -> Method:
    """Wrap a method of a client that calls several methods of the handler: they become parts of one operation."""
    return _wrap(method, _CompoundMethod(compound, Operation(compound.name), positional_names(method), telemetry))


def traced_connecting(telemetry: Telemetry, method: Method) -> Method:
    """Wrap a method that opens a connection: what fails before the first rpc of the handler is a span all the same."""

    @functools.wraps(method)
    def connect(*args: Any, **kwargs: Any) -> Any:
        started = telemetry.clock()
        try:
            return method(*args, **kwargs)
        except BaseException as error:
            telemetry.fail_to_connect(error, started)
            raise

    @functools.wraps(method)
    async def connect_async(*args: Any, **kwargs: Any) -> Any:
        started = telemetry.clock()
        try:
            return await method(*args, **kwargs)
        except BaseException as error:
            telemetry.fail_to_connect(error, started)
            raise

    return connect_async if inspect.iscoroutinefunction(inspect.unwrap(method)) else connect


def inside_decorators(method: Method, wrap: Callable[[Method], Method]) -> Method:
    """Wrap the function that a method's decorators call, in copies of them.

    pymilvus' deprecation decorators count the frames to the application, to warn with its line: a wrapper around them
    would be taken for the application.
    """
    inner = getattr(method, "__wrapped__", None)
    if not isinstance(method, FunctionType) or not inspect.isfunction(inner):
        return wrap(method)
    cells = method.__closure__ or ()
    if not any(_holds(cell, inner) for cell in cells):
        return wrap(method)
    wrapped = inside_decorators(inner, wrap)
    closure = tuple(CellType(wrapped) if _holds(cell, inner) else cell for cell in cells)
    copy = FunctionType(method.__code__, method.__globals__, method.__name__, method.__defaults__, closure)
    copy.__kwdefaults__ = method.__kwdefaults__
    functools.update_wrapper(copy, wrapped)
    return copy


def _holds(cell: CellType, value: object) -> bool:
    try:
        return cell.cell_contents is value
    except ValueError:  # it is empty
        return False


class HandedOver:
    """A method that its client gives to a thread: it runs in the context in which it was taken from the client."""

    def __init__(self, method: Method) -> None:
        self.__wrapped__ = method

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        method = self.__wrapped__
        if instance is None or inspect.iscoroutinefunction(method):  # asyncio's tasks have their creator's context
            return method.__get__(instance, owner)
        context = context_api.get_current()

        @functools.wraps(method)
        def run(*args: Any, **kwargs: Any) -> Any:
            token = context_api.attach(context)
            try:
                return method(instance, *args, **kwargs)
            finally:
                context_api.detach(token)

        return run


class _Traced(Protocol):
    """How a method's calls become operations."""

    @property
    def operation(self) -> Operation: ...

    def begin(self, instance: Any, args: _Args, kwargs: _Kwargs) -> Call | None:
        """Start the operation; None where the call is not to be traced."""

    def take_part(self, outer: Call, instance: Any, args: _Args, kwargs: _Kwargs) -> bool:
        """Tell the operation that is under way of this call; True if the result describes that operation."""


@dataclass(frozen=True, slots=True)
class _HandlerMethod:
    name: str
    operation: Operation
    names: tuple[str, ...]
    telemetry: Telemetry

    def begin(self, instance: Any, args: _Args, kwargs: _Kwargs) -> Call | None:
        operation, telemetry = self.operation, self.telemetry
        if (context := telemetry.wanted_in()) is None:
            return None
        if operation.unless is not None and getattr(instance, operation.unless, False):
            return None
        return telemetry.begin(operation, instance, by_name(self.names, args, kwargs), context)

    def take_part(self, outer: Call, instance: Any, args: _Args, kwargs: _Kwargs) -> bool:
        return outer.take_part(self.name, self.operation, instance, by_name(self.names, args, kwargs))


@dataclass(frozen=True, slots=True)
class _CompoundMethod:
    compound: Compound
    operation: Operation
    names: tuple[str, ...]
    telemetry: Telemetry

    def begin(self, _instance: Any, args: _Args, kwargs: _Kwargs) -> Call | None:
        if (context := self.telemetry.wanted_in()) is None:
            return None
        return self.telemetry.begin_compound(self.compound, by_name(self.names, args, kwargs), context)

    def take_part(self, _outer: Call, _instance: Any, _args: _Args, _kwargs: _Kwargs) -> bool:
        return False


def _wrap(method: Method, traced: _Traced) -> Method:
    # in pymilvus 2.5 the decorators of an async method are plain functions that return its coroutine
    is_async = inspect.iscoroutinefunction(inspect.unwrap(method))
    return _async(method, traced) if is_async else _sync(method, traced)


def _sync(method: Method, traced: _Traced) -> Method:
    operation = traced.operation

    @functools.wraps(method)
    def call_method(instance: Any, *args: Any, **kwargs: Any) -> Any:
        outer = CURRENT.get()
        if outer is not None and outer.is_under_way:
            describes = traced.take_part(outer, instance, args, kwargs)
            result = method(instance, *args, **kwargs)
            if describes:
                outer.take_result(operation, result)
            return result
        call = traced.begin(instance, args, kwargs)
        if call is None:
            return method(instance, *args, **kwargs)
        try:
            result = method(instance, *args, **kwargs)
        except BaseException as error:
            call.leave()
            call.fail(error)
            raise
        call.leave()
        if not (kwargs.get("_async") and end_with_future(call, operation, result)):
            call.succeed(operation.response, result)
        return result

    return call_method


def _async(method: Method, traced: _Traced) -> Method:
    operation = traced.operation

    @functools.wraps(method)
    async def call_method(instance: Any, *args: Any, **kwargs: Any) -> Any:
        outer = CURRENT.get()
        if outer is not None and outer.is_under_way:
            describes = traced.take_part(outer, instance, args, kwargs)
            result = await method(instance, *args, **kwargs)
            if describes:
                outer.take_result(operation, result)
            return result
        call = traced.begin(instance, args, kwargs)
        if call is None:
            return await method(instance, *args, **kwargs)
        try:
            result = await method(instance, *args, **kwargs)
        except BaseException as error:
            call.leave()
            call.fail(error)
            raise
        call.leave()
        call.succeed(operation.response, result)
        return result

    return call_method
