"""What docs/sampling.md shows is true: its examples load, and its lists are complete."""

import re
from pathlib import Path
from typing import Any, get_args

import pytest
from milvus_otel_processor.sampling.ottl.converters import CONVERTERS, LEFT_OUT
from milvus_otel_processor.sampling.policies import Policy
from milvus_otel_processor.sampling.settings import TailSamplingSettings
from ruamel.yaml import YAML

from tests.differential.blocks import HOLDERS, LEAVES
from tests.differential.conditions import CONDITIONS, EVENT_CONDITIONS
from tests.support.harness import ALWAYS, sampling

PAGE = (Path(__file__).parents[3] / "docs" / "sampling.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```yaml\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
ROWS = re.findall(r"^\| `(\w+)` \| [^|]+ \| [^|]+ \| `(\{.+\})` \|$", PAGE, re.MULTILINE)


def read(text: str) -> dict[str, Any]:
    found: dict[str, Any] = YAML(typ="safe", pure=True).load(text)
    return found


@pytest.mark.parametrize("text", BLOCKS, ids=range(len(BLOCKS)))
def test_every_example_loads_without_a_note(text: str) -> None:
    assert TailSamplingSettings.model_validate(read(text)).notes() == []


@pytest.mark.parametrize(("type_", "example"), ROWS, ids=[type_ for type_, _ in ROWS])
def test_every_example_in_the_table_loads_and_is_of_its_type(type_: str, example: str) -> None:
    policy = read(example)
    assert policy["type"] == type_
    notes = sampling({"name": "example", **policy}, ALWAYS).notes()
    assert [note for note in notes if note.startswith("policies[0]")] == []


def test_every_policy_is_in_the_table() -> None:
    shown = {type_ for type_, _ in ROWS}
    known = {model.model_fields["type"].annotation.__args__[0] for model in get_args(get_args(Policy)[0])}
    assert {*LEAVES, *HOLDERS} <= shown == known


def test_every_converter_is_listed() -> None:
    listed, _, rest = PAGE.partition("- Converters: ")[2].partition(". Times are")
    assert set(re.findall(r"`(\w+)`", listed)) == set(CONVERTERS)
    left_out = re.sub(r"\s+", " ", rest.partition("- `error_mode`")[0])
    for name, reason in LEFT_OUT.items():
        assert f"`{name}`" in left_out
        assert reason in left_out


def test_the_number_of_conditions_that_are_compared_is_that_of_the_list() -> None:
    total = len(CONDITIONS) + len(EVENT_CONDITIONS)
    assert f"every OTTL condition of a list of {total} that" in PAGE
    assert re.search(rf"\b{2 * total} . 500 for the conditions", PAGE)


def test_every_converter_of_the_collector_is_here_or_is_left_out_with_a_reason() -> None:
    """The converters of pkg/ottl/ottlfuncs/functions.go, v0.158, and those that the contexts add."""
    theirs = """All Any Base64Decode Base64Encode Bool Decode Coalesce CommunityID Concat ContainsValue ConvertCase
        ConvertAttributesToElementsXML ConvertTextToElementsXML Day Double Duration ExtractPatterns ExtractGrokPatterns Filter Find
        FNV GetXML HasPrefix HasSuffix Hour Hours Index InsertXML Int IsBool IsDouble IsEmpty IsList IsInt IsMap IsMatch IsString
        Len Log IsValidLuhn MapEach MapKeys MD5 Microseconds Milliseconds Minute Minutes Month Murmur3Hash Murmur3Hash128
        Nanosecond Nanoseconds Now ParseCSV ParseJSON ParseKeyValue ParseSimplifiedXML ParseXML Reduce RemoveXML Second Seconds
        SHA1 SHA256 SHA512 Sort SpanID Split Format String Substring Time FormatTime Trim TrimPrefix TrimSuffix ToKeyValueString
        ToCamelCase ToLowerCase ToSnakeCase ToUpperCase TruncateTime TraceID Unix UnixMicro UnixMilli UnixNano UnixSeconds UUID
        UUIDv7 URL Values Weekday When UserAgent Year Hex SliceToMap ParseSeverity ProfileID ParseInt Keys XXH3 XXH128 IsInCIDR
        IsRootSpan"""
    assert set(theirs.split()) == {*CONVERTERS, *LEFT_OUT}
    assert not CONVERTERS.keys() & LEFT_OUT.keys()
