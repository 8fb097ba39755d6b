"""`milvus-otel test`: what users expect of their rules, told as tests."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from milvus_otel_processor.cli.complaints import fail
from milvus_otel_processor.cli.options import config_options, load_and_warn, policy_option
from milvus_otel_processor.config import ConfigError
from milvus_otel_processor.expectations.check import Result, check
from milvus_otel_processor.expectations.junit import junit_xml
from milvus_otel_processor.expectations.model import read_expectations
from milvus_otel_processor.printable import printable

if TYPE_CHECKING:
    from milvus_otel_processor.expectations.model import ExpectationFile


@click.command("test")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="FILE...")
@config_options
@policy_option
@click.option(
    "--junit-xml",
    "junit",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Also write the results as JUnit XML, for CI.",
)
def command(
    *,
    files: tuple[Path, ...],
    path: Path | None,
    overrides: tuple[str, ...],
    policy_overrides: tuple[str, ...],
    junit: Path | None,
) -> None:
    r"""Check that the rules do with traces what you expect of them: status 0 if so, else 1, and what is different.

    Each FILE is YAML: `rules`, the file with the rules, and under `tests` traces in a few lines, or ids of recorded ones, with
    what is to become of them. --config tries other rules than those that the files name.

    \b
    rules: sampling.yaml
    tests:
      - name: a failed search is kept
        trace:
          - {name: search products, service: shop, status: ERROR, duration: 20ms}
        kept_by: errors

    \b
    Examples:
      milvus-otel test sampling.test.yaml
      milvus-otel test *.test.yaml --junit-xml results.xml
      milvus-otel test sampling.test.yaml --policy slow.threshold_ms=200
    """
    try:
        found = [read_expectations(file) for file in files]
    except ConfigError as error:
        fail(error)
    results = {file.path: _results(file, path, overrides, policy_overrides) for file in found}
    if junit is not None:
        _write(junit, junit_xml(results))
    every = [result for one in results.values() for result in one]
    failed = sum(bool(result.difference) for result in every)
    click.echo(f"{len(every) - failed} as expected" + (f", {failed} not" if failed else ""))
    if failed:
        sys.exit(1)


def _results(
    file: ExpectationFile, path: Path | None, overrides: tuple[str, ...], policy_overrides: tuple[str, ...]
) -> list[Result]:
    config = load_and_warn(path or file.rules, overrides, policy_overrides)
    results = []
    for expectation in file.expectations:
        result = check(expectation, config, file.path.parent)
        mark = "not as expected: " if result.difference else "ok: "
        click.echo(
            click.style(mark, fg="red" if result.difference else "green") + f"{result.place}: {printable(result.name)}"
        )
        for line in result.difference:
            click.echo(f"    {printable(line)}")
        results.append(result)
    return results


def _write(target: Path, document: bytes) -> None:
    try:
        target.write_bytes(document)
    except OSError as error:
        fail(f"--junit-xml {target}: cannot be written: {error.strerror}")
