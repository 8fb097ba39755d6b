"""What a large catalogue does to spans: how late decisions are while 10,000 collections are read, and how much memory they take.

    uv run python -m tests.benchmarks.catalogue_size [--collections 10000] [--seconds 20]

A process of its own answers in Milvus' place, as fast as it can. Here runs the processor's pipeline with the catalogue's thread
beside it; every 5 ms a trace comes in, and what counts is how long after it was due its spans came out.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from pathlib import Path

from tests.enrichment.many_collections import Run, lasting, milvus_with, p99


def resident_mib() -> float:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * 4096 / 2**20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--collections", type=int, default=10_000)
    parser.add_argument("--seconds", type=float, default=20.0)
    arguments = parser.parse_args()
    with milvus_with(arguments.collections) as port:
        for reads in (False, True, False, True):
            run = Run(port, arguments.collections, enabled=reads, miss_interval="10ms")
            before = resident_mib()
            run.enrichment.start()
            late = run.lateness(lasting(arguments.seconds))
            sys.stdout.write(
                f"catalogue {'read' if reads else 'not read'}: {len(late)} decisions, late by {statistics.median(late):.1f} ms in "
                f"the middle, {p99(late):.1f} ms at p99; {len(run.enrichment.catalogue)} collections known, "
                f"{resident_mib() - before:.0f} MiB more\n"
            )
            run.enrichment.stop(5)


if __name__ == "__main__":
    main()
