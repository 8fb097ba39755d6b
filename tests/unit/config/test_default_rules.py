"""The built-in rules over small traces, with the names that Milvus 2.3.5 was seen to send."""

from __future__ import annotations

import pytest
from milvus_otel_processor.config import load_config
from milvus_otel_processor.sampling.sampler import Sampler
from milvus_otel_processor.spans.contract import Trace
from milvus_otel_processor.spans.groups import Group, GroupRegistry
from milvus_otel_processor.spans.trace import ReferenceTrace
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

MS = 1_000_000
UNLUCKY = bytes(16)
"""A trace id that the share of one in ten does not choose."""

INTERNAL = [
    "milvus.proto.rootcoord.RootCoord/AllocTimestamp",
    "milvus.proto.rootcoord.RootCoord/UpdateChannelTimeTick",
    "milvus.proto.data.DataCoord/ReportDataNodeTtMsgs",
    "milvus.proto.query.QueryNode/GetDataDistribution",
    "milvus.proto.query.QueryNode/GetComponentStates",
    "milvus.proto.query.QueryCoord/GetMetrics",
    "milvus.proto.data.DataCoord/GetMetrics",
    "milvus.proto.proxy.Proxy/GetProxyMetrics",
    "milvus.proto.proxy.Proxy/SetRates",
    "milvus.proto.query.QueryNode/SyncDistribution",
]
BACKGROUND = [
    "Operate",
    "SendMsg",
    "LoadCollection",
    "ChannelTask-Reduce-by-dev-rootcoord-dml_0_470643434947870833v0",
    "ChannelTask-Grow-by-dev-rootcoord-dml_2_470643434948071268v0",
]
SEARCH = "milvus.proto.milvus.MilvusService/Search"


@pytest.fixture(scope="module")
def sampler() -> Sampler:
    config = load_config(None, environ={}).config
    assert config.tail_sampling is not None
    return Sampler(config.tail_sampling)


def trace(root: str, *children: str, service: str = "standalone", error: bool = False, ms: int = 5) -> Trace:
    request = ExportTraceServiceRequest()
    resource_spans = request.resource_spans.add()
    resource_spans.resource.attributes.add(key="service.name").value.string_value = service
    spans = resource_spans.scope_spans.add().spans
    for index, name in enumerate((root, *children)):
        span = spans.add(trace_id=UNLUCKY, span_id=bytes([index + 1]) * 8, name=name)
        span.parent_span_id = bytes([1]) * 8 if index else b""
        span.start_time_unix_nano, span.end_time_unix_nano = 0, ms * MS
        if "/" in name:
            span.attributes.add(key="rpc.service").value.string_value = name.split("/")[0]
    if error:
        spans[-1].status.code = spans[-1].status.STATUS_CODE_ERROR
    ((group, raw),) = GroupRegistry().split(request.SerializeToString())
    return ReferenceTrace(UNLUCKY, [group] * len(raw), list(raw))


def verdict(sampler: Sampler, it: Trace) -> tuple[str, str | None]:
    decision, policy = sampler.decide(it)
    return decision.value, policy


@pytest.mark.parametrize("name", INTERNAL)
def test_a_heartbeat_is_dropped_even_if_it_failed_or_was_slow(sampler: Sampler, name: str) -> None:
    assert verdict(sampler, trace(name)) == ("dropped", "milvus-heartbeats")
    assert verdict(sampler, trace(name, error=True, ms=60_000)) == ("dropped", "milvus-heartbeats")


@pytest.mark.parametrize("name", INTERNAL)
def test_the_same_call_within_a_request_drops_nothing(sampler: Sampler, name: str) -> None:
    assert verdict(sampler, trace(SEARCH, name, ms=2000)) == ("sampled", "slow")


@pytest.mark.parametrize("name", BACKGROUND)
def test_background_work_is_dropped_where_it_is_milvus_own(sampler: Sampler, name: str) -> None:
    called = "milvus.proto.query.QueryNode/WatchDmChannels"
    assert verdict(sampler, trace(name, called)) == ("dropped", "milvus-background-tasks")


@pytest.mark.parametrize("name", BACKGROUND)
def test_an_application_may_use_the_same_words(sampler: Sampler, name: str) -> None:
    assert verdict(sampler, trace(name, service="shop", error=True)) == ("sampled", "errors")
    assert verdict(sampler, trace(name, SEARCH, error=True)) == ("sampled", "errors")


def test_errors_and_slow_requests_are_kept_and_a_share_of_the_rest(sampler: Sampler) -> None:
    assert verdict(sampler, trace(SEARCH, error=True)) == ("sampled", "errors")
    assert verdict(sampler, trace(SEARCH, ms=1000)) == ("not_sampled", None)
    assert verdict(sampler, trace(SEARCH, ms=1001)) == ("sampled", "slow")
    shares = [verdict(sampler, ReferenceTrace(bytes([n % 256, n // 256] * 8), *_parts())) for n in range(2000)]
    kept = sum(share == ("sampled", "one-in-ten") for share in shares)
    assert 140 < kept < 260


def _parts() -> tuple[list[Group], list[bytes]]:
    it = trace(SEARCH)
    return list(it.groups), list(it.spans)
