"""The policies: one file for each, named by the YAML's word for it, and here the list of them all."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from milvus_otel_processor.sampling.policies.always_sample import AlwaysSamplePolicy
from milvus_otel_processor.sampling.policies.and_ import AndPolicy, AndSettings
from milvus_otel_processor.sampling.policies.base import Evaluator, PolicySettings
from milvus_otel_processor.sampling.policies.boolean_attribute import BooleanAttributePolicy
from milvus_otel_processor.sampling.policies.drop import DropPolicy, DropSettings
from milvus_otel_processor.sampling.policies.latency import LatencyPolicy
from milvus_otel_processor.sampling.policies.numeric_attribute import NumericAttributePolicy
from milvus_otel_processor.sampling.policies.probabilistic import ProbabilisticPolicy
from milvus_otel_processor.sampling.policies.span_name import SpanNamePolicy
from milvus_otel_processor.sampling.policies.status_code import StatusCodePolicy
from milvus_otel_processor.sampling.policies.string_attribute import StringAttributePolicy

SubPolicy = Annotated[
    AlwaysSamplePolicy
    | AndPolicy
    | BooleanAttributePolicy
    | LatencyPolicy
    | NumericAttributePolicy
    | ProbabilisticPolicy
    | SpanNamePolicy
    | StatusCodePolicy
    | StringAttributePolicy,
    Field(discriminator="type"),
]
"""What can stand under `and_sub_policy` and `drop_sub_policy`."""

Policy = Annotated[
    AlwaysSamplePolicy
    | AndPolicy
    | BooleanAttributePolicy
    | DropPolicy
    | LatencyPolicy
    | NumericAttributePolicy
    | ProbabilisticPolicy
    | SpanNamePolicy
    | StatusCodePolicy
    | StringAttributePolicy,
    Field(discriminator="type"),
]
"""What can stand under `policies`."""

for _model in (AndSettings, AndPolicy, DropSettings, DropPolicy):
    _model.model_rebuild(
        _types_namespace={"SubPolicy": SubPolicy, "AndSettings": AndSettings, "DropSettings": DropSettings}
    )

__all__ = ["DropPolicy", "Evaluator", "Policy", "PolicySettings", "SubPolicy"]
