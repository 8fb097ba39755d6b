"""The decision over one trace, explained: as text for people, as JSON for programs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from milvus_otel_processor.demo.tree import in_tree_order
from milvus_otel_processor.pipeline.triggers import SHUTDOWN
from milvus_otel_processor.printable import as_json, printable
from milvus_otel_processor.replay.explained import COMPLETE, FIRST, LIMIT, ROOT, TIME, Explained, Trigger
from milvus_otel_processor.replay.kept_span import KeptSpan
from milvus_otel_processor.sampling.decision import Decision, Verdict
from milvus_otel_processor.sampling.explanation import Explanation, PolicyExplanation, TraceExplanation, amount

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rich.console import Console


_STYLES = {"sampled": "green", "dropped": "red", "not_sampled": "dim", None: "dim"}
_SOURCE, _COLLECTION, _DATABASE, _OPERATION = (
    "milvus.enrichment",
    "db.collection.name",
    "db.namespace",
    "db.operation.name",
)
_NOT_ASKED = "not_asked"
_DROP = "drop"
_SPANS_SHOWN = 40
_TRIGGERS = {
    TIME: "its time was over",
    ROOT: "its root span had arrived",
    COMPLETE: "it was complete and quiet",
    FIRST: "a policy samples it, whatever else arrives",
    LIMIT: "a limit was reached",
    SHUTDOWN: "the processor stopped",
}


def document(trace_id: str, found: Explained) -> dict[str, Any]:
    """Return it as JSON has it."""
    verdict, policies = found.explanation.verdict, found.explanation.policies
    return {
        "trace_id": trace_id,
        "decision": verdict.decision.value,
        "policy": verdict.policy,
        "trigger": found.trigger.kind,
        "trigger_setting": found.trigger.setting or None,
        "waited_seconds": round(found.waited, 3) if found.waited is not None else None,
        "spans": len(found.spans),
        "duration_ms": found.milliseconds,
        "has_root": found.has_root,
        "complete": found.complete,
        "enrichment": list(_requests(found.spans)),
        "order": [one.name for one in in_order(policies)],
        "policies": [
            {"name": one.name, "type": one.type, "mode": one.mode, **_as_dict(one.explanation)} for one in policies
        ],
        "waterfall": list(_waterfall(found.spans)),
    }


def to_json(trace_id: str, found: Explained) -> str:
    """Return it as a JSON document."""
    return as_json(document(trace_id, found))


def in_order(policies: Sequence[PolicyExplanation]) -> list[PolicyExplanation]:
    """Return the policies in the order in which they count: `drop` first, shadows never."""
    active = [one for one in policies if one.mode is None]
    return sorted(active, key=lambda one: one.type != _DROP)


def _as_dict(explanation: Explanation) -> dict[str, Any]:
    decision = explanation.decision
    inside = [{"name": name, **_as_dict(below)} for name, below in explanation.inside]
    return {
        "verdict": decision.value if decision is not None else _NOT_ASKED,
        "reason": explanation.reason,
        **({"policies": inside} if inside else {}),
    }


def _requests(spans: Sequence[KeptSpan]) -> Iterator[dict[str, Any]]:
    """Yield what is known of each collection that is touched, and which source of enrichment told it."""
    seen = set()
    for span in spans:
        known = tuple(span.attributes.get(key) for key in (_SOURCE, _COLLECTION, _DATABASE, _OPERATION))
        if (known[0] is not None or known[1] is not None) and known not in seen:
            seen.add(known)
            yield dict(zip(("source", "collection", "database", "operation"), known, strict=True))


def _waterfall(spans: Sequence[KeptSpan]) -> Iterator[dict[str, Any]]:
    start = min((span.start for span in spans), default=0)
    for span, depth in in_tree_order(list(spans)):
        yield {
            "name": span.name,
            "service": span.service,
            "depth": depth,
            "start_ms": (span.start - start) / 1e6,
            "duration_ms": (span.end - span.start) / 1e6,
            "error": span.is_error,
            "collection": span.attributes.get(_COLLECTION),
        }


def from_document(found: dict[str, Any]) -> Explained:
    """Return what a document of the running processor tells of: one with `span_details`, see `page.why`."""
    return Explained(
        TraceExplanation(
            Verdict(Decision(found["decision"]), found["policy"]),
            tuple(
                PolicyExplanation(one["name"], one["type"], one["mode"], _explanation(one)) for one in found["policies"]
            ),
        ),
        [KeptSpan(**{**span, "start": int(span["start"]), "end": int(span["end"])}) for span in found["span_details"]],
        found["duration_ms"],
        found["has_root"],
        found["complete"],
        None,
        Trigger(found["trigger"], found["trigger_setting"] or ""),
    )


def _explanation(found: dict[str, Any]) -> Explanation:
    inside = tuple((one["name"], _explanation(one)) for one in found.get("policies", ()))
    verdict = found["verdict"]
    return Explanation(None if verdict == _NOT_ASKED else Decision(verdict), found["reason"], inside)


def show(trace_id: str, found: Explained, console: Console) -> None:
    """Print it."""
    from rich.text import Text  # noqa: PLC0415 - who wants JSON need not wait for it

    from milvus_otel_processor.demo.waterfall import waterfall  # noqa: PLC0415 - likewise

    verdict = found.explanation.verdict
    by = f" by {verdict.policy}" if verdict.policy else ""
    console.print(Text(f"trace {trace_id}: {verdict.decision.value.replace('_', ' ')}{by}", style="bold"))
    for line in _facts(found):
        console.print(Text(printable(line), style="dim"))
    console.print()
    for one in found.explanation.policies:
        shadow = " (shadow)" if one.mode else ""
        _show(f"{one.name}{shadow}", one.type, one.explanation, console, depth=0)
    console.print()
    console.print(waterfall(found.spans, console, _SPANS_SHOWN))


def trigger_words(trigger: Trigger) -> str:
    """Return what made a trace due, and by which setting."""
    return _TRIGGERS[trigger.kind] + (f" ({trigger.setting})" if trigger.setting else "")


def _facts(found: Explained) -> Iterator[str]:
    yield f"{amount(len(found.spans), 'span')}, {found.milliseconds:,.2f} ms"
    after = f" {found.waited:,.1f} s after its first span" if found.waited is not None else ""
    yield f"decided{after}: {trigger_words(found.trigger)}"
    if not found.has_root:
        yield "its root span had not arrived"
    elif not found.complete:
        yield "the parent of a span had not arrived"
    else:
        yield "its root and all parents were there"
    told = list(_requests(found.spans))
    for one in told:
        where = f" in {one['database']}" if one["database"] else ""
        yield f"collection {one['collection'] or '-'}{where}: told by {one['source'] or 'the span itself'}"
    if not told:
        yield "no source told a collection"
    drops = [one.name for one in found.explanation.policies if one.type == _DROP and one.mode is None]
    if drops:
        yield "order: drop policies first, then the others as they stand; the first that matches decides"
    else:
        yield "order: as they stand; the first that samples decides"


def _show(name: str, type_: str, explanation: Explanation, console: Console, *, depth: int) -> None:
    from rich.text import Text  # noqa: PLC0415 - as above

    decision = explanation.decision.value if explanation.decision is not None else None
    head = "  " * depth + name + (f" ({type_})" if type_ and type_ != name else "")
    words = (decision or _NOT_ASKED).replace("_", " ")
    console.print(Text.assemble(head, " ", (words, _STYLES[decision] or ""), f": {printable(explanation.reason)}"))
    for below, answer in explanation.inside:
        _show(below, "", answer, console, depth=depth + 1)
