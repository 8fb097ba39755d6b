"""What the C library keeps, in a process of its own: it cannot be taken back."""

import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the settings are those of glibc")

_PROGRAM = """
import resource
from milvus_otel_processor.memory.allocator import tune_allocator

def pages(size, count):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(count):
        bytearray(size)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

tune_allocator()
pages(3 << 20, 2)
print(pages(3 << 20, 50))
"""


def test_the_memory_of_one_request_is_used_again_for_the_next() -> None:
    output = subprocess.run([sys.executable, "-c", _PROGRAM], check=True, capture_output=True, text=True, timeout=120)
    assert int(output.stdout) < 50  # of 38,000 where each has pages of its own
