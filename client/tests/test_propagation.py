"""What Milvus and other servers receive of the trace context."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Any

import grpc
import pytest
from milvus_otel_client.propagation import inject
from opentelemetry import baggage, context, propagate, trace
from opentelemetry.context import Context
from opentelemetry.instrumentation.grpc import GrpcAioInstrumentorClient, GrpcInstrumentorClient
from opentelemetry.propagators.textmap import TextMapPropagator
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, TraceState
from pymilvus import AsyncMilvusClient, MilvusClient
from pymilvus.grpc_gen import milvus_pb2, milvus_pb2_grpc

if TYPE_CHECKING:
    from collections.abc import Callable

    from client.tests.conftest import Telemetry
    from client.tests.fake_milvus import FakeMilvus

VECTOR = [0.1, 0.2, 0.3, 0.4]
SAMPLED_AND_RANDOM = TraceFlags(0x03)
_CALLER = SpanContext(
    0xABC, 0xDEF, is_remote=True, trace_flags=SAMPLED_AND_RANDOM, trace_state=TraceState([("k", "v")])
)


def _traceparent(milvus: FakeMilvus, method: str = "Search") -> tuple[str, str, str]:
    found = re.fullmatch(r"00-([0-9a-f]{32})-([0-9a-f]{16})-(..)", milvus.metadata_of(method)[-1]["traceparent"])
    assert found
    return found.group(1), found.group(2), found.group(3)


def _inside_caller() -> Context:
    return trace.set_span_in_context(NonRecordingSpan(_CALLER))


def test_milvus_gets_the_rpc_spans_ids_and_only_the_sampled_flag(
    client: MilvusClient, milvus: FakeMilvus, telemetry: Telemetry, instrument: Callable[..., Any]
) -> None:
    instrument()
    token = context.attach(_inside_caller())
    client.search("c", [VECTOR])
    context.detach(token)
    (rpc,) = telemetry.rpcs
    assert rpc.context is not None
    assert _traceparent(milvus) == (f"{0xABC:032x}", f"{rpc.context.span_id:016x}", "01")
    assert milvus.metadata_of("Search")[0]["tracestate"] == "k=v"
    assert rpc.name == "/milvus.proto.milvus.MilvusService/Search"
    assert dict(rpc.attributes or {}) == {
        "rpc.system": "grpc",
        "rpc.service": "milvus.proto.milvus.MilvusService",
        "rpc.method": "Search",
        "rpc.grpc.status_code": 0,
    }


def test_without_rpc_spans_milvus_gets_the_operations_ids(
    client: MilvusClient, milvus: FakeMilvus, telemetry: Telemetry, instrument: Callable[..., Any]
) -> None:
    instrument(rpc_spans=False)
    client.search("c", [VECTOR])
    assert not telemetry.rpcs
    context_ = telemetry.operation.context
    assert context_ is not None
    assert _traceparent(milvus) == (f"{context_.trace_id:032x}", f"{context_.span_id:016x}", "01")


def test_rpc_spans_are_turned_off_by_the_environment_too(
    client: MilvusClient, telemetry: Telemetry, instrument: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_PYTHON_MILVUS_RPC_SPANS", "false")
    instrument()
    client.search("c", [VECTOR])
    assert not telemetry.rpcs
    assert telemetry.operations


def test_a_trace_that_is_not_sampled_is_not_sampled_in_milvus_either(
    client: MilvusClient, milvus: FakeMilvus, instrument: Callable[..., Any]
) -> None:
    instrument(tracer_provider=TracerProvider(ALWAYS_OFF, shutdown_on_exit=False))
    client.search("c", [VECTOR])
    assert _traceparent(milvus)[2] == "00"


def test_an_async_client_sends_the_same(
    milvus: FakeMilvus, telemetry: Telemetry, instrument: Callable[..., Any]
) -> None:
    instrument()

    async def search() -> None:
        client = AsyncMilvusClient(milvus.uri)
        await client.search("c", [VECTOR])
        await client.close()

    asyncio.run(search())
    (rpc,) = [span for span in telemetry.rpcs if span.name.endswith("/Search")]
    assert rpc.context is not None
    assert _traceparent(milvus) == (f"{rpc.context.trace_id:032x}", f"{rpc.context.span_id:016x}", "01")


def test_with_the_gRPC_instrumentation_there_is_one_span_for_an_rpc_and_one_sampled_flag(  # noqa: N802
    milvus: FakeMilvus, telemetry: Telemetry, instrument: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The application's own use of it, before or after ours, sync and asyncio."""
    monkeypatch.setattr(trace, "get_tracer_provider", lambda: telemetry.tracer_provider)
    theirs = (GrpcInstrumentorClient(), GrpcAioInstrumentorClient())
    for instrumentor in theirs:
        instrumentor.instrument(tracer_provider=telemetry.tracer_provider)
    try:
        instrument()
        MilvusClient(milvus.uri).search("c", [VECTOR])

        async def search() -> None:
            client = AsyncMilvusClient(milvus.uri)
            await client.search("c", [VECTOR])
            await client.close()

        asyncio.run(search())
        assert len([span for span in telemetry.rpcs if span.name.endswith("/Search")]) == 2
        assert [entries["traceparent"][-2:] for entries in milvus.metadata_of("Search")] == ["01", "01"]
    finally:
        for instrumentor in theirs:
            instrumentor.uninstrument()


def test_calls_to_other_servers_keep_the_sdks_own_flags(
    milvus: FakeMilvus, telemetry: Telemetry, instrument: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trace, "get_tracer_provider", lambda: telemetry.tracer_provider)
    instrument()
    theirs = GrpcInstrumentorClient()
    theirs.instrument()
    try:
        with telemetry.tracer_provider.get_tracer("app").start_as_current_span("work") as span:
            flags = span.get_span_context().trace_flags
            carrier: dict[str, str] = {}
            propagate.inject(carrier)
            with grpc.insecure_channel(milvus.uri.removeprefix("http://")) as channel:
                milvus_pb2_grpc.MilvusServiceStub(channel).ShowCollections(milvus_pb2.ShowCollectionsRequest())
        assert flags == SAMPLED_AND_RANDOM
        assert carrier["traceparent"].endswith("-03")
        assert _traceparent(milvus, "ShowCollections")[2] == "03"
    finally:
        theirs.uninstrument()


def test_baggage_and_the_applications_propagators_reach_milvus(
    client: MilvusClient, milvus: FakeMilvus, instrument: Callable[..., Any]
) -> None:
    instrument()
    before = propagate.get_global_textmap()
    propagate.set_global_textmap(_Shop())
    token = context.attach(baggage.set_baggage("tenant", "blue"))
    try:
        client.search("c", [VECTOR])
    finally:
        context.detach(token)
        propagate.set_global_textmap(before)
    received = milvus.metadata_of("Search")[0]
    assert received["x-shop"] == "blue"
    assert received["traceparent"].endswith("-01")
    assert not [name for name in received if "bad" in name.lower()]


def test_w3c_baggage_is_sent_by_default(
    client: MilvusClient, milvus: FakeMilvus, instrument: Callable[..., Any]
) -> None:
    instrument()
    token = context.attach(baggage.set_baggage("tenant", "blue"))
    client.search("c", [VECTOR])
    context.detach(token)
    assert milvus.metadata_of("Search")[0]["baggage"] == "tenant=blue"


def test_a_client_request_id_is_kept_beside_the_trace_context(
    client: MilvusClient, milvus: FakeMilvus, telemetry: Telemetry, instrument: Callable[..., Any]
) -> None:
    instrument()
    client.search("c", [VECTOR], client_request_id="checkout-7")
    received = milvus.metadata_of("Search")[0]
    assert received["client-request-id"] == "checkout-7"
    assert "client_request_id" not in received
    assert received["traceparent"].endswith("-01")
    assert (telemetry.operation.attributes or {})["milvus.client_request_id"] == "checkout-7"


def test_what_the_application_put_into_the_metadata_is_kept() -> None:
    entries = inject(_CALLER, _inside_caller(), [("dbname", "shop"), ("baggage", "a=b"), ("traceparent", "old")])
    assert entries == [
        ("dbname", "shop"),
        ("baggage", "a=b"),
        ("client_request_id", f"{0xABC:032x}"),
        ("traceparent", f"00-{0xABC:032x}-{0xDEF:016x}-01"),
        ("tracestate", "k=v"),
    ]


def test_the_trace_id_is_the_request_id_that_milvus_writes_into_its_access_log(
    client: MilvusClient, milvus: FakeMilvus, instrument: Callable[..., Any]
) -> None:
    instrument()
    client.search("c", [VECTOR])
    client.insert("c", [{"id": 1, "vector": VECTOR}])
    for method in ("Search", "Insert"):
        received = milvus.metadata_of(method)[0]
        assert received["client_request_id"] == _traceparent(milvus, method)[0]
        assert "client-request-id" not in received


@pytest.mark.parametrize("key", ["client_request_id", "client-request-id"])
def test_a_request_id_of_the_application_is_the_only_one(key: str) -> None:
    for metadata in ([(key, "checkout-7")], [("client-request-id", ""), (key, "checkout-7")]):
        sent = [entry for entry in inject(_CALLER, _inside_caller(), metadata) if "request" in entry[0]]
        assert sent == [(key, "checkout-7")]


def test_where_no_traceparent_goes_no_request_id_goes_either() -> None:
    """Milvus 3.0 makes no span for a request with an id and without a trace."""
    assert inject(trace.INVALID_SPAN_CONTEXT, Context(), [("client-request-id", "")]) == [("client-request-id", "")]


def test_without_a_trace_there_is_no_traceparent() -> None:
    assert inject(trace.INVALID_SPAN_CONTEXT, Context(), None) == []


def test_baggage_is_sent_without_a_trace_too() -> None:
    entries = inject(trace.INVALID_SPAN_CONTEXT, baggage.set_baggage("tenant", "shop", Context()), None)
    assert entries == [("baggage", "tenant=shop")]


@pytest.mark.parametrize(("flags", "sent"), [(0x00, "00"), (0x01, "01"), (0x02, "00"), (0x03, "01"), (0xFF, "01")])
def test_of_all_trace_flags_only_sampled_is_sent(flags: int, sent: str) -> None:
    span_context = SpanContext(1, 2, is_remote=False, trace_flags=TraceFlags(flags))
    assert inject(span_context, Context(), None)[-1] == ("traceparent", f"00-{1:032x}-{2:016x}-{sent}")


class _Shop(TextMapPropagator):
    """An application's propagator, with two entries that gRPC would refuse."""

    def extract(self, *_: Any, **__: Any) -> Context:
        return Context()

    def inject(self, carrier: Any, context: Any = None, **_: Any) -> None:
        carrier["X-Shop"] = str(baggage.get_baggage("tenant", context))
        carrier["bad name"] = "value"
        carrier["x-bad-value"] = "line\nbreak"

    @property
    def fields(self) -> set[str]:
        return {"X-Shop"}
