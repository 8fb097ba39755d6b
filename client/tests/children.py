"""A child process that searches: `python children.py WAY CALLER`; CALLER is who calls `setup`."""

from __future__ import annotations

import concurrent.futures
import multiprocessing
import os
import sys


def setup() -> None:
    import milvus_otel_client

    milvus_otel_client.setup()


def search(caller: str) -> int:
    if caller == "child":
        setup()
    from pymilvus import MilvusClient

    return len(MilvusClient(os.environ["MILVUS_URI"]).search("c", [[0.1, 0.2, 0.3, 0.4]], limit=2)[0])


def answer(results: object, caller: str) -> None:
    results.put(search(caller))  # type: ignore[attr-defined]


def main(way: str, caller: str) -> int:
    if caller == "parent":
        setup()
    kind, _, method = way.rpartition("-")
    context = multiprocessing.get_context(method)
    initializer = setup if caller == "initializer" else None
    if kind == "executor":
        with concurrent.futures.ProcessPoolExecutor(1, context, initializer) as executor:
            return executor.submit(search, caller).result()
    if kind:
        with context.Pool(1, initializer) as pool:
            found: int = pool.apply(search, (caller,))
            if kind == "closed-pool":
                pool.close()
                pool.join()
            return found  # leaving the pool terminates its processes
    results = context.Queue()
    process = context.Process(target=answer, args=(results, caller))
    process.start()
    process.join()
    return results.get()  # type: ignore[no-any-return]


if __name__ == "__main__":
    print(main(*sys.argv[1:]))  # noqa: T201 - what the test reads
