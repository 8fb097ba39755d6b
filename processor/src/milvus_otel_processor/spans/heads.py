"""The heads of a trace's spans, each decoded when it is first asked for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, overload

from milvus_otel_processor.spans.schema import HeadView

if TYPE_CHECKING:
    from collections.abc import Iterator

    from milvus_otel_processor.spans.schema import Head


class Heads(Sequence["Head"]):
    """The ids, name, kind, times and status of each of these serialized spans, in their order.

    Most questions are about one or two spans of a trace: to decode the others, and to hold what was decoded, would cost more than
    all else that is done with them. Decoding raises DecodeError at a span that is not valid protobuf. The list of spans is the
    caller's: who changes what the head of one says has to `forget` it.
    """

    __slots__ = ("_decoded", "_missing", "_spans")

    def __init__(self, spans: list[bytes]) -> None:
        self._spans = spans
        self._decoded: list[Head | None] = [None] * len(spans)
        self._missing = True

    @property
    def are_decoded(self) -> bool:
        """Whether all of them have been asked for."""
        return not self._missing

    def forget(self, index: int) -> None:
        """Decode the span at this place again when it is asked for."""
        self._decoded[index] = None
        self._missing = True

    def all(self) -> list[Head]:
        """Return all of them, as a list, which is faster than this where many are looked at again and again."""
        if self._missing:
            decode = HeadView.FromString
            # One by one, so that those before a malformed span need not be decoded anew.
            for index, head in enumerate(self._decoded):
                if head is None:
                    self._decoded[index] = decode(self._spans[index])
            self._missing = False
        return self._decoded  # type: ignore[return-value] # none is missing

    def __len__(self) -> int:
        return len(self._spans)

    def __iter__(self) -> Iterator[Head]:
        return iter(self.all())

    @overload
    def __getitem__(self, index: int) -> Head: ...
    @overload
    def __getitem__(self, index: slice) -> list[Head]: ...
    def __getitem__(self, index: int | slice) -> Head | list[Head]:
        if isinstance(index, slice):
            return self.all()[index]
        head = self._decoded[index]
        if head is None:
            head = self._decoded[index] = HeadView.FromString(self._spans[index])
        return head
