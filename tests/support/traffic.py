"""Random requests, valid and not, of a few traces: what is compared between stores is what they make of these."""

from random import Random

from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from tests.support.spans import encoded, span
from tests.support.wire import delimited

NAMES = ("heartbeat", "asked", "request", "", "n" * 2000)
KEYS = ("db.collection.name", "key", "other", "k")
TRACES = 12
_SERVICES = 4
_VALUES = ("products", "v", "", 7, True, 2.5, ["a", 1], {"inner": "v"}, "long" * 50)


def one_span(random: Random, traces: int = TRACES) -> Span:
    """A valid span; of a few traces, with few ids, so that parents are found and repeated."""
    made = span(
        random.randrange(traces),  # 0 is no valid id
        random.randrange(6),
        random.choice((0, 0, random.randrange(6))),
        name=random.choice(NAMES),
        start_ms=random.randrange(1000),
        end_ms=random.randrange(1000),
        status=random.choice((0, 0, 1, Status.STATUS_CODE_ERROR)),
        attributes={key: random.choice(_VALUES) for key in KEYS if random.random() < 0.4},
        kind=random.randrange(6),
    )
    if random.random() < 0.2:
        made.parent_span_id = bytes(8)
    if random.random() < 0.3:
        made.trace_state, made.flags = random.choice(("ot=th:8", "vendor=k", "")), random.choice((0, 1, 257))
    if random.random() < 0.3:
        made.events.add(name=random.choice(KEYS), time_unix_nano=1)
    if random.random() < 0.2:
        made.links.add(trace_id=bytes(16), span_id=random.choice((b"", bytes(8), b"short")))
    if random.random() < 0.2:
        made.status.message = "why"
    return made


def request(random: Random, traces: int = TRACES) -> bytes:
    """A request of some spans under some resources."""
    return b"".join(
        encoded(
            *(one_span(random, traces) for _ in range(random.randrange(5))),
            resource={"service.name": f"service-{random.randrange(_SERVICES)}"},
            scope=random.choice(("app", "other")),
        )
        for _ in range(random.randrange(4))
    )


def with_malformed_spans(random: Random, request_: bytes) -> bytes:
    """The request with some spans more that are cut short or garbled, each in an envelope that is valid."""
    bad = []
    for _ in range(random.randrange(4)):
        garbled = bytearray(one_span(random).SerializeToString())
        at = random.randrange(len(garbled))
        if random.random() < 0.5:
            garbled[at] = random.randrange(256)
        else:
            del garbled[at:]
        bad.append(delimited(2, bytes(garbled)))
    return request_ + delimited(1, delimited(2, b"".join(bad)))


def mutated(random: Random, request_: bytes) -> bytes:
    """The request with a few bytes changed, taken out or put in, anywhere."""
    out = bytearray(request_ or b"\n")
    for _ in range(random.choice((1, 1, 2, 4))):
        at, kind = random.randrange(len(out)), random.random()
        if kind < 0.5:
            out[at] = random.randrange(256)
        elif kind < 0.6:
            out[at] ^= 1 << random.randrange(8)
        elif kind < 0.7:
            del out[at : at + random.choice((1, 2, 8))]
        elif kind < 0.8:
            out[at:at] = random.randbytes(random.choice((1, 2, 8)))
        elif kind < 0.9:
            out[at:at] = out[at : at + 20]
        else:
            del out[at:]
        out = out or bytearray(b"\n")
    return bytes(out)
