"""The one format of Milvus' access log that this processor reads, and the parser of its lines.

Milvus escapes nothing, and several fields hold what a client wrote. So the line is laid out for safety: first what Milvus
alone writes, then the texts of clients, the error message last. `$time_cost` comes twice, before and after those texts: it
is a duration in nanoseconds that no client can know beforehand, so between the two there is exactly what Milvus put there,
and a line in which a text holds the separator is seen to have one field too many. The filter expression is left out.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING

from milvus_otel_processor.enrichment.facts import Facts
from milvus_otel_processor.enrichment.grpc_status import name_of_error
from milvus_otel_processor.enrichment.messages import without_client_text
from milvus_otel_processor.enrichment.rest import operation_of, path_of
from milvus_otel_processor.remembering import remember
from milvus_otel_processor.settings import parse_duration

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

FIELDS = (
    "time_now",
    "method_name",
    "user_addr",
    "time_cost",
    "trace_id",
    "user_name",
    "sdk_version",
    "database_name",
    "partition_name",
    "collection_name",
    "time_cost",
    "method_status",
    "error_code",
    "error_msg",
)
"""The fields of a line in their order, tab-separated; Milvus' own names of them."""
_MESSAGE_MARK = "msg="
FORMAT = "\t".join(_MESSAGE_MARK + f"${name}" if name == "error_msg" else f"${name}" for name in FIELDS)
"""The value of `proxy.accessLog.formatters.base.format` in milvus.yaml.

The mark shows that a line is whole up to its message: readers of files take white space off a line's end, and an empty message
with it.
"""

_BEFORE_TEXTS, _TEXTS, _AFTER_TEXTS = 5, 5, 3  # fields; the cost is between the second and the third
_UNKNOWN = frozenset(("", "Unknown"))  # Milvus' word for what a request does not have
_HTTP_ERROR, _GRPC = "HttpError", "Grpc"
_NO_CODE_OF_MILVUS = frozenset(("65535", "0"))
"""What stands where gRPC ended the request, and Milvus had no code of its own for it."""
_PROBES = {
    "DescribeCollection": frozenset(("4", "100")),
    "HasCollection": frozenset(("4", "100")),
    "HasPartition": frozenset(("100", "200")),
    "DescribeIndex": frozenset(("700",)),
    "GetIndexState": frozenset(("700",)),
    "GetIndexBuildProgress": frozenset(("700",)),
    "DescribeAlias": frozenset(("1600",)),
    "DescribeDatabase": frozenset(("800",)),
}
"""Methods that ask whether something is there, and the codes that say that it is not: no collection (4 is what Milvus until 2.2
called it), partition, index, alias, database (Milvus' pkg/util/merr/errors.go)."""
_SUCCESS = frozenset(("OK", "Successful"))  # until Milvus 2.3, and since
_SHORT_UNITS = {"µs": 1e3, "ms": 1e6}
_NO_CODES = frozenset(("Unknown", "200"))  # of REST requests: none is known, or HTTP's for success
_START = re.compile(r"\d{4}/\d{2}/\d{2} \d{2}:\d{2}:\d{2}\.\d{3} [^\t]*\t")
LINE_START = re.compile(r"\[?\d{4}/\d{2}/\d{2} \d{2}:\d{2}:\d{2}\.\d{3} ")
"""How a line begins, in our format or in one of Milvus' own; what begins otherwise goes on with the one before it."""
_NEXT_LINE = re.compile(rf"\n(?={LINE_START.pattern})|(?<=\tmsg=)\n")
_MISSING = re.compile(r"not found|can't find", re.IGNORECASE)
_METHOD = re.compile(r"\w+", re.ASCII)
_CODE = re.compile(r"-?\d+", re.ASCII)
_NAME = re.compile(
    r"[A-Za-z_][A-Za-z0-9_$]{0,254}"
)  # what Milvus accepts as a name of a collection, database or partition
_LONGEST_TEXT = 1024
_LONGEST_PEER = 256
_LONGEST_NAMES = 4096


@dataclass(slots=True, eq=False)
class Line:
    """What Milvus wrote of one request. Times are nanoseconds, `end` since the epoch."""

    end: int
    cost: int
    method: str
    peer: str
    trace_id: bytes | None
    """16 bytes, or None where there is none, or a client's `client_request_id` stands in its place."""
    facts: Facts
    size: int
    """About how many characters its texts have."""
    key: int
    """What tells it from any other that waits, such as a hash of its text."""
    number: int = 0
    """Counts the lines in the order in which they came."""
    request: int = 0
    """The same of the request that it came in: what comes in one is in the order of the log, requests may overtake each other."""
    claimed: bool = False
    """Whether the request has been found that it is about."""
    server: bytes | None = None
    """The id of Milvus' span of that request, where it has been found."""
    work: bytes | None = None
    """The same of what was done for it, where that is a trace of its own: for requests of REST's version 1."""


def split(text: str) -> list[str]:
    """Return the lines that a log record holds: one, or several that whoever read them has glued together."""
    return _NEXT_LINE.split(text) if "\n" in text else [text]


def is_foreign(text: str) -> bool:
    """Tell whether a text is no line of our format at all, rather than one that is not whole."""
    return _START.match(text) is None


def parse(text: str) -> Line | None:
    """Return the line that the text is, or None if it is not a whole line of our format."""
    fields = text.rstrip("\r\n").split("\t", _BEFORE_TEXTS)
    if len(fields) <= _BEFORE_TEXTS:
        return None
    now, method, peer, cost_text, trace_id, rest = fields
    texts, found, answer = rest.partition(f"\t{cost_text}\t")
    if not found or len(method) > _LONGEST_TEXT or len(peer) > _LONGEST_PEER:
        return None
    end, cost = _time(now), _cost(cost_text)
    if end is None or cost is None:
        return None
    read = facts_of(method, texts, answer)
    if read is None:
        return None
    facts, size = read
    if method[:1] == "/":
        method = path_of(method) or method
    return Line(end, cost, method, peer, _trace_id(trace_id), facts, size + len(method) + len(peer), hash(text))


def tell_of(lines: Iterable[Line], tell: Callable[[str | None, str | None, str | None], object]) -> None:
    """Tell operation, database and collection of those requests that did not fail."""
    for line in lines:
        if line.facts.error_type is None:
            tell(line.facts.operation, line.facts.namespace, line.facts.collection)


@remember(4096)
def facts_of(method: str, texts: str, answer: str) -> tuple[Facts, int] | None:
    """Return what a line says of the request, and how many characters that is."""
    of_clients, of_milvus = texts.split("\t"), answer.split("\t", _AFTER_TEXTS - 1)
    if len(of_clients) != _TEXTS or len(of_milvus) != _AFTER_TEXTS:
        return None
    user, sdk, namespace, partitions, collection = of_clients
    status, code, message = of_milvus
    path = path_of(method)
    if not message.startswith(_MESSAGE_MARK) or _START.match(message, len(_MESSAGE_MARK)):
        return None
    if path is None and not _METHOD.fullmatch(method):
        return None
    if not _CODE.fullmatch(code) and (path is None or code not in _NO_CODES):
        return None
    operation = method if path is None else operation_of(path)
    error, exists = _outcome(operation, status, code, message)
    facts = Facts(
        collection=collection_named(collection),
        namespace=name_of(namespace),
        operation=operation,
        partitions=_names(partitions),
        sdk_version=_text(sdk),
        user=_text(user),
        status_code=error if error is not None and _CODE.fullmatch(code) and _CODE.fullmatch(error) else None,
        error_type=error,
        error_message=_message(message) if error is not None else None,
        exists=exists,
    )
    return facts, facts.size


def _outcome(operation: str, status: str, code: str, message: str) -> tuple[str | None, bool | None]:
    """Return what failed, or None, and False where the answer is that what was asked for is not there.

    Clients ask in this way whether something exists: for them it is an answer, not a failure.
    """
    if status.startswith(_HTTP_ERROR):
        return status.removeprefix(_HTTP_ERROR), None
    if status.startswith(_GRPC) and code in _NO_CODE_OF_MILVUS and (error := name_of_error(status.removeprefix(_GRPC))):
        return error, None
    if operation in _PROBES and (code in _PROBES[operation] or (code == "0" and _MISSING.search(message))):
        return None, False
    if status == "Unknown" and code in {*_NO_CODES, "0"}:
        return None, None
    return (code, None) if status not in _SUCCESS or code not in {"0", "200"} else (None, None)


def _trace_id(text: str) -> bytes | None:
    if len(text) != 32:
        return None
    try:
        trace_id = bytes.fromhex(text)
    except ValueError:
        return None
    return trace_id if len(trace_id) == 16 else None  # fromhex skips spaces


def collection_named(text: str) -> str | None:
    """Return the collection that a line names, None where that is none: of a list the only one, of a renamed one its old name."""
    if text[:1] == "[" and text[-1:] == "]":
        text = text[1:-1].strip('"')
    return name_of(text.partition("->")[0])


def _text(text: str) -> str | None:
    return None if text in _UNKNOWN else text[:_LONGEST_TEXT]


@remember(4096)
def name_of(text: str) -> str | None:
    """Return a text where Milvus would take it as a name, else None."""
    # What Milvus would not take as a name is no collection; it is only in the line of a request that failed.
    return text if text not in _UNKNOWN and _NAME.fullmatch(text) else None


@remember(4096)
def _names(text: str) -> tuple[str, ...] | None:
    if len(text) > _LONGEST_NAMES:
        return None
    listed = text[1:-1].split(" ") if text[:1] == "[" and text[-1:] == "]" else [text]
    names = tuple(name.strip('",') for name in listed)  # newer versions write ["a", "b"] and [a, b]
    return names if all(name_of(name) for name in names) else None


def _message(text: str) -> str | None:
    return without_client_text(text.removeprefix(_MESSAGE_MARK))[:_LONGEST_TEXT] or None


def _cost(text: str) -> int | None:
    """Return the nanoseconds of a duration as Go prints it: 261.921µs, 1.5s, 1m2.5s."""
    try:
        if text[-2:] in _SHORT_UNITS:  # nearly always
            return round(float(text[:-2]) * _SHORT_UNITS[text[-2:]])
        return round(parse_duration(text) * 1e9)
    except (ValueError, OverflowError):
        return None


def _time(text: str) -> int | None:
    try:
        return _second(text[:20], text[23:]) + int(text[20:23]) * 1_000_000
    except ValueError:
        return None


@lru_cache(maxsize=64)
def _second(text: str, zone: str) -> int:
    """Return the nanoseconds since the epoch at which this second began. Raises ValueError if there is no such second."""
    moment = datetime.strptime(text + zone, "%Y/%m/%d %H:%M:%S. %z")
    return int(moment.timestamp()) * 1_000_000_000
