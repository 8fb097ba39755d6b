"""The instrumentor that ``opentelemetry-instrument`` finds, and that ``setup`` uses."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Self

from opentelemetry.instrumentation.environment_variables import OTEL_PYTHON_DISABLED_INSTRUMENTATIONS
from opentelemetry.instrumentation.instrumentor import BaseInstrumentor  # type: ignore[attr-defined] # has none

from milvus_otel_client import environment
from milvus_otel_client.checks import check_names, check_provider
from milvus_otel_client.locks import Lock
from milvus_otel_client.options import OPTION_NAMES, options_from
from milvus_otel_client.package import _instruments
from milvus_otel_client.patching import Patches
from milvus_otel_client.telemetry import Telemetry

if TYPE_CHECKING:
    from collections.abc import Collection

_logger = logging.getLogger(__name__)
ENTRY_POINTS = ("milvus", "milvus_otel")
"""Names by which ``OTEL_PYTHON_DISABLED_INSTRUMENTATIONS`` switches this instrumentation off: the first is also what
others call theirs, the second is this one's alone."""
_FROM_OPENTELEMETRY_INSTRUMENT = {"skip_dep_check", "raise_exception_on_conflict"}
"""Arguments that ``opentelemetry-instrument`` passes, one or the other."""


def is_disabled() -> bool:
    """Return whether ``OTEL_PYTHON_DISABLED_INSTRUMENTATIONS`` names this instrumentation."""
    return not {"*", *ENTRY_POINTS}.isdisjoint(environment.names(OTEL_PYTHON_DISABLED_INSTRUMENTATIONS))


_lock = Lock()
"""Held while pymilvus is instrumented or is not any more."""


class MilvusInstrumentor(BaseInstrumentor):  # type: ignore[misc]
    """Instruments pymilvus: ``MilvusInstrumentor().instrument()``.

    ``instrument`` takes, all of them optional:

    ``tracer_provider``, ``meter_provider``
        instead of the global ones
    ``rpc_spans``
        a child span for each rpc of an operation; True unless ``OTEL_PYTHON_MILVUS_RPC_SPANS`` says otherwise
    ``capture_query_text``
        ``db.query.text`` with its literals; False unless ``OTEL_PYTHON_MILVUS_CAPTURE_QUERY_TEXT`` says otherwise
    ``capture_error_messages``
        what Milvus says of a failure, in the span's status; True unless ``OTEL_PYTHON_MILVUS_CAPTURE_ERROR_MESSAGES`` says
        otherwise
    ``request_hook(span, operation, arguments)``
        before each operation, with the call's arguments by name
    ``response_hook(span, operation, result)``
        after each operation that did not fail

    pymilvus is not imported: its modules are patched when the application imports them, or at once if it has. Clients
    that exist are instrumented too.

    `instrument` raises TypeError for an argument that it does not know, or that is none of what is expected.
    """

    _patches: Patches | None = None

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        """Return the one instrumentor, also to threads that ask at the same time."""
        with _lock.held:
            instrumentor: Self = super().__new__(cls, *args, **kwargs)
            return instrumentor

    def instrument(self, **kwargs: Any) -> Any:
        """Instrument pymilvus, once."""
        with _lock.held:
            is_automatic = not _FROM_OPENTELEMETRY_INSTRUMENT.isdisjoint(kwargs)
            # that comes once by each of our entry points
            if is_automatic and (self.is_instrumented_by_opentelemetry or is_disabled()):
                return None
            return super().instrument(**kwargs)

    def uninstrument(self, **kwargs: Any) -> Any:
        """Leave pymilvus as it was."""
        with _lock.held:
            return super().uninstrument(**kwargs)

    def instrumentation_dependencies(self) -> Collection[str]:
        """Return the versions of pymilvus that can be instrumented."""
        return _instruments

    def _instrument(self, **kwargs: Any) -> None:
        check_names("MilvusInstrumentor.instrument", kwargs, OPTION_NAMES | {"tracer_provider", "meter_provider"})
        check_provider("tracer_provider", kwargs.get("tracer_provider"), "get_tracer")
        check_provider("meter_provider", kwargs.get("meter_provider"), "get_meter")
        tracer_provider = kwargs.pop("tracer_provider", None)
        meter_provider = kwargs.pop("meter_provider", None)
        self._patches = Patches(Telemetry(options_from(**kwargs), tracer_provider, meter_provider))
        self._patches.apply()

    def _uninstrument(self, **_kwargs: Any) -> None:
        if self._patches is not None:
            self._patches.undo()
            self._patches = None
