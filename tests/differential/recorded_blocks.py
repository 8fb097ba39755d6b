"""Policies over recorded Milvus traffic: what a user would write, each telling some of its traces from the others."""

from typing import Any

EVERYTHING: tuple[str, Any] = ("always_sample", None)

FOR_RECORDED: list[tuple[str, Any]] = [
    EVERYTHING,
    ("latency", {"threshold_ms": 5}),
    ("status_code", {"status_codes": ["ERROR"]}),
    ("span_count", {"min_spans": 4}),
    ("probabilistic", {"sampling_percentage": 10}),
    ("string_attribute", {"key": "rpc.method", "values": ["Search", "Query"]}),
    ("string_attribute", {"key": "rpc.service", "values": ["^milvus.proto.milvus"], "enabled_regex_matching": True}),
    ("string_attribute", {"key": "service.name", "values": ["segcore"]}),
    ("numeric_attribute", {"key": "ID", "min_value": 1}),
    ("ottl_condition", {"span": ['IsRootSpan() and IsMatch(name, "MilvusService/")'], "error_mode": "propagate"}),
    ("ottl_condition", {"span": ['attributes["rpc.grpc.status_code"] == 0 and kind == SPAN_KIND_CLIENT']}),
    ("ottl_condition", {"spanevent": ['HasPrefix(name, "scheduler process")', 'attributes["message.id"] > 1']}),
    ("ottl_condition", {"span": ['end_time - start_time > Duration("10ms")', "flags == 256"]}),
    (
        "and",
        {
            "and_sub_policy": [
                {"name": "a", "type": "span_count", "span_count": {"min_spans": 2}},
                {
                    "name": "b",
                    "type": "not",
                    "not": {"not_sub_policy": {"name": "c", "type": "latency", "latency": {"threshold_ms": 20}}},
                },
            ]
        },
    ),
]
"""Types and settings; the first keeps everything."""
