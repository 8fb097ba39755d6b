"""The built-in rules: over small traces, with names that Milvus sends, and over recordings of an idle Milvus of each version."""

from __future__ import annotations

import pytest
from milvus_otel_processor.config import load_config
from milvus_otel_processor.sampling.decision import Verdict
from milvus_otel_processor.sampling.sampler import Sampler
from milvus_otel_processor.spans.contract import ASK, Trace
from milvus_otel_processor.spans.groups import Group, GroupRegistry
from milvus_otel_processor.spans.trace import ReferenceTrace
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.support.recordings import VERSIONS, Recording, recordings
from tests.support.replayed import replay

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
BACKGROUND = ["Operate", "SendMsg", "initInternal", "Upload", "ReadNext", "auditor_12"]
WOODPECKER = ["Sync", "checkFenceFlagFileExists", "processFlushTask"]
WORK = [
    "LoadCollection",
    "ChannelTask-Reduce-by-dev-rootcoord-dml_0_470643434947870833v0",
    "ChannelTask-Grow-by-dev-rootcoord-dml_2_470643434948071268v0",
    "SegmentTask-Grow-470643434948071268",
    "MixCompact-470643434948071268",
    "Stats-Execute-by-dev-470643434948071268",
    "milvus.proto.index.IndexNode/CreateTask",
    "milvus.proto.data.DataNode/FlushSegments",
    "milvus.proto.data.DataNode/CompactionV2",
]
ROLES = ["standalone", "mixcoord", "streamingnode", "cdc", "embedded", "segcore"]
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


@pytest.mark.parametrize("service", ROLES)
@pytest.mark.parametrize("name", BACKGROUND)
def test_background_work_is_dropped_where_it_is_milvus_own(sampler: Sampler, name: str, service: str) -> None:
    called = "milvus.proto.query.QueryNode/WatchDmChannels"
    assert verdict(sampler, trace(name, called, service=service)) == ("dropped", "milvus-background-tasks")


@pytest.mark.parametrize("name", WOODPECKER)
def test_what_woodpecker_does_with_files_is_dropped_when_its_root_comes(sampler: Sampler, name: str) -> None:
    assert verdict(sampler, trace(name)) == ("dropped", "milvus-woodpecker")
    milvus, shop = (trace(name, service=service).groups[0] for service in ("streamingnode", "shop"))
    sealed = sampler.of_root(name.encode(), milvus)
    assert (sealed.policy if isinstance(sealed, Verdict) else sealed) == "milvus-woodpecker"
    assert sampler.of_root(name.encode(), shop) == sampler.of_root(name.encode()) == ASK


@pytest.mark.parametrize("name", INTERNAL)
def test_a_heartbeat_is_dropped_when_its_root_comes(sampler: Sampler, name: str) -> None:
    sealed = sampler.of_root(name.encode())
    assert isinstance(sealed, Verdict)
    assert sealed.policy == "milvus-heartbeats"


@pytest.mark.parametrize("name", WORK)
def test_work_is_dropped_where_it_went_well_in_time_and_kept_where_it_did_not(sampler: Sampler, name: str) -> None:
    child = "milvus.proto.data.DataCoord/GetSegmentInfo"
    assert not isinstance(sampler.of_root(name.encode()), Verdict)
    assert verdict(sampler, trace(name, child, ms=9_000)) == ("dropped", "milvus-work-done")
    assert verdict(sampler, trace(name, child, ms=11_000)) == ("sampled", "milvus-work")
    assert verdict(sampler, trace(name, child, error=True)) == ("sampled", "milvus-work")


def test_parts_of_a_trace_whose_root_never_comes_are_dropped_however_long_it_takes(sampler: Sampler) -> None:
    for name in ("Write", "GetQuorumInfo", "milvus.proto.query.QueryNode/GetDataDistribution"):
        assert verdict(sampler, without_root(name)) == ("dropped", "milvus-without-a-root")
        assert verdict(sampler, without_root(name, service="shop")) == ("sampled", "slow")
        assert verdict(sampler, without_root(name, SEARCH)) == ("sampled", "slow")
        assert verdict(sampler, without_root(name, "/v2/vectordb/entities/search")) == ("sampled", "slow")


def without_root(*names: str, service: str = "standalone") -> Trace:
    """A trace of 60 s whose root has not come."""
    whole = trace("root", *names, service=service, ms=60_000)
    return ReferenceTrace(UNLUCKY, list(whole.groups)[1:], list(whole.spans)[1:])


@pytest.mark.parametrize("name", [*BACKGROUND, *WOODPECKER, *WORK[:6]])
def test_an_application_may_use_the_same_words(sampler: Sampler, name: str) -> None:
    assert verdict(sampler, trace(name, service="shop", error=True)) == ("sampled", "errors")
    if name not in WOODPECKER:
        assert verdict(sampler, trace(name, SEARCH, service="proxy", ms=2_000)) == ("sampled", "slow")


@pytest.mark.parametrize(
    "recording",
    [
        recording
        for version in VERSIONS
        for recording in recordings(version)
        if recording.name in {"startup", "idle-empty", "idle-loaded", "cluster-idle", "woodpecker-idle"}
    ],
    ids=str,
)
def test_nothing_is_kept_of_a_milvus_without_requests(recording: Recording) -> None:
    config = load_config(None, environ={}).config
    assert config.tail_sampling is not None
    replayed = replay(recording, sampling=config.tail_sampling)
    kept = sorted({span.name for span in replayed.spans.values()})
    assert kept == []


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
