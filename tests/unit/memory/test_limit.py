"""How much memory there is, by control groups that a test writes."""

from pathlib import Path

import pytest
from milvus_otel_processor.memory.limit import available_memory, resident_memory
from milvus_otel_processor.memory.settings import MemoryLimiterSettings

MIB = 1 << 20


def written(root: Path, own: str, **files: str) -> tuple[Path, Path]:
    for name, content in files.items():
        path = root / name.replace("__", "/").replace("_max", ".max").replace("_limit", ".limit_in_bytes")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    groups = root / "cgroup"
    groups.write_text(own)
    return root, groups


def test_in_a_container_its_own_group_is_the_root(tmp_path: Path) -> None:
    root, groups = written(tmp_path, "0::/\n", memory_max=f"{512 * MIB}\n")
    assert available_memory(root=root, own_groups=groups) == (512 * MIB, True)


def test_a_group_above_counts_where_it_is_smaller(tmp_path: Path) -> None:
    root, groups = written(tmp_path, "0::/a/b\n", a__memory_max=str(100 * MIB), a__b__memory_max="max\n")
    assert available_memory(root=root, own_groups=groups) == (100 * MIB, True)


def test_version_1_has_its_own_folder_and_file(tmp_path: Path) -> None:
    own = "4:cpu,cpuacct:/x\n3:memory:/docker/c\n"
    root, groups = written(tmp_path, own, memory__docker__c__memory_limit=str(64 * MIB))
    assert available_memory(root=root, own_groups=groups) == (64 * MIB, True)


@pytest.mark.parametrize("text", ["max", "9223372036854771712", "", "many"])
def test_without_a_limit_it_is_the_machines(tmp_path: Path, text: str) -> None:
    root, groups = written(tmp_path, "0::/\n", memory_max=text)
    found = available_memory(root=root, own_groups=groups)
    assert not found.of_container
    assert found.bytes > 256 * MIB


def test_what_is_resident_is_more_than_an_interpreter_and_less_than_the_machine() -> None:
    assert 5 * MIB < resident_memory() < available_memory().bytes


def test_the_limit_is_what_is_set_else_a_part_of_what_there_is() -> None:
    there = available_memory()
    assert MemoryLimiterSettings(limit_mib=300).limit() == 300 * MIB
    assert MemoryLimiterSettings(limit_percentage=50).limit() == there.bytes // 2
    assert MemoryLimiterSettings().limit() == int(there.bytes * (0.8 if there.of_container else 0.25))
