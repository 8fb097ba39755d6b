"""The instrumentor that ``opentelemetry-instrument`` finds, and that ``setup`` uses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from opentelemetry.instrumentation.instrumentor import BaseInstrumentor  # type: ignore[attr-defined] # has none

from milvus_otel_client.options import options_from
from milvus_otel_client.package import _instruments
from milvus_otel_client.patching import Patches
from milvus_otel_client.telemetry import Telemetry

if TYPE_CHECKING:
    from collections.abc import Collection


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
    """

    _patches: Patches | None = None

    def instrumentation_dependencies(self) -> Collection[str]:
        """Return the versions of pymilvus that can be instrumented."""
        return _instruments

    def _instrument(self, **kwargs: Any) -> None:
        tracer_provider = kwargs.pop("tracer_provider", None)
        meter_provider = kwargs.pop("meter_provider", None)
        self._patches = Patches(Telemetry(options_from(**kwargs), tracer_provider, meter_provider))
        self._patches.apply()

    def _uninstrument(self, **_kwargs: Any) -> None:
        if self._patches is not None:
            self._patches.undo()
            self._patches = None
