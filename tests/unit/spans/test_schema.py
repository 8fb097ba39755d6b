"""What is decoded to prove that something is well formed leaves out no message of OTLP's: peers decode all of them."""

import pytest
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from milvus_otel_processor.spans.groups import make_group
from milvus_otel_processor.spans.schema import CheckedSpanView, DecodeError, ResourceView, ScopeView
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span

from tests.support.wire import delimited

SPANS = {"ResourceSpans.scope_spans", "ScopeSpans.spans"}
"""What is cut off before; each is looked into by itself."""


def messages(official: Descriptor | None, ours: Descriptor | None, place: str, seen: set[str]) -> list[str]:
    """The fields of OTLP's message that hold messages, down to the bottom, and that ours does not know."""
    assert official is not None
    missing = []
    for field in official.fields:
        name = f"{official.name}.{field.name}"
        if field.type != FieldDescriptor.TYPE_MESSAGE or name in SPANS:
            continue
        known = None if ours is None else ours.fields_by_number.get(field.number)
        if known is None or known.type != FieldDescriptor.TYPE_MESSAGE:
            missing.append(f"{place}.{field.name}")
        elif name not in seen:
            missing += messages(field.message_type, known.message_type, f"{place}.{field.name}", seen | {name})
    return missing


@pytest.mark.parametrize(
    ("official", "view"),
    [(ResourceSpans, ResourceView), (ScopeSpans, ScopeView), (Span, CheckedSpanView)],
    ids=["resource", "scope", "span"],
)
def test_every_message_within_is_decoded(official: type, view: type):
    assert messages(official.DESCRIPTOR, view.DESCRIPTOR, official.__name__, set()) == []  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("resource", "scope"),
    [
        (delimited(1, delimited(3, b"\n\x7f")), b""),
        (delimited(1, delimited(1, b"\n\x7f")), b""),
        (delimited(1, b"\n\x7f"), b""),
        (b"", delimited(1, delimited(3, b"\n\x7f"))),
    ],
    ids=["entity", "attribute", "resource", "attribute of a scope"],
)
def test_a_malformed_resource_or_scope_is_refused(resource: bytes, scope: bytes):
    with pytest.raises(DecodeError):
        make_group(resource, scope)
