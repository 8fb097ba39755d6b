"""What subcommands have in common: where the configuration comes from, which recorded traffic is read, how to write to people.

Settings models, YAML and tables take longer to import than many a command to do its work, so each is imported where it is used.
"""

from __future__ import annotations

import os
import re
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from milvus_otel_processor.cli.complaints import complain, fail
from milvus_otel_processor.cli.policy_keys import complete

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from rich.console import Console

    from milvus_otel_processor.cli.progress import Progress
    from milvus_otel_processor.config import Config, ConfigError, LoadedConfig
    from milvus_otel_processor.replay.left_out import LeftOut
    from milvus_otel_processor.replay.recording import Message

_TRACE_ID = re.compile(r"[0-9a-fA-F]{32}")
_UNCAPPED_WIDTH = 200
USUAL_PAGES = ("http://127.0.0.1:8888", "http://127.0.0.1:18888")
"""Where the stack's processor has its page, and where the demo's has."""
NO_PAGE = (
    f"No processor answers at {' or '.join(USUAL_PAGES)}.",
    "Start it, or say where its page is (service.telemetry.page): --from URL.",
)
"""What is said, and what to do, where `usual_page` finds none."""
TOKEN_VARIABLE = "MILVUS_OTEL_PAGE_TOKEN"  # noqa: S105 - a name

config_option = click.option(
    "--config",
    "path",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="The configuration; without it, the one that `milvus-otel config` prints.",
)
set_option = click.option(
    "--set",
    "overrides",
    multiple=True,
    metavar="KEY.PATH=VALUE",
    help="Set one value over what the file says, such as exporters.otlp.endpoint=jaeger:4317. May be given often.",
)
policy_option = click.option(
    "--policy",
    "policy_overrides",
    multiple=True,
    shell_complete=complete,
    metavar="NAME.KEY=VALUE",
    help="Set one value of one policy for this run, such as slow.threshold_ms=500. May be given often.",
)
access_log_option = click.option(
    "--access-log",
    "access_logs",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Milvus' access log of the same time, which knows collections and errors. May be given often.",
)


def console() -> Console:
    """Return where tables for people go: as wide as COLUMNS says, or the terminal is; in a file or a pipe with room for all."""
    from milvus_otel_processor.terminal import Terminal, columns_asked_for  # noqa: PLC0415 - see above

    found = Terminal(highlight=False, markup=False)
    if not found.is_terminal and columns_asked_for() is None:
        found.width = _UNCAPPED_WIDTH
    return found


def config_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a subcommand the options `--config` and `--set`, as `path` and `overrides`."""
    return config_option(set_option(command))


class Recorded(NamedTuple):
    """Recorded traffic, and the rules that are tried on it, as a command line names them."""

    files: tuple[Path, ...]
    access_logs: tuple[Path, ...]
    path: Path | None
    overrides: tuple[str, ...]
    policy_overrides: tuple[str, ...]

    def load(self) -> Config:
        """Return the configuration, its warnings on stderr; if there is none to be had, say what is wrong and end with status 1."""
        config = load_and_warn(self.path, self.overrides, self.policy_overrides)
        if self.access_logs and (config.milvus is None or "access_log" not in config.milvus.sources):
            fail(
                f"--access-log {self.access_logs[0]}: means nothing with this configuration; "
                "put the processor milvus with the source access_log into the pipeline",
            )
        return config

    def read(self, left_out: LeftOut, progress: Progress | None = None) -> list[Iterator[Message]]:
        """Return the recordings, not read yet; what of them is not replayed is counted in `left_out`, `progress` is shown."""
        from milvus_otel_processor.replay.files import each_once  # noqa: PLC0415 - see above
        from milvus_otel_processor.replay.recording import read  # noqa: PLC0415 - likewise

        found = [read(file, left_out) for file in each_once(self.files)]
        if self.access_logs:
            from milvus_otel_processor.replay.access_log import read_access_log  # noqa: PLC0415 - likewise

            found += [read_access_log(file) for file in each_once(self.access_logs)]
        return found if progress is None else [progress.watch(recording) for recording in found]


def recorded_options(command: Callable[..., None], *, required: bool = True) -> Callable[..., None]:
    """Give a subcommand FILEs of recorded traffic, and what says which rules to try, as `recorded`."""

    @wraps(command)
    def with_recorded(**given: Any) -> None:
        recorded = Recorded(**{name: given.pop(name) for name in Recorded._fields})
        command(recorded=recorded, **given)

    files = click.argument(
        "files",
        nargs=-1,
        required=required,
        type=click.Path(path_type=Path),
        metavar="FILE..." if required else "[FILE...]",
    )
    return files(config_options(policy_option(access_log_option(with_recorded))))


def page_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a subcommand the options `--from` and `--token-file`, as `url` and `token`."""

    @wraps(command)
    def with_token(**given: Any) -> None:
        file = given.pop("token_file")
        try:
            token = file.read_text(encoding="utf-8").strip() if file is not None else os.environ.get(TOKEN_VARIABLE)
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
            fail(f"--token-file {file}: cannot be read: {reason}")
        command(token=token, **given)

    url = click.option(
        "--from", "url", metavar="URL", help="A running processor's page, such as http://127.0.0.1:18888."
    )
    token = click.option(
        "--token-file",
        type=click.Path(path_type=Path),
        metavar="FILE",
        help=f"A file with the token that the page asks for, if it does; else the environment's {TOKEN_VARIABLE}.",
    )
    return url(token(with_token))


def format_option(*forms: str, text: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Return what gives a command the option `--format`, as the argument `form`; the first of the forms is the default."""
    choice = click.Choice(forms)
    return click.option("--format", "form", type=choice, default=forms[0], show_default=True, help=text)


def trace_id_of(text: str) -> str:
    """Return a trace id in small letters; if it is none, say so and end with status 1."""
    if not _TRACE_ID.fullmatch(text):
        fail(f"{text!r} is not a trace id, expected 32 hexadecimal digits")
    return text.lower()


def usual_page() -> str | None:
    """Return where a processor's page answers on this host, if one does."""
    from milvus_otel_processor.doctor.web import NoAnswerError, NotHttpError, ask  # noqa: PLC0415 - most commands ask nobody

    for url in USUAL_PAGES:
        try:
            if ask(f"{url}/api/v1").status != 404:
                return url
        except (NoAnswerError, NotHttpError):
            continue
    return None


def load_for_start_or_exit(
    path: Path | None, overrides: Sequence[str], on_read: Callable[[Path], None]
) -> tuple[LoadedConfig, ConfigError | None]:
    """Return the configuration; with what is wrong with its rules, where their last good copy is in their place.

    If there is none to be had, say all that is wrong and end with status 1.
    """
    from milvus_otel_processor.config import ConfigError  # noqa: PLC0415 - see above
    from milvus_otel_processor.config.last_good import load_with_last_good  # noqa: PLC0415 - likewise

    try:
        return load_with_last_good(path, overrides=overrides, environ=os.environ, on_read=on_read)
    except ConfigError as error:
        fail(error)


def load_and_warn(path: Path | None, overrides: Sequence[str] = (), policy_overrides: Sequence[str] = ()) -> Config:
    """Return the configuration, or that of rules alone, its warnings on stderr; with none, say what is wrong and end with 1."""
    loaded = load_or_exit(path, overrides, policy_overrides=policy_overrides, rules_alone=True)
    for warning in loaded.warnings:
        complain(f"warning: {warning}")
    return loaded.config


def warn_of(left_out: LeftOut) -> None:
    """Say on stderr what of a recording was not replayed."""
    for line in left_out.lines():
        complain(f"warning: {line}")


def load_or_exit(
    path: Path | None,
    overrides: Sequence[str],
    on_read: Callable[[Path], None] = lambda _: None,
    *,
    policy_overrides: Sequence[str] = (),
    rules_alone: bool = False,
) -> LoadedConfig:
    """Return the configuration; if there is none to be had, say all that is wrong and end with status 1.

    `on_read` is called with each file that takes part, right before it is read. With `rules_alone` the file may hold the rules
    and nothing else.
    """
    from milvus_otel_processor.config import ConfigError, load_config  # noqa: PLC0415 - see above

    try:
        return load_config(
            path,
            overrides=overrides,
            policy_overrides=policy_overrides,
            environ=os.environ,
            on_read=on_read,
            rules_alone=rules_alone,
        )
    except ConfigError as error:
        fail(error)


__all__ = [
    "NO_PAGE",
    "USUAL_PAGES",
    "Recorded",
    "config_options",
    "console",
    "load_and_warn",
    "load_or_exit",
    "page_options",
    "recorded_options",
    "usual_page",
    "warn_of",
]
