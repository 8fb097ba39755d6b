"""The `redaction` processor for log records: a record in, the same without what must not leave out.

What is done to a body is the Collector's (processor/redactionprocessor/processor.go, `processLogBody`): the entries of a mapping
are looked at as attributes are, at every depth, any other value as a text. No summary of bodies is written.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from milvus_otel_processor.redaction.redaction import redacted_group
from milvus_otel_processor.redaction.redactor import IGNORED, MASKED, REDACTED, Redactor
from milvus_otel_processor.spans.schema import LogRecordView

if TYPE_CHECKING:
    from milvus_otel_processor.redaction.settings import RedactionSettings
    from milvus_otel_processor.spans.groups import Group


class LogRedaction:
    """Redacts log records that are well formed; `counts` counts what was removed and masked. Calls are serialized by the caller."""

    def __init__(self, settings: RedactionSettings, counts: dict[str, int]) -> None:
        self._redactor = Redactor(settings, counts)
        self._counts = counts

    def redacted(self, record: tuple[Group, bytes]) -> tuple[Group, bytes]:
        """Return a record, redacted, and its resource and scope."""
        group, encoded = record
        whole: Any = LogRecordView.FromString(encoded)
        self._redactor.attributes(whole.attributes)
        self._value(whole.body)
        return group.once(self._group), bytes(whole.SerializeToString())

    def _group(self, group: Group) -> Group:
        return redacted_group(group, self._redactor)

    def _value(self, value: Any) -> None:
        kind = value.WhichOneof("value")
        if kind == "kvlist_value":
            self._entries(value.kvlist_value.values)
        elif kind == "array_value":
            for item in value.array_value.values:
                self._value(item)
        else:  # also where there is none: a pattern may match the empty text
            text = self._redactor.as_text(value)
            masked = self._redactor.text(text)
            if masked != text:
                value.string_value = masked

    def _entries(self, pairs: Any) -> None:
        kept = []
        for pair in pairs:
            of_key = self._redactor.of_key(pair.key)
            if of_key == REDACTED:
                self._counts[REDACTED] += 1
                continue
            if of_key == MASKED:
                self._counts[MASKED] += 1
                pair.value.string_value = self._redactor.mask(pair.value.string_value)
            elif of_key != IGNORED:
                self._value(pair.value)
            kept.append(pair.SerializeToString())
        if len(kept) < len(pairs):
            del pairs[:]
            for encoded in kept:
                pairs.add().MergeFromString(encoded)
