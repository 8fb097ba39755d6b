"""What policies cost: CPU time per span with four of them and with twenty, on the busy mix.

    uv run python -m tests.benchmarks.policy_cost [--spans 200000] [--profile]

In one process, without a network and without enrichment: requests are taken in, each trace is decided, and what is kept is given
to an exporter that drops it. The two take turns, and the best round of each counts, as others use the machine too.
"""

import argparse
import cProfile
import pstats
import time
from collections.abc import Sequence
from itertools import chain

from milvus_otel_processor.service.garbage import tune_garbage_collection

from tests.benchmarks.load import busy, repeated, spans_in
from tests.support.harness import Harness, sampling

Policy = dict[str, object]
ROUNDS = 7
GOAL = 1.5


# They look at what is on every span, and keep little: what more kept traces cost is not the policies' cost.


def policy(name: str, kind: str, **settings: object) -> Policy:
    """One entry under `policies`."""
    return {"name": name, "type": kind, kind: settings}


ERRORS = policy("errors", "status_code", status_codes=["ERROR"])
SLOW = policy("slow", "latency", threshold_ms=500)
COLLECTION = policy("collection", "string_attribute", key="db.collection.name", values=["products"])
TENTH = policy("tenth", "probabilistic", sampling_percentage=10)
FOUR = [ERRORS, SLOW, COLLECTION, TENTH]


def _both(name: str, *policies: Policy) -> Policy:
    return policy(name, "and", and_sub_policy=list(policies))


TWENTY = [
    policy(
        "health",
        "drop",
        drop_sub_policy=[
            policy(
                "path", "string_attribute", key="url.path", values=["/health", "/metrics"], enabled_regex_matching=True
            )
        ],
    ),
    ERRORS,
    SLOW,
    COLLECTION,
    policy("tenant", "string_attribute", key="tenant", values=["gold", "platinum"]),
    policy("route", "string_attribute", key="http.route", values=["^/admin"], enabled_regex_matching=True),
    policy("service", "string_attribute", key="service.name", values=["payment"]),
    policy("drops", "string_attribute", key="rpc.method", values=["DropIndex", "DropAlias"]),
    policy(
        "creates", "string_attribute", key="rpc.method", values=["^Alter", "^Transfer"], enabled_regex_matching=True
    ),
    policy("renames", "string_attribute", key="rpc.method", values=["RenameCollection"]),
    policy("grpc codes", "numeric_attribute", key="rpc.grpc.status_code", min_value=1),
    policy("http codes", "numeric_attribute", key="http.response.status_code", min_value=500, max_value=599),
    policy("debug", "boolean_attribute", key="debug", value=True),
    policy("vendor", "trace_state", key="vendor", values=["keep"]),
    policy("large", "span_count", min_spans=500),
    _both("slow imports", policy("200 ms", "latency", threshold_ms=200), COLLECTION),
    _both("a tenth of gold", TENTH, policy("gold", "string_attribute", key="tenant", values=["gold"])),
    policy("slow roots", "ottl_condition", span=['IsRootSpan() and end_time - start_time > Duration("400ms")']),
    policy("unhandled", "ottl_condition", spanevent=['name == "unhandled"']),
    TENTH,
]


def cost(policies: Sequence[Policy], requests: Sequence[bytes], spans: int) -> float:
    """CPU microseconds per span, in one round."""
    harness = Harness(sampling(*policies, num_traces=10_000_000, decision_wait="10s"))
    put, started = harness.pipeline.ingest, time.process_time()
    for at, request in enumerate(requests):
        put(request)
        if at % 50 == 0:
            harness.advance(1)
            harness.exporter.puts.clear()
    harness.pipeline.drain()
    return (time.process_time() - started) / spans * 1e6


def main() -> None:
    """Measure, and say how the two compare."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--spans", type=int, default=200_000)
    arguments.add_argument("--profile", action="store_true", help="show where the time goes with twenty policies")
    options = arguments.parse_args()
    tune_garbage_collection()
    load = busy()
    requests = list(chain(repeated(load, max(1, options.spans // spans_in(load)))))
    spans = spans_in(requests)
    if options.profile:
        with cProfile.Profile() as profile:
            cost(TWENTY, requests, spans)
        pstats.Stats(profile).sort_stats("tottime").print_stats(25)
        return
    rounds = [(cost(FOUR, requests, spans), cost(TWENTY, requests, spans)) for _ in range(ROUNDS)]
    four, twenty = (min(found) for found in zip(*rounds, strict=True))
    print(
        f"{spans} spans: {four:.2f} µs per span with 4 policies, {twenty:.2f} µs with {len(TWENTY)}: {twenty / four:.2f} times"
    )
    print(f"the goal is at most {GOAL} times")


if __name__ == "__main__":
    main()
