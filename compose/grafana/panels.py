"""What Grafana's dashboards show: rows of panels, with the queries that fill them."""

from collections.abc import Sequence
from dataclasses import dataclass

CHOSEN = 'db_namespace=~"$database", db_collection_name=~"$collection"'
"""The requests that the variables at the top choose."""
FAILED = f'{CHOSEN}, error_type!=""'
REQUESTS = "milvus_request_duration_seconds"
STAGES = "milvus_request_stage_duration_seconds"


@dataclass(frozen=True)
class Panel:
    """One panel: its queries by the legend of their series, `{{label}}` is the label's value."""

    title: str
    text: str
    unit: str
    queries: dict[str, str]
    width: int = 12
    kind: str = "lines"
    """`lines`, `stacked`, `number` or `rows`."""
    exemplars: bool = False


@dataclass(frozen=True)
class Row:
    """Panels beneath one headline."""

    title: str
    panels: Sequence[Panel]


def _rate(metric: str, labels: str = "") -> str:
    return f"rate({metric}{f'{{{labels}}}' if labels else ''}[$__rate_interval])"


def _quantile(quantile: float, metric: str, labels: str, by: str) -> str:
    return f"histogram_quantile({quantile}, sum by (le, {by}) ({_rate(f'{metric}_bucket', labels)}))"


REQUESTS_ROWS = (
    Row(
        "All requests, kept or not",
        (
            Panel(
                "Requests",
                "All that Milvus served.",
                "reqps",
                {"": f"sum({_rate(f'{REQUESTS}_count', CHOSEN)})"},
                6,
                "number",
            ),
            Panel(
                "Errors",
                "The share of requests that failed.",
                "percentunit",
                {
                    "": f"(sum({_rate(f'{REQUESTS}_count', FAILED)}) or vector(0)) / sum({_rate(f'{REQUESTS}_count', CHOSEN)})"
                },
                6,
                "number",
            ),
            Panel(
                "p99",
                "Of a hundred requests one took longer.",
                "s",
                {"": f"histogram_quantile(0.99, sum by (le) ({_rate(f'{REQUESTS}_bucket', CHOSEN)}))"},
                6,
                "number",
            ),
            Panel(
                "Traces kept",
                "The share of traces that a rule kept: what Jaeger shows is this sample.",
                "percentunit",
                {
                    "": 'sum(rate(milvus_otel_processor_decided_traces_total{decision="sampled"}[$__rate_interval])) '
                    "/ sum(rate(milvus_otel_processor_decided_traces_total[$__rate_interval]))"
                },
                6,
                "number",
            ),
        ),
    ),
    Row(
        "By collection",
        (
            Panel(
                "Rate",
                "Requests per second.",
                "reqps",
                {"{{db_collection_name}}": f"sum by (db_collection_name) ({_rate(f'{REQUESTS}_count', CHOSEN)})"},
            ),
            Panel(
                "Errors by code",
                "Failed requests per second, by Milvus' error code.",
                "reqps",
                {
                    "{{db_collection_name}} {{error_type}}": "sum by (db_collection_name, error_type) "
                    f"({_rate(f'{REQUESTS}_count', FAILED)})"
                },
            ),
            Panel(
                "p99",
                "A dot is a trace that was kept: click it.",
                "s",
                {"{{db_collection_name}}": _quantile(0.99, REQUESTS, CHOSEN, "db_collection_name")},
                exemplars=True,
            ),
            Panel(
                "p50",
                "Half of the requests took longer.",
                "s",
                {"{{db_collection_name}}": _quantile(0.5, REQUESTS, CHOSEN, "db_collection_name")},
            ),
        ),
    ),
    Row(
        "Where the time goes",
        (
            Panel(
                "Stages",
                "Seconds of Milvus' work per second, by stage: docs/observability.md says what each is.",
                "s",
                {"{{stage}}": f"sum by (stage) ({_rate(f'{STAGES}_sum', CHOSEN)})"},
                kind="stacked",
            ),
            Panel(
                "p99 of each stage",
                "Of a hundred requests one was longer in it.",
                "s",
                {"{{stage}}": _quantile(0.99, STAGES, CHOSEN, "stage")},
            ),
            Panel(
                "Share of the total time",
                "Which collection and operation keep Milvus busy: seconds per second.",
                "s",
                {
                    "": "topk(20, sum by (db_namespace, db_collection_name, db_operation_name) "
                    f"({_rate(f'{REQUESTS}_sum', CHOSEN)}))"
                },
                24,
                "rows",
            ),
        ),
    ),
)

PIPELINE_ROWS = (
    Row(
        "Spans, from the door to the store",
        (
            Panel(
                "In and out",
                "Spans per second at each part.",
                "short",
                {
                    "Collector in": 'sum(rate(otelcol_receiver_accepted_spans{job="collector"}[$__rate_interval]))',
                    "processor in": f"sum({_rate('milvus_otel_receiver_accepted_spans_total')})",
                    "processor out": f"sum({_rate('milvus_otel_exporter_sent_spans_total')})",
                    "Jaeger in": 'sum(rate(otelcol_receiver_accepted_spans_total{job="jaeger"}[$__rate_interval]))',
                },
            ),
            Panel(
                "Lost",
                "Spans that no rule dropped and that did not get through. Should be 0.",
                "short",
                {"{{reason}}": f"sum by (reason) ({_rate('milvus_otel_lost_spans_total')})"},
            ),
            Panel(
                "Traces by decision and policy",
                "Why traces were kept or dropped.",
                "short",
                {
                    "{{decision}} {{policy}}": f"sum by (decision, policy) ({_rate('milvus_otel_processor_decided_traces_total')})"
                },
                kind="stacked",
            ),
            Panel(
                "Refused requests",
                "Their senders keep the data and send it again.",
                "short",
                {"{{reason}}": f"sum by (reason) ({_rate('milvus_otel_receiver_refused_requests_total')})"},
            ),
        ),
    ),
    Row(
        "Room",
        (
            Panel(
                "Waiting spans",
                "Spans that the processor holds.",
                "short",
                {
                    "for a decision": "sum(milvus_otel_processor_waiting_spans)",
                    "for Jaeger": "sum(milvus_otel_exporter_queued_spans)",
                },
            ),
            Panel(
                "The Collector's queues",
                "On disk, what waits for the processor.",
                "bytes",
                {
                    "{{exporter}}, {{data_type}}": "sum by (exporter, data_type) "
                    '(otelcol_exporter_queue_size{job="collector"})',
                },
            ),
            Panel(
                "Memory",
                "Resident memory, and what the processor may use for data.",
                "bytes",
                {
                    "processor": 'sum(process_resident_memory_bytes{job="processor"})',
                    "processor, data": "sum(milvus_otel_memory_used_bytes)",
                    "processor, limit of data": "sum(milvus_otel_memory_limit_bytes)",
                    "Collector": 'sum(otelcol_process_memory_rss{job="collector"})',
                },
            ),
            Panel(
                "CPU",
                "Cores in use.",
                "short",
                {
                    "processor": 'sum(rate(process_cpu_seconds_total{job="processor"}[$__rate_interval]))',
                    "Collector": 'sum(rate(otelcol_process_cpu_seconds{job="collector"}[$__rate_interval]))',
                },
            ),
            Panel(
                "Whose collection is known",
                "Requests by the source that named their collection.",
                "short",
                {"{{source}}": f"sum by (source) ({_rate('milvus_otel_processor_enriched_requests_total')})"},
                kind="stacked",
            ),
            Panel("Parts that answer", "1 where the part was scraped.", "short", {"{{job}}": "min by (job) (up)"}, 24),
        ),
    ),
)

MILVUS_ROWS = (
    Row(
        "What it holds",
        (
            Panel(
                "Collections",
                "As Milvus' root coordinator counts them.",
                "short",
                {"": "sum(milvus_rootcoord_collection_num)"},
                6,
                "number",
            ),
            Panel(
                "Rows in memory",
                "Entities that query nodes hold.",
                "short",
                {"": "sum(milvus_querynode_entity_num)"},
                6,
                "number",
            ),
            Panel(
                "Segments",
                "By state: growing ones are not sealed yet, flushed ones wait for compaction and index.",
                "short",
                {"{{segment_state}}": "sum by (segment_state) (milvus_datacoord_segment_num)"},
                kind="stacked",
            ),
            Panel(
                "Compaction",
                "Compactions that were started; none where nothing had to be compacted.",
                "short",
                {
                    "{{compaction_type}} {{status}}": "sum by (compaction_type, status) "
                    "(milvus_datacoord_compaction_task_num) or vector(0)"
                },
            ),
        ),
    ),
    Row(
        "Memory and caches",
        (
            Panel(
                "Go and C++ memory",
                "What is not Go's is the core's: vectors, indexes, caches.",
                "bytes",
                {
                    "resident": 'sum(process_resident_memory_bytes{job="milvus"})',
                    "Go": 'sum(go_memstats_sys_bytes{job="milvus"} - go_memstats_heap_released_bytes{job="milvus"})',
                    "not Go's": 'sum(process_resident_memory_bytes{job="milvus"}) '
                    '- sum(go_memstats_sys_bytes{job="milvus"} - go_memstats_heap_released_bytes{job="milvus"})',
                },
            ),
            Panel(
                "The proxy's cache of collections",
                "Look-ups per second: a miss asks the root coordinator.",
                "short",
                {
                    "{{cache_name}} {{cache_state}}": f"sum by (cache_name, cache_state) ({_rate('milvus_proxy_cache_hit_count')})"
                },
            ),
            Panel(
                "Goroutines",
                "Rise without end where something hangs.",
                "short",
                {"": 'sum(go_goroutines{job="milvus"})'},
            ),
            Panel(
                "Time tick lag",
                "How far each node is behind; strong consistency waits for it.",
                "ms",
                {"{{channel_name}}": "max by (channel_name) (milvus_proxy_tt_lag_ms)"},
            ),
        ),
    ),
    Row(
        "Its own view of requests",
        (
            Panel(
                "Requests by function and status",
                "Milvus' proxy counts these; it does not know the collection of all.",
                "reqps",
                {"{{function_name}} {{status}}": f"sum by (function_name, status) ({_rate('milvus_proxy_req_count')})"},
            ),
            Panel(
                "Waiting and reducing in query nodes, p99",
                "`tsafe` is the wait for the time tick.",
                "ms",
                {
                    "tsafe": _quantile(0.99, "milvus_querynode_sq_wait_tsafe_latency", "", "query_type"),
                    "search or query": _quantile(0.99, "milvus_querynode_sq_req_latency", "", "query_type"),
                },
            ),
        ),
    ),
)
