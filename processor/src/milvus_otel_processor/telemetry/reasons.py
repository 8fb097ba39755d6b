"""The reasons for which spans are refused and lost, and other words that stand in the labels of metrics."""

from __future__ import annotations

from enum import Enum


class Refused(Enum):
    """Why a span, or a whole request, was not taken in; the sender is told."""

    CANCELLED = "cancelled"
    FAILED = "failed"
    INVALID_TRACE_ID = "invalid_trace_id"
    LOGS_QUEUE_FULL = "logs_queue_full"
    MALFORMED_REQUEST = "malformed_request"
    MEMORY_LIMIT = "memory_limit"
    READ_TIMEOUT = "read_timeout"
    RECOVERING = "recovering"
    SHUTDOWN = "shutdown"
    STORAGE_FAILED = "storage_failed"
    STORAGE_FULL = "storage_full"
    TOO_LARGE = "too_large"
    UNAUTHENTICATED = "unauthenticated"


class Lost(Enum):
    """Why a span or log record that was taken in, and not dropped by a rule, did not reach the exporter's peer."""

    FAILED = "failed"
    MALFORMED = "malformed"
    QUEUE_FULL = "queue_full"
    REJECTED = "rejected"
    RETRIES_EXHAUSTED = "retries_exhausted"
    SHUTDOWN = "shutdown"


REFUSED_REQUESTS = [reason.value for reason in Refused if reason is not Refused.INVALID_TRACE_ID]
"""Of requests that are refused whole."""
REFUSED_SPANS = [Refused.INVALID_TRACE_ID.value]
"""Of single spans."""
HANDSHAKES = ("CERTIFICATE_VERIFY_FAILED", "HTTP_REQUEST", "PEER_DID_NOT_RETURN_A_CERTIFICATE", "WRONG_VERSION_NUMBER")
"""What BoringSSL calls the usual reasons for which a handshake fails."""
REDACTIONS = ("masked", "redacted")
"""What redaction does to attributes, in the Collector's words."""
LOST = [reason.value for reason in Lost if reason is not Lost.QUEUE_FULL]
"""Of spans, which are not taken in where there is no room."""
LOST_LOG_RECORDS = [reason.value for reason in Lost]
EARLY = ("max_memory_mib", "maximum_trace_size_bytes", "memory_limit", "num_traces", "sample_on_first_match")
"""Why traces are decided before their time (`pipeline.early`)."""
SOURCES = ("access_log", "channel", "client")
"""What enrichment knows requests from."""
FOUND = (*SOURCES, "ambiguous", "no_collection", "unknown")
"""What became of looking for a request's collection."""
CALLS_APART = (
    "connect",
    "existence_check",
    "implausible",
    "not_served",
    "poll",
    "repeated",
    "retry",
    "version_1",
)
"""What calls to Milvus are that are no requests (`requests.kinds`)."""
LINES = ("doubled", "evicted", "foreign", "malformed", "received")
"""What became of lines of the access log."""
RECOVERED = ("kept", "sent", "taken_in")
LATE = ("not_sampled", "sampled")
DROPPED, NOT_SAMPLED, SAMPLED = "dropped", "not_sampled", "sampled"
"""The decisions."""
LOG_DECISIONS = (NOT_SAMPLED, SAMPLED)
"""Those over log records."""
LOG_DECIDED_BY = ("max_size_mib", "shutdown", "trace", "unknown_trace", "without_trace_id")
"""What these were made by."""
