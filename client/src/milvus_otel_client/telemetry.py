"""One operation's span and its duration, from the call to its end."""

from __future__ import annotations

import time
from contextvars import ContextVar, Token
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from opentelemetry import context as context_api
from opentelemetry.context import Context
from opentelemetry.instrumentation.utils import is_instrumentation_enabled
from opentelemetry.metrics import MeterProvider, get_meter
from opentelemetry.trace import Span, SpanKind, TracerProvider, get_tracer, set_span_in_context

from milvus_otel_client import attributes, errors, messages
from milvus_otel_client.extractors import text
from milvus_otel_client.held import HeldRpcs
from milvus_otel_client.identity import identity_of
from milvus_otel_client.private import is_milvus_own, without_private
from milvus_otel_client.sanitizer import MAX_LENGTH, without_literals
from milvus_otel_client.surprises import logger_for
from milvus_otel_client.target import target_of
from milvus_otel_client.version import __version__

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from milvus_otel_client.identity import Identity
    from milvus_otel_client.operations import Compound, Operation, Response
    from milvus_otel_client.options import Options

_logger = logger_for(__name__)
_SCHEMA_URL = "https://opentelemetry.io/schemas/1.33.0"
_DURATION_BUCKETS = (0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10)
"""Seconds; the conventions ask for these for ``db.client.operation.duration``."""
_MAX_PARTS = 4
_MAX_REQUEST_ID = 255
_NOTHING: Mapping[str, Any] = MappingProxyType({})

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

    def fail_to_connect(self, error: BaseException, started: float) -> None:
        """Make a span for a connection that could not be opened, unless an operation has told of the error already."""
        under_way = CURRENT.get()
        if errors.is_told(error) or (under_way is not None and under_way.is_under_way):
            return
        try:
            if (context := self.wanted_in()) is None:
                return
            identity = identity_of("connect", None, None, None)
            start_time = time.time_ns() - int((self.clock() - started) * 1e9)
            found = identity.attributes.copy()
            call = Call(self, identity, found, {}, context, started=started, start_time=start_time)
        except Exception:
            _logger.exception("no span for a connection that failed")
            return
        call.leave()
        call.fail(error)

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
        if (context := get("context")) is None:
            request_id = get("client_request_id") or get("client-request-id")
        else:  # pymilvus from 2.6.1 on puts it there
            request_id = context._client_request_id  # noqa: SLF001
        if isinstance(request_id, str) and request_id:
            found[attributes.MILVUS_CLIENT_REQUEST_ID] = request_id[:_MAX_REQUEST_ID]
        for argument in operation.filter_arguments:
            value = get(argument)
            if isinstance(value, str) and value:
                shown = value[:MAX_LENGTH] if self.options.capture_query_text else without_literals(value)
                if shown is not None:
                    found[attributes.DB_QUERY_TEXT] = shown
                break


class Call:
    """An operation under way."""

    __slots__ = (
        "_answer",
        "_answer_before",
        "_arguments",
        "_arguments_of_parts",
        "_compound",
        "_context_token",
        "_current_token",
        "_held",
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
        started: float | None = None,
        start_time: int | None = None,
    ) -> None:
        """Start the span, call the request hook, and make the span the current one."""
        self._arguments: Mapping[str, Any] = arguments
        """What pymilvus was asked for: what Milvus says may repeat it."""
        self._arguments_of_parts: list[Mapping[str, Any]] | None = None
        """What pymilvus asked its handler for last."""
        self._answer: Any = None
        """What Milvus answered last, and before that: where the operation fails it is looked for the reason."""
        self._answer_before: Any = None
        self._held: HeldRpcs | None = None
        self._telemetry = telemetry
        self._identity = identity
        self._compound = compound
        self.is_under_way = True
        """False once it has left; a task that it started, and that outlives it, still has it for its current one."""
        self._started = telemetry.clock() if started is None else started
        # all at once: the SDK takes them faster that way, and a sampler can see them
        self.span: Span = telemetry.tracer.start_span(
            identity.span_name, context, SpanKind.CLIENT, request, start_time=start_time
        )
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
        if self._arguments_of_parts is None:
            self._arguments_of_parts = []
        elif len(self._arguments_of_parts) == _MAX_PARTS:
            del self._arguments_of_parts[0]
        self._arguments_of_parts.append(arguments)
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

    def take_answer(self, path: str, answer: Any) -> None:
        """Remember Milvus' answer to an rpc, until it is known whether the operation failed."""
        if self._held is not None:
            self._held.try_again(path)
        self._answer_before = self._answer
        self._answer = answer

    def _answer_in(self, error: BaseException) -> str | None:
        """Return the reason that Milvus gave for refusing an rpc, where the error repeats it."""
        for answer in (self._answer, self._answer_before):
            status = getattr(answer, "status", answer)
            if getattr(status, "code", 0) or getattr(status, "error_code", 0):
                reason = getattr(status, "reason", None)
                if isinstance(reason, str) and messages.is_answer(error, reason):
                    return reason
        return None

    def hold(self, path: str, span: Span, error_type: str, description: str | None, *, is_unknown: bool) -> None:
        """Keep the span of an rpc that failed until it is known whether pymilvus could do without."""
        if self._held is None:
            self._held = HeldRpcs()
        self._held.add(path, span, error_type, description, is_unknown=is_unknown)

    def without_private(self, text: str) -> str:
        """Return what Milvus or gRPC says, without what is the application's."""
        if is_milvus_own(text, self._identity.words):
            return text
        literals = self._telemetry.options.capture_query_text
        text = without_private(text, self._arguments, literals=literals)
        for arguments in self._arguments_of_parts or ():
            text = without_private(text, arguments, literals=literals)
        return text

    def leave(self) -> None:
        """Make what was current before current again; the span goes on until ``end``."""
        self.is_under_way = False
        current, context = self._current_token, self._context_token
        self._current_token = self._context_token = None
        if current is None or context is None:
            return
        try:
            CURRENT.reset(current)
        except ValueError:
            # A coroutine that was closed from outside of its task: the tokens are of another context, and the API would
            # log that with a traceback.
            if context_api.get_current() is self.context:
                before = context.old_value
                context_api.attach(before if isinstance(before, Context) else Context())
            return
        context_api.detach(context)

    def succeed(self, response: Response, result: Any) -> None:
        """End an operation that returned."""
        try:
            if response and (span := self.span).is_recording():  # as in describe_result, without the call
                for name, extract in response:
                    if (value := extract(result)) is not None:
                        span.set_attribute(name, value)
            if (hook := self._telemetry.options.response_hook) is not None:
                _run_hook(hook, self.span, self._identity.operation, result)
        except Exception:
            _logger.exception("could not describe the result of %s", self._identity.operation)
        self.end(_NOTHING)

    def fail(self, error: BaseException) -> None:
        """End an operation that raised: status, code, and the trace id on the exception."""
        found: dict[str, str] = {}
        try:
            answer = self._answer_in(error)
            found = errors.describe(error, is_answer=answer is not None)
            if self.span.is_recording():
                errors.set_failed(self.span, found, self._message_of(error, answer))
            errors.add_trace_id(error, self.span)
            errors.set_told(error)
        except Exception:
            _logger.exception("could not describe the failure of %s", self._identity.operation)
        self.end(found)

    def fail_with_code(self, code: int, reason: str) -> None:
        """End an operation that Milvus answered with an error code, where no exception tells of it."""
        found = errors.response_code(code)
        is_told = self._telemetry.options.capture_error_messages
        errors.set_failed(self.span, found, messages.one_line(self.without_private(reason)) if is_told else None)
        self.end(found)

    def _message_of(self, error: BaseException, answer: str | None) -> str | None:
        if not self._telemetry.options.capture_error_messages:
            return None
        try:
            return messages.message_of(error, answer, self.without_private)
        except Exception:
            _logger.exception("no message for the failure of %s", self._identity.operation)
            return None

    def end(self, error_attributes: Mapping[str, str]) -> None:
        """End the span and record the duration."""
        try:
            # a context that outlives the call has it for its current one: what the application passed is not to stay
            self._arguments = _NOTHING
            self._arguments_of_parts = self._answer = self._answer_before = None
            if self._held is not None:
                self._held.end(is_failed=bool(error_attributes))
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
        hook_name = getattr(hook, "__qualname__", type(hook).__qualname__)
        _logger.exception("the hook %s failed for the operation %s", hook_name, name)
