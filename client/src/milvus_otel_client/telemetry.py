"""One operation's span and its duration, from the call to its end."""

from __future__ import annotations

import logging
import time
from contextvars import ContextVar, Token
from typing import TYPE_CHECKING, Any

from opentelemetry import context as context_api
from opentelemetry.instrumentation.utils import is_instrumentation_enabled
from opentelemetry.metrics import MeterProvider, get_meter
from opentelemetry.trace import Span, SpanKind, TracerProvider, get_tracer, set_span_in_context

from milvus_otel_client import attributes, errors
from milvus_otel_client.extractors import client_request_id, filter_text
from milvus_otel_client.target import target_of
from milvus_otel_client.version import __version__

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from opentelemetry.context import Context

    from milvus_otel_client.operations import Compound, Operation, Response
    from milvus_otel_client.options import Options

_logger = logging.getLogger(__name__)
_SCHEMA_URL = "https://opentelemetry.io/schemas/1.33.0"
_DURATION_BUCKETS = (0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10)
"""Seconds; the conventions ask for these for ``db.client.operation.duration``."""

CURRENT: ContextVar[Call | None] = ContextVar("milvus_otel_call", default=None)
"""The operation that is under way in this thread or task: what the handler is asked for meanwhile is part of it."""


class Telemetry:
    """Tracer, histogram and options of one instrumentation."""

    def __init__(
        self,
        options: Options,
        tracer_provider: TracerProvider | None = None,
        meter_provider: MeterProvider | None = None,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self.options = options
        self.is_active = True
        """False once undone: a wrapper that is left somewhere does nothing any more."""
        self.clock = clock
        self.tracer = get_tracer("milvus_otel_client", __version__, tracer_provider, _SCHEMA_URL)
        self.duration = get_meter("milvus_otel_client", __version__, meter_provider, _SCHEMA_URL).create_histogram(
            "db.client.operation.duration",
            unit="s",
            description="Duration of database client operations.",
            explicit_bucket_boundaries_advisory=_DURATION_BUCKETS,
        )

    def is_wanted(self) -> bool:
        """Tell whether a call that is about to be made is to be traced."""
        return self.is_active and is_instrumentation_enabled()

    def begin(self, operation: Operation, handler: Any, arguments: Mapping[str, Any]) -> Call | None:
        """Start an operation's span and make it the current one; None when that fails, which is logged."""
        try:
            identity = _identity(operation.name, operation.collection(arguments))
            identity.update(target_of(handler, arguments))
            call = Call(self, operation.name, identity, self.request_attributes(operation, arguments))
            call.enter(arguments)
        except Exception:
            _logger.exception("no span for the operation %s", operation.name)
            return None
        return call

    def begin_compound(self, compound: Compound, arguments: Mapping[str, Any]) -> Call | None:
        """Start the span of an operation that calls several methods of a handler, whose target is not known yet."""
        try:
            identity = _identity(compound.name, arguments.get("collection_name"))
            call = Call(self, compound.name, identity, {}, compound)
            call.enter(arguments)
        except Exception:
            _logger.exception("no span for the operation %s", compound.name)
            return None
        return call

    def request_attributes(self, operation: Operation, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Read the attributes of a request."""
        found: dict[str, Any] = {}
        for name, extract in operation.request:
            value = extract(arguments)
            if value is not None:
                found[name] = value
        if operation.settings is not None:
            operation.settings(arguments, found)
        if (request_id := client_request_id(arguments)) is not None:
            found[attributes.MILVUS_CLIENT_REQUEST_ID] = request_id
        if operation.filter_arguments:
            query = filter_text(arguments, operation.filter_arguments, literals=self.options.capture_query_text)
            if query is not None:
                found[attributes.DB_QUERY_TEXT] = query
        return found


class Call:
    """An operation under way."""

    __slots__ = (
        "_compound",
        "_context",
        "_context_token",
        "_current_token",
        "_identity",
        "_name",
        "_started",
        "_telemetry",
        "is_under_way",
        "span",
    )

    def __init__(
        self,
        telemetry: Telemetry,
        name: str,
        identity: dict[str, Any],
        request: Mapping[str, Any],
        compound: Compound | None = None,
    ) -> None:
        self._telemetry = telemetry
        self._name = name
        self._identity = identity
        self._compound = compound
        self.is_under_way = True
        """False once it has left; a task that it started, and that outlives it, still has it for its current one."""
        self._current_token: Token[Call | None] | None = None
        self._context_token: Token[Context] | None = None
        self._started = telemetry.clock()
        # all at once: the SDK takes them faster that way, and a sampler can see them
        self.span: Span = telemetry.tracer.start_span(
            _span_name(identity), kind=SpanKind.CLIENT, attributes={**identity, **request}
        )
        self._context = set_span_in_context(self.span)

    def enter(self, arguments: Mapping[str, Any]) -> None:
        """Make the span the current one, and call the request hook."""
        if (hook := self._telemetry.options.request_hook) is not None:
            _run_hook(hook, self.span, self._name, arguments)
        self._context_token = context_api.attach(self._context)
        self._current_token = CURRENT.set(self)

    def take_part(self, method: str, operation: Operation, handler: Any, arguments: Mapping[str, Any]) -> bool:
        """Learn from a method of the handler that is called meanwhile; True if its result describes this operation."""
        compound = self._compound
        if compound is None:
            return False
        try:
            if attributes.DB_NAMESPACE not in self._identity:
                self._locate(operation, handler, arguments)
            if compound.main == method:
                self.span.set_attributes(self._telemetry.request_attributes(operation, arguments))
        except Exception:
            _logger.exception("could not describe the operation %s", self._name)
        return compound.main == method

    def take_result(self, operation: Operation, result: Any) -> None:
        """Describe this operation by what one of its parts returned."""
        try:
            self.describe_result(operation.response, result)
        except Exception:
            _logger.exception("could not describe the result of %s", self._name)

    def _locate(self, operation: Operation, handler: Any, arguments: Mapping[str, Any]) -> None:
        """Take what a compound cannot know from the first method that it calls on the handler."""
        found = target_of(handler, arguments)
        collection = operation.collection(arguments)
        if collection is not None and attributes.DB_COLLECTION_NAME not in self._identity:
            found[attributes.DB_COLLECTION_NAME] = collection
        self._identity.update(found)
        self.span.update_name(_span_name(self._identity))
        self.span.set_attributes(found)

    def describe_result(self, response: Response, result: Any) -> None:
        """Set the attributes of the result."""
        if not self.span.is_recording():
            return
        for name, extract in response:
            value = extract(result)
            if value is not None:
                self.span.set_attribute(name, value)

    def leave(self) -> None:
        """Make what was current before current again; the span goes on until ``end``."""
        self.is_under_way = False
        if self._current_token is not None:
            try:
                CURRENT.reset(self._current_token)
            except ValueError:  # a coroutine that was closed from outside of its task
                _logger.debug("the operation %s ended in another context", self._name)
            self._current_token = None
        if self._context_token is not None:
            context_api.detach(self._context_token)
            self._context_token = None

    def succeed(self, response: Response, result: Any) -> None:
        """End an operation that returned."""
        try:
            self.describe_result(response, result)
            if (hook := self._telemetry.options.response_hook) is not None:
                _run_hook(hook, self.span, self._name, result)
        except Exception:
            _logger.exception("could not describe the result of %s", self._name)
        self.end({})

    def fail(self, error: BaseException) -> None:
        """End an operation that raised: status, code, and the trace id on the exception."""
        found: dict[str, str] = {}
        try:
            found = errors.describe(error)
            errors.set_failed(self.span, found, errors.message_of(error))
            errors.add_trace_id(error, self.span)
        except Exception:
            _logger.exception("could not describe the failure of %s", self._name)
        self.end(found)

    def fail_with_code(self, code: int, message: str) -> None:
        """End an operation that Milvus answered with an error code, where no exception tells of it."""
        found = errors.response_code(code)
        errors.set_failed(self.span, found, message)
        self.end(found)

    def end(self, error_attributes: Mapping[str, str]) -> None:
        """End the span and record the duration."""
        try:
            elapsed = self._telemetry.clock() - self._started
            # in the span's context, so that an exemplar can name the trace
            self._telemetry.duration.record(elapsed, {**self._identity, **error_attributes}, self._context)
            self.span.end()
        except Exception:
            _logger.exception("could not end the span of %s", self._name)


def _identity(name: str, collection: Any) -> dict[str, Any]:
    identity = {attributes.DB_SYSTEM_NAME: attributes.DB_SYSTEM_MILVUS, attributes.DB_OPERATION_NAME: name}
    if isinstance(collection, str) and collection:
        identity[attributes.DB_COLLECTION_NAME] = collection
    return identity


def _span_name(identity: Mapping[str, Any]) -> str:
    collection = identity.get(attributes.DB_COLLECTION_NAME)
    name: str = identity[attributes.DB_OPERATION_NAME]
    return f"{name} {collection}" if collection else name


def _run_hook(hook: Callable[[Span, str, Any], None], span: Span, name: str, value: Any) -> None:
    if not span.is_recording():
        return
    try:
        hook(span, name, value)
    except Exception:
        _logger.exception("the hook %r failed for the operation %s", hook, name)
