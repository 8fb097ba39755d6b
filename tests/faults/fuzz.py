"""Requests by a coverage-guided fuzzer (atheris), through the pipeline with enrichment, rules and the reference store.

Nothing may come of a request but that it is taken or refused, and after each all spans are in one place. atheris is no dependency
of this project, and there are builds of it for Python 3.12 and 3.13:

UV_PROJECT_ENVIRONMENT=/tmp/fuzz uv run --python 3.13 --with atheris python -m tests.faults.fuzz -runs=1000000 [-seed=1] [FOLDER]

The options are libFuzzer's; FOLDER is where inputs are kept that reached something new. It begins with the recordings' requests.
"""

import sys
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from random import Random

import atheris  # type: ignore[import-not-found, import-untyped, unused-ignore]

with atheris.instrument_imports(include=["milvus_otel_processor"]):
    from milvus_otel_processor.spans.schema import DecodeError

    from tests.differential.fuzz_requests import mutants
    from tests.support import stores
    from tests.support.harness import ERRORS, Harness, assert_accounted, drop_roots, sampling

_INPUTS_OF_A_HARNESS = 2000
_SEEDS = 200


def target() -> Callable[[bytes], None]:
    """What is given each input."""
    harness, inputs = _harness(), 0

    def one_input(data: bytes) -> None:
        nonlocal harness, inputs
        inputs += 1
        if inputs % _INPUTS_OF_A_HARNESS == 0:
            harness = _harness()
        with suppress(DecodeError):
            harness.pipeline.ingest(data)
        harness.advance(1.0)
        assert_accounted(harness.snapshot())

    return one_input


def _harness() -> Harness:
    with stores.using("reference"):
        return Harness(sampling(drop_roots("heartbeat"), ERRORS, decision_wait=2.0), enrich=True)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        for number, seed in enumerate(mutants(Random(0), _SEEDS)):
            (Path(folder) / str(number)).write_bytes(seed)
        folders = [*(one for one in sys.argv[1:] if not one.startswith("-")), folder]
        options = [one for one in sys.argv if one.startswith("-")]
        atheris.Setup([sys.argv[0], *options, *folders], target())
        atheris.Fuzz()


if __name__ == "__main__":
    main()
