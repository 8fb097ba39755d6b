"""Calls to Milvus that are no requests of an application's own, and are counted apart."""

from __future__ import annotations

from typing import Final

EXISTENCE_CHECK: Final = "existence_check"
"""It asks whether something is there, or was answered that it is not, which clients take for an answer."""
POLL: Final = "poll"
"""It asks how far something is, and is asked again until that is done."""
RETRY: Final = "retry"
"""It failed, and the client sent it again by itself: the last attempt is the request."""
CONNECT: Final = "connect"
"""It opens a connection."""
NOT_SERVED: Final = "not_served"
"""Its caller's span is there and Milvus' own is not: it never came there, or Milvus does not trace it, or its span is late."""
OUTER: Final = "version_1"
"""Milvus 3.0 traces a request of REST's version 1 twice; the work for it counts."""
REPEATED: Final = "repeated"
"""Its span came a second time."""
IMPLAUSIBLE: Final = "implausible"
"""Its span ends before it begins, or lasts longer than a day."""

KINDS = (EXISTENCE_CHECK, POLL, RETRY, CONNECT, NOT_SERVED, OUTER, REPEATED, IMPLAUSIBLE)

_CHECKS = frozenset(("HasCollection", "HasPartition"))
_POLLS = frozenset(
    (
        "CheckHealth",
        "GetComponentStates",
        "GetCompactionState",
        "GetCompactionStateWithPlans",
        "GetFlushAllState",
        "GetFlushState",
        "GetImportState",
        "GetIndexBuildProgress",
        "GetIndexState",
        "GetLoadState",
        "GetLoadingProgress",
        "GetVersion",
    )
)
_CONNECT = "Connect"


def kind_of(method: str) -> str | None:
    """Return what a call of this method is that is no request; None where it is one."""
    if method in _CHECKS:
        return EXISTENCE_CHECK
    if method in _POLLS:
        return POLL
    return CONNECT if method == _CONNECT else None
