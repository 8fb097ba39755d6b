"""`policies` lists: some for every policy, and as many more as are wanted from a seeded generator.

Left out is what the two are known to differ in (docs/sampling.md), and limits that can be reached: which traces find them reached
depends on the order of decisions, which the Collector leaves to chance.
"""

from collections.abc import Callable, Mapping, Sequence
from random import Random

from tests.differential.conditions import CONDITIONS, EVENT_CONDITIONS
from tests.differential.traces import SERVICES, TEXTS

Policy = dict[str, object]
Block = list[Policy]

_PLENTY = 1_000_000_000


def _policy(kind: str, settings: Mapping[str, object] | None = None) -> Policy:
    return {"name": kind, "type": kind, **({kind: dict(settings)} if settings is not None else {})}


def _string(random: Random) -> Policy:
    settings: dict[str, object] = {"key": random.choice(("text", "service.name", "any", "number", "absent"))}
    if random.random() < 0.5:
        expressions = ("^s", "er", "a+!$", "^$", r"\d+", r"[äöüß]", "(?i)SHOP", r"^\S+$", "店|検", ".")
        settings |= {"values": random.sample(expressions, 2), "enabled_regex_matching": True}
        settings |= {"cache_max_size": random.choice((0, 1, 10))}
    else:
        settings["values"] = random.sample(TEXTS + SERVICES, random.randrange(4))
    return _policy("string_attribute", settings | _inverted(random))


def _numeric(random: Random) -> Policy:
    bounds = random.sample((-50, -1, 1, 7, 50, 70, 99, 100, 500, 2**62), 2)
    low, high = sorted(bounds)
    some = random.choice(({"min_value": low, "max_value": high}, {"min_value": low}, {"max_value": high}))
    key = random.choice(("number", "instance"))
    return _policy("numeric_attribute", {"key": key, **some, **_inverted(random)})


def _boolean(random: Random) -> Policy:
    key = random.choice(("flag", "canary", "text", "absent"))
    return _policy("boolean_attribute", {"key": key, "value": random.random() < 0.6, **_inverted(random)})


def _inverted(random: Random) -> dict[str, object]:
    return {"invert_match": True} if random.random() < 0.3 else {}


def _probabilistic(random: Random) -> Policy:
    settings: dict[str, object] = {"sampling_percentage": random.choice((0, 0.1, 1, 10, 12.5, 50, 99.9, 100, 250, -5))}
    if random.random() < 0.5:
        settings["hash_salt"] = random.choice(("salt", "塩", "x" * 100))
    return _policy("probabilistic", settings)


def condition_alone(context: str, condition: str, error_mode: str) -> Block:
    """One condition, on spans (`span`) or on their events (`spanevent`)."""
    settings = {context: [condition], "error_mode": error_mode}
    return [{"name": "condition", "type": "ottl_condition", "ottl_condition": settings}]


def _ottl(random: Random) -> Policy:
    settings: dict[str, object] = {}
    if random.random() < 0.8:
        settings["span"] = random.sample(CONDITIONS, random.choice((1, 1, 2, 3)))
    if not settings or random.random() < 0.4:
        settings["spanevent"] = random.sample(EVENT_CONDITIONS, random.choice((1, 1, 2)))
    mode = random.choice((None, "ignore", "silent", "propagate"))
    return _policy("ottl_condition", settings | ({"error_mode": mode} if mode else {}))


LEAVES: dict[str, Callable[[Random], Policy]] = {
    "always_sample": lambda _: _policy("always_sample"),
    "boolean_attribute": _boolean,
    "bytes_limiting": lambda random: _policy(
        "bytes_limiting", {"bytes_per_second": random.choice((0, _PLENTY)), "burst_capacity": 0}
    ),
    "latency": lambda random: _policy("latency", {"threshold_ms": random.choice((-1, 0, 1, 4, 5, 20, 99, 100, 2000))}),
    "numeric_attribute": _numeric,
    "ottl_condition": _ottl,
    "probabilistic": _probabilistic,
    "rate_limiting": lambda random: _policy("rate_limiting", {"spans_per_second": random.choice((0, _PLENTY))}),
    "span_count": lambda random: _policy(
        "span_count", random.choice(({"min_spans": 3}, {"min_spans": 2, "max_spans": 4}, {"max_spans": 1}, {}))
    ),
    "status_code": lambda random: _policy(
        "status_code", {"status_codes": random.sample(("OK", "ERROR", "UNSET"), random.choice((1, 1, 2)))}
    ),
    "string_attribute": _string,
    "trace_flags": lambda _: _policy("trace_flags"),
    "trace_state": lambda random: _policy(
        "trace_state",
        {
            "key": random.choice(("vendor", "other", "tenant@vendor")),
            "values": random.sample(("1", "2", "x", "a=b"), 2),
        },
    ),
}
"""The policies that hold no others."""


def _leaf(random: Random) -> Policy:
    # OTTL is the largest by far, and the rest is soon tried out.
    kind = "ottl_condition" if random.random() < 0.25 else random.choice(sorted(LEAVES))
    return LEAVES[kind](random)


def _not(random: Random) -> Policy:
    return _policy("not", {"not_sub_policy": _leaf(random)})


def _leaf_or_not(random: Random) -> Policy:
    return _not(random) if random.random() < 0.3 else _leaf(random)


def _and(random: Random) -> Policy:
    return _policy("and", {"and_sub_policy": [_leaf_or_not(random) for _ in range(random.choice((1, 2, 2, 3)))]})


def _drop(random: Random) -> Policy:
    return _policy("drop", {"drop_sub_policy": [_leaf_or_not(random) for _ in range(random.choice((1, 2, 2)))]})


def _composite(random: Random) -> Policy:
    subs = [_and(random) if random.random() < 0.3 else _leaf(random) for _ in range(random.choice((1, 2, 3)))]
    names = [f"sub-{place}" for place in range(len(subs))]
    for name, sub in zip(names, subs, strict=True):
        sub["name"] = name
    shares = [{"policy": name, "percent": random.choice((0, 30, 100))} for name in names]
    settings: dict[str, object] = {"max_total_spans_per_second": _PLENTY, "policy_order": names[::-1]}
    return _policy("composite", settings | {"composite_sub_policy": subs, "rate_allocation": shares})


HOLDERS: dict[str, Callable[[Random], Policy]] = {"and": _and, "composite": _composite, "drop": _drop, "not": _not}
"""The policies that hold others, as deep as the Collector lets them."""


def _any(random: Random) -> Policy:
    return random.choice([_leaf, _leaf, *HOLDERS.values()])(random)


def _few(random: Random) -> Block:
    return [_any(random) for _ in range(random.choice((1, 2, 2, 3, 5)))]


def _many(random: Random) -> Block:
    """As many as are worth asking only those that may match; each of them samples little."""
    return [_and(random) for _ in range(random.randrange(8, 16))]


def _named(policies: Sequence[Policy]) -> Block:
    return [{**policy, "name": f"{place}-{policy['type']}"} for place, policy in enumerate(policies)]


def blocks(seed: int, count: int) -> list[Block]:
    """So many `policies`: every policy alone, every policy behind a drop, then pairs, some and many of them at random."""
    random = Random(seed)
    makers = [LEAVES[kind] for kind in sorted(LEAVES)] + [HOLDERS[kind] for kind in sorted(HOLDERS)]
    found = [_named([make(random)]) for make in makers]
    found += [_named([_leaf(random), make(random), _drop(random)]) for make in makers]
    while len(found) < count:
        found.append(_named(_many(random) if random.random() < 0.2 else _few(random)))
    return found[:count]
