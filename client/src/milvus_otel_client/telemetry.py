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
from milvus_otel_client.extractors import client_request_id, filter_text, text
from milvus_otel_client.identity import identity_of
from milvus_otel_client.target import target_of
from milvus_otel_client.version import __version__

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from opentelemetry.context import Context

    from milvus_otel_client.identity import Identity
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

    def wanted_in(self) -> Context | None:
        """Return the context that a call is about to be made in; None if the call is not to be traced."""
        context = context_api.get_current()
        # in an empty context nothing can be suppressed
        return context if self.is_active and (not context or is_instrumentation_enabled()) else None

    def begin(self, operation: Operation, handler: Any, arguments: Mapping[str, Any], context: Context) -> Call | None:
        """Start an operation's span and make it the current one; None when that fails, which is logged."""
        try:
            argument, extract = operation.collection
            collection = extract(arguments.get(argument))
            identity = identity_of(operation.name, collection, *target_of(handler, arguments))
            found = identity.attributes.copy()
            self.read_request(operation, arguments, found)
            return Call(self, identity, found, arguments, context)
        except Exception:
            _logger.exception("no span for the operation %s", operation.name)
            return None

    def begin_compound(self, compound: Compound, arguments: Mapping[str, Any], context: Context) -> Call | None:
        """Start the span of an operation that calls several methods of a handler, whose target is not known yet."""
        try:
            identity = identity_of(compound.name, text(arguments.get("collection_name")), None, None)
            return Call(self, identity, identity.attributes.copy(), arguments, context, compound=compound)
        except Exception:
            _logger.exception("no span for the operation %s", compound.name)
            return None

    def read_request(self, operation: Operation, arguments: Mapping[str, Any], found: dict[str, Any]) -> None:
        """Add the attributes of a request."""
        get = arguments.get
        for name, argument, extract in operation.request:
            value = get(argument)
            # most arguments are left out: no call for them
            if value is not None and (value := extract(value)) is not None:
                found[name] = value
        if operation.settings is not None:
            argument, extract_many = operation.settings
            if value := get(argument):
                extract_many(value, found)
        if (request_id := client_request_id(arguments)) is not None:
            found[attributes.MILVUS_CLIENT_REQUEST_ID] = request_id
        if operation.filter_arguments:
            query = filter_text(arguments, operation.filter_arguments, literals=self.options.capture_query_text)
            if query is not None:
                found[attributes.DB_QUERY_TEXT] = query


class Call:
    """An operation under way."""

    __slots__ = (
        "_compound",
        "_context_token",
        "_current_token",
        "_identity",
        "_started",
        "_telemetry",
        "context",
        "is_under_way",
        "span",
    )

    def __init__(
        self,
        telemetry: Telemetry,
        identity: Identity,
        request: Mapping[str, Any],
        arguments: Mapping[str, Any],
        context: Context,
        *,
        compound: Compound | None = None,
    ) -> None:
        """Start the span, call the request hook, and make the span the current one."""
        self._telemetry = telemetry
        self._identity = identity
        self._compound = compound
        self.is_under_way = True
        """False once it has left; a task that it started, and that outlives it, still has it for its current one."""
        self._started = telemetry.clock()
        # all at once: the SDK takes them faster that way, and a sampler can see them
        self.span: Span = telemetry.tracer.start_span(identity.span_name, context, SpanKind.CLIENT, request)
        self.context = set_span_in_context(self.span, context)
        """What the operation makes the current context."""
        if (hook := telemetry.options.request_hook) is not None:
            # a copy: they can be those that pymilvus is about to get
            _run_hook(hook, self.span, identity.operation, dict(arguments))
        self._context_token: Token[Context] | None = context_api.attach(self.context)
        self._current_token: Token[Call | None] | None = CURRENT.set(self)

    def take_part(self, method: str, operation: Operation, handler: Any, arguments: Mapping[str, Any]) -> bool:
        """Learn from a method of the handler that is called meanwhile; True if its result describes this operation."""
        compound = self._compound
        if compound is None:
            return False
        try:
            found: dict[str, Any] = {}
            if attributes.DB_NAMESPACE not in self._identity.attributes:
                self._locate(operation, handler, arguments, found)
            if compound.main == method:
                self._telemetry.read_request(operation, arguments, found)
            if found:
                self.span.set_attributes(found)
        except Exception:
            _logger.exception("could not describe the operation %s", self._identity.operation)
        return compound.main == method

    def take_result(self, operation: Operation, result: Any) -> None:
        """Describe this operation by what one of its parts returned."""
        try:
            self.describe_result(operation.response, result)
        except Exception:
            _logger.exception("could not describe the result of %s", self._identity.operation)

    def _locate(self, operation: Operation, handler: Any, arguments: Mapping[str, Any], found: dict[str, Any]) -> None:
        """Take what a compound cannot know from the first method that it calls on the handler."""
        before = self._identity
        argument, extract = operation.collection
        collection = before.attributes.get(attributes.DB_COLLECTION_NAME) or extract(arguments.get(argument))
        self._identity = after = identity_of(before.operation, collection, *target_of(handler, arguments))
        if after.span_name != before.span_name:
            self.span.update_name(after.span_name)
        found |= {name: value for name, value in after.attributes.items() if name not in before.attributes}

    def describe_result(self, response: Response, result: Any) -> None:
        """Set the attributes of the result."""
        span = self.span
        if response and span.is_recording():
            for name, extract in response:
                value = extract(result)
                if value is not None:
                    span.set_attribute(name, value)

    def leave(self) -> None:
        """Make what was current before current again; the span goes on until ``end``."""
        self.is_under_way = False
        if self._current_token is not None:
            try:
                CURRENT.reset(self._current_token)
            except ValueError:  # a coroutine that was closed from outside of its task
                _logger.debug("the operation %s ended in another context", self._identity.operation)
            self._current_token = None
        if self._context_token is not None:
            context_api.detach(self._context_token)
            self._context_token = None

    def succeed(self, response: Response, result: Any) -> None:
        """End an operation that returned."""
        try:
            self.describe_result(response, result)
            if (hook := self._telemetry.options.response_hook) is not None:
                _run_hook(hook, self.span, self._identity.operation, result)
        except Exception:
            _logger.exception("could not describe the result of %s", self._identity.operation)
        self.end({})

    def fail(self, error: BaseException) -> None:
        """End an operation that raised: status, code, and the trace id on the exception."""
        found: dict[str, str] = {}
        try:
            found = errors.describe(error)
            errors.set_failed(self.span, found, errors.message_of(error))
            errors.add_trace_id(error, self.span)
        except Exception:
            _logger.exception("could not describe the failure of %s", self._identity.operation)
        self.end(found)

    def fail_with_code(self, code: int, message: str) -> None:
        """End an operation that Milvus answered with an error code, where no exception tells of it."""
        found = errors.response_code(code)
        errors.set_failed(self.span, found, message)
        self.end(found)

    def end(self, error_attributes: Mapping[str, str]) -> None:
        """End the span and record the duration."""
        try:
            telemetry, identity = self._telemetry, self._identity.attributes
            telemetry.duration.record(
                telemetry.clock() - self._started,
                {**identity, **error_attributes} if error_attributes else identity,
                self.context,  # so that an exemplar can name the trace
            )
            self.span.end()
        except Exception:
            _logger.exception("could not end the span of %s", self._identity.operation)


def _run_hook(hook: Callable[[Span, str, Any], None], span: Span, name: str, value: Any) -> None:
    if not span.is_recording():
        return
    try:
        hook(span, name, value)
    except Exception:
        _logger.exception("the hook %r failed for the operation %s", hook, name)
