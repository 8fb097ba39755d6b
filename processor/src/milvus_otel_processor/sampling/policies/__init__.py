"""The policies: one file for each, named by the YAML's word for it, and here the list of them all."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from milvus_otel_processor.sampling.policies import and_, composite, drop, not_
from milvus_otel_processor.sampling.policies.always_sample import AlwaysSamplePolicy
from milvus_otel_processor.sampling.policies.and_ import AndPolicy
from milvus_otel_processor.sampling.policies.base import SYSTEM_CLOCK, Clock, EvaluationError, Evaluator, PolicySettings
from milvus_otel_processor.sampling.policies.boolean_attribute import BooleanAttributePolicy
from milvus_otel_processor.sampling.policies.bytes_limiting import BytesLimitingPolicy
from milvus_otel_processor.sampling.policies.collection import CollectionPolicy
from milvus_otel_processor.sampling.policies.composite import CompositePolicy
from milvus_otel_processor.sampling.policies.drop import DropPolicy
from milvus_otel_processor.sampling.policies.dynamic import DynamicPolicy
from milvus_otel_processor.sampling.policies.latency import LatencyPolicy
from milvus_otel_processor.sampling.policies.milvus_error import MilvusErrorPolicy
from milvus_otel_processor.sampling.policies.milvus_latency import MilvusLatencyPolicy
from milvus_otel_processor.sampling.policies.milvus_result import MilvusResultPolicy
from milvus_otel_processor.sampling.policies.not_ import NotPolicy
from milvus_otel_processor.sampling.policies.numeric_attribute import NumericAttributePolicy
from milvus_otel_processor.sampling.policies.ottl_condition import OttlConditionPolicy
from milvus_otel_processor.sampling.policies.probabilistic import ProbabilisticPolicy
from milvus_otel_processor.sampling.policies.rate_limiting import RateLimitingPolicy
from milvus_otel_processor.sampling.policies.span_count import SpanCountPolicy
from milvus_otel_processor.sampling.policies.span_name import SpanNamePolicy
from milvus_otel_processor.sampling.policies.status_code import StatusCodePolicy
from milvus_otel_processor.sampling.policies.string_attribute import StringAttributePolicy
from milvus_otel_processor.sampling.policies.trace_flags import TraceFlagsPolicy
from milvus_otel_processor.sampling.policies.trace_state import TraceStatePolicy

_NoDrop = (
    AlwaysSamplePolicy
    | AndPolicy
    | BooleanAttributePolicy
    | BytesLimitingPolicy
    | CollectionPolicy
    | CompositePolicy
    | DynamicPolicy
    | LatencyPolicy
    | MilvusErrorPolicy
    | MilvusLatencyPolicy
    | MilvusResultPolicy
    | NotPolicy
    | NumericAttributePolicy
    | OttlConditionPolicy
    | ProbabilisticPolicy
    | RateLimitingPolicy
    | SpanCountPolicy
    | SpanNamePolicy
    | StatusCodePolicy
    | StringAttributePolicy
    | TraceFlagsPolicy
    | TraceStatePolicy
)

SubPolicy = Annotated[_NoDrop, Field(discriminator="type")]
"""What can stand inside `and`, `not`, `drop` and `composite`: all but `drop`. The Collector allows less."""

Policy = Annotated[_NoDrop | DropPolicy, Field(discriminator="type")]
"""What can stand under `policies`."""

for _module in (and_, composite, drop, not_):
    vars(_module)["SubPolicy"] = (
        SubPolicy  # what holds policies itself is built when it is first used, and looks for it there
    )

__all__ = [
    "SYSTEM_CLOCK",
    "Clock",
    "DropPolicy",
    "EvaluationError",
    "Evaluator",
    "Policy",
    "PolicySettings",
    "SubPolicy",
]
