"""What to write instead: hints for what people write in conditions out of the habit of other languages."""

from __future__ import annotations

import re
from difflib import get_close_matches
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_LOWER_CASE = "and, or and not are written in lower case"
_AT_THE_PLACE = [
    (r"'([^']*)'?", r'a text stands in double quotes: "\1"'),
    (r"&&", "write and"),
    (r"\|\|", "write or"),
    (r"!(?!=)", "write not"),
    (r"=~", 'a regular expression is asked for by IsMatch(name, "^a")'),
    (r"!~", 'write not IsMatch(name, "^a")'),
    (r"==?=?", "write == to compare"),
    (r"(?i:and|or|not)\b", _LOWER_CASE),
    (r"(?i:in)\b", 'write ContainsValue(["a", "b"], name), or name == "a" or name == "b"'),
    (r"(?i:contains|like|matches)\b", 'write IsMatch(name, "part")'),
    (r"(?i:starts_?with)\b", 'write HasPrefix(name, "part")'),
    (r"(?i:ends_?with)\b", 'write HasSuffix(name, "part")'),
    (r"(?i:is)\b", "write == nil, or != nil"),
    (r"(?i:null|none)\b", "nothing is written nil"),
    (r"(?:True|TRUE|False|FALSE)\b", "true and false are written in lower case"),
    (r"[A-Z]\w*", "a name in capital letters is an enum or, with ( behind it, a converter"),
    (r"%", "there is no remainder; there are + - * and /"),
    (r"\?", "there is no ?, and none is needed: of what is not there everything is nil"),
]
"""What stands where the text can no longer be read, as a regular expression, and what to do about it."""

_EDITORS = (
    "append delete_index delete_key delete_matching_keys flatten keep_keys keep_matching_keys limit merge_maps "
    "replace_all_matches replace_all_patterns replace_match replace_pattern set truncate_all"
)
_WORD_BEHIND = re.compile(r"\w+\s*$")
_WORD_AHEAD = re.compile(r"\w*")
_DURATION_NAMES = frozenset({"duration", "duration_ms", "latency", "elapsed", "duration_nano", "duration_ns"})
_DURATION = (
    'a span\'s duration is end_time - start_time: write end_time - start_time > Duration("5s"), '
    "or use a policy of the type latency for the duration of the trace"
)
_FIELDS = {
    "parent_id": "parent_span_id, and IsRootSpan() asks for spans without a parent",
    "parentspanid": "parent_span_id, and IsRootSpan() asks for spans without a parent",
    "span_name": "name",
    "operation_name": "name",
    "spanname": "name",
    "error": "status.code == STATUS_CODE_ERROR",
    "status_code": "status.code",
    "status_message": "status.message",
    "span_kind": "kind",
    "root": "IsRootSpan()",
    "is_root": "IsRootSpan()",
    "null": "nil for nothing",
    "none": "nil for nothing",
    "service": 'resource.attributes["service.name"]',
    "service_name": 'resource.attributes["service.name"]',
}
_HOLDERS = ("resource", "scope", "instrumentation_scope", "span", "spanevent")
_KNOWN_PREFIXES = frozenset({"service", "k8s", "host", "deployment", "telemetry", "container", "process", "cloud"})
_MOST_NAMES = 12


def at_the_place(before: str, found: str, converters: Iterable[str]) -> str:
    """Return what to do about a text that can be read up to `before`, and not from `found` on; an empty text for nothing."""
    word = _WORD_BEHIND.search(before)
    name = (word[0] if word else "") + (ahead[0] if (ahead := _WORD_AHEAD.match(found)) else "")
    if name in ("AND", "OR", "NOT") or (word and word[0].strip() in ("AND", "OR", "NOT")):
        return _LOWER_CASE
    if name[:1].islower() and found[len(name) - len(word[0] if word else "") :].lstrip().startswith("("):
        return _of_call(name.strip(), converters)
    if found.startswith(">") and before.endswith("<"):
        return "write !="
    for pattern, hint in _AT_THE_PLACE:
        if match := re.match(pattern, found):
            return match.expand(hint) if match.groups() else hint
    return ""


def _of_call(name: str, converters: Iterable[str]) -> str:
    if f" {name} " in f" {_EDITORS} ":
        return f"{name} changes data, and a condition can only ask"
    by_letters = {converter.lower(): converter for converter in converters}
    near = get_close_matches(name.replace("_", "").lower(), by_letters, n=1)
    return f"converters begin with a capital letter: {by_letters[near[0]]}" if near else ""


def of_path(path: str, context: str) -> str:
    """Return what to write instead of a path that is not there; an empty text where that is not known."""
    holder, _, rest = path.partition(".")
    first, _, key = rest.partition(".")
    name = (rest or path).lower()
    if not rest and holder in _HOLDERS:
        return f'write {holder}.attributes["key"]'
    if first == "attributes" and key:
        return f'an attribute\'s key stands in brackets and quotes: {_attributes(holder, context)}["{key}"]'
    if name in _DURATION_NAMES:
        return _DURATION
    if name in _FIELDS:
        return f"write {_FIELDS[name]}"
    if key or holder not in ("span", "spanevent"):
        of_resource = holder in ("span", "spanevent") and first in _KNOWN_PREFIXES
        where = "resource.attributes" if of_resource else _attributes(holder, context)
        return f'an attribute is asked for by its key: {where}["{rest}"]'
    return ""


def _attributes(holder: str, context: str) -> str:
    return "attributes" if holder == context else f"{holder}.attributes"


def of_name(name: str, names: Iterable[str]) -> str:
    """Return what there is, for a message about a name that there is not: the nearest, and all where they are few."""
    names = sorted(names)
    ending = [known for known in names if len(name) > 1 and known.lower().endswith(f"_{name.lower()}")]
    by_letters = {known.lower(): known for known in names}
    close = ending or [by_letters[near] for near in get_close_matches(name.lower(), by_letters, n=1)]
    listed = f"; there is {', '.join(names)}" if len(names) <= _MOST_NAMES else "; docs/sampling.md lists what there is"
    return listed + (f"; did you mean {' or '.join(close)}?" if close else "")
