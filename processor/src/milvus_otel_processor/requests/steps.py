"""Which of Milvus' spans tell which stage of a request's time; docs/observability.md has the same as a table.

The names are those of Milvus' own code (`internal/proxy`, `internal/querynodev2`, `internal/core`), from 2.3 to 3.0.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from milvus_otel_processor.remembering import remember
from milvus_otel_processor.requests.record import COORDINATORS, CORE, QUERY_NODES, QUEUE, REDUCE, WAIT, WRITE

if TYPE_CHECKING:
    from milvus_otel_processor.spans.groups import Group

PRECEDENCE: Final = (CORE, WAIT, COORDINATORS, QUERY_NODES, WRITE, REDUCE, QUEUE)
"""Where a moment is within spans of several stages, it counts for the first of these: what is deepest explains most."""

PROXY: Final = "proxy"
"""Said of the span with which the proxy takes a request up: from its start to that of the task the request is in the queue."""
TASK: Final = "task"
"""Said of the span of the proxy's task."""
RETRIEVE: Final = "retrieve"
"""Said of the task of a query, whose steps Milvus writes as events and not as spans."""

STEPS: Final = {b"scheduler process PreExecute": QUEUE, b"scheduler process Execute": QUERY_NODES}
"""The events of that task with which a step begins, and the stage of the step; the last step is REDUCE."""
LAST_STEP: Final = b"scheduler process PostExecute"

_COORDINATORS = (
    b"milvus.proto.rootcoord.RootCoord/",
    b"milvus.proto.data.DataCoord/",
    b"milvus.proto.query.QueryCoord/",
    b"milvus.proto.streaming.StreamingCoord",
)
_QUERY_NODE = b"milvus.proto.query.QueryNode/"
_WAIT = b"Delegator-waitTSafe"
_SEND = b"SendMsg"
_PROXY = b"Proxy-"
_TASK, _RETRIEVE = b"Task", b"RetrieveTask"
_PROXY_STEPS = {
    b"Search-PreExecute": QUEUE,
    b"Search-Execute": QUERY_NODES,
    b"Search-PostExecute": REDUCE,
    b"Insert-PreExecute": QUEUE,
    b"Insert-Execute": WRITE,
    b"Insert-PostExecute": REDUCE,
    b"Upsert-PreExecute": QUEUE,
    b"Upsert-insertPreExecute": QUEUE,
    b"Upsert-deletePreExecute": QUEUE,
    b"Upsert-Execute": WRITE,
    b"Upsert-insertExecute": WRITE,
    b"Upsert-deleteExecute": WRITE,
    b"Upsert-PostExecute": REDUCE,
    b"Delete-PreExecute": QUEUE,
    b"Delete-Execute": WRITE,
    b"Delete-PostExecute": REDUCE,
}
_SERVICE_NAME, _SEGCORE = b"service.name", b"segcore"


@remember(4096)
def step_of(name: bytes) -> str | None:
    """Return the stage that a span of Milvus with this name tells, or PROXY, TASK or RETRIEVE; None where it tells none."""
    if name.startswith(_PROXY):
        below = name[len(_PROXY) :]
        return _PROXY_STEPS.get(below) if b"-" in below else PROXY
    if name.startswith(_COORDINATORS):
        return COORDINATORS
    if name.startswith(_QUERY_NODE):
        return QUERY_NODES
    if name.endswith(_TASK):
        return RETRIEVE if name == _RETRIEVE else TASK
    return {_WAIT: WAIT, _SEND: WRITE}.get(name)


def is_core(group: Group) -> bool:
    """Tell whether spans are of Milvus' C++ core, which is a service by itself."""
    return group.once(_is_core)


def _is_core(group: Group) -> bool:
    service = group.resource_attributes.get(_SERVICE_NAME)
    return service is not None and service.string_value == _SEGCORE
