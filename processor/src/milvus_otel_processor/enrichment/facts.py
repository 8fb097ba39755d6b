"""What can be known of one Milvus request."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from milvus_otel_processor.spans.attributes import Value

MILVUS = "milvus"
"""The value of `db.system.name`: OpenTelemetry's list has none for Milvus."""


class Facts(NamedTuple):
    """One Milvus request; None is what is not known.

    The names are those of OpenTelemetry's database conventions: `namespace` is the Milvus database, `operation` what the client
    calls it (`search`) or, from the server, the method (`Search`). `error_type` is what makes a request a failed one.
    """

    collection: str | None = None
    namespace: str | None = None
    operation: str | None = None
    partitions: tuple[str, ...] | None = None
    sdk_version: str | None = None
    user: str | None = None
    status_code: str | None = None
    error_type: str | None = None
    error_message: str | None = None
    exists: bool | None = None
    """False where the answer is that what was asked for is not there."""
    extra: tuple[tuple[str, Value | tuple[Value, ...]], ...] | None = None
    """Attributes of a source's own, for the request's span: names and values."""
    ambiguous: bool | None = None
    """Whether there is more than one answer to which collection it is, so that none is given."""

    @property
    def size(self) -> int:
        """About how many characters all of its texts have together."""
        size = len(self.collection or "") + len(self.namespace or "") + len(self.operation or "")
        size += len(self.sdk_version or "") + len(self.user or "") + len(self.error_message or "")
        if self.partitions is not None:
            size += sum(map(len, self.partitions))
        if self.extra is not None:
            size += sum(len(name) + len(str(value)) for name, value in self.extra)
        return size


NOTHING = Facts()


def filled(first: Facts, other: Facts) -> Facts:
    """Return `first`, with what it does not know from `other`, unless the two speak of different collections."""
    if first is NOTHING:
        return other
    if first.collection is not None and other.collection not in (None, first.collection):
        other = other._replace(namespace=None, partitions=None)
    return Facts._make(mine if mine is not None else theirs for mine, theirs in zip(first, other, strict=True))
