"""Where a process can be caught at its end: exit, forks, multiprocessing, Celery, uvicorn, SIGTERM."""

from __future__ import annotations

import atexit
import functools
import logging
import os
import signal
import threading
from typing import TYPE_CHECKING, Any

import wrapt

if TYPE_CHECKING:
    from types import ModuleType

    from milvus_otel_client.process_end import ProcessEnd

_logger = logging.getLogger(__name__)


def install(end: ProcessEnd, *, on_sigterm: bool) -> None:
    """Let the end of this process, and of each that is forked from it, be told to `end`."""
    atexit.register(end.end)
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(
            before=end.before_fork,
            after_in_parent=end.after_fork_in_parent,
            after_in_child=end.after_fork_in_child,
        )
    for module, hook in _HOOKS.items():
        wrapt.register_post_import_hook(functools.partial(_guarded, hook, end), module)
    if on_sigterm:
        _flush_on_sigterm(end)


def _guarded(hook: Any, end: ProcessEnd, module: ModuleType) -> None:
    try:
        hook(end, module)
    except Exception:
        _logger.exception("the end of processes of %s is not caught", module.__name__)


def _in_multiprocessing(end: ProcessEnd, util: Any) -> None:
    """Catch the end of children: they end with `os._exit`, past `atexit`, but run finalizers of their own."""

    def finalize(end: ProcessEnd) -> None:
        util.Finalize(None, end.end, exitpriority=0)  # after those of the application, whose spans are still to come

    from multiprocessing import parent_process  # noqa: PLC0415 - only once multiprocessing is there

    util.register_after_fork(end, finalize)  # also called in children that are spawned, when they begin
    if parent_process() is not None:
        finalize(end)


def _in_celery(end: ProcessEnd, signals: Any) -> None:
    """Catch the end of a process of the pool: it ends with `os._exit`, after this signal."""

    def process_ends(**_: Any) -> None:
        end.end()

    signals.worker_process_shutdown.connect(process_ends, weak=False)


def _in_uvicorn(end: ProcessEnd, server: Any) -> None:
    """Flush when a server has stopped serving: it then kills itself with the signal it was sent, past `atexit`."""
    shutdown = server.Server.shutdown

    @functools.wraps(shutdown)
    async def shutdown_and_flush(*args: Any, **kwargs: Any) -> Any:
        try:
            return await shutdown(*args, **kwargs)
        finally:
            end.flush_before_the_end()

    server.Server.shutdown = shutdown_and_flush


_HOOKS = {
    "multiprocessing.util": _in_multiprocessing,
    "celery.signals": _in_celery,
    "uvicorn.server": _in_uvicorn,
}
"""By module: each is hooked when the application imports it, or at once if it has."""


def _flush_on_sigterm(end: ProcessEnd) -> None:
    """Where nobody handles SIGTERM: flush first, then end by it as before.

    A handler that is there already, or is set later, is left in charge. Only the main thread can set one.
    """
    if threading.current_thread() is not threading.main_thread() or signal.getsignal(signal.SIGTERM) != signal.SIG_DFL:
        return
    is_flushing = False

    def flush_and_end(number: int, _frame: object) -> None:
        nonlocal is_flushing
        if is_flushing or end.is_busy:
            return  # a launcher that repeats itself does not cut short what has a limit
        is_ours = signal.getsignal(number) is flush_and_end
        is_flushing = True
        end.flush_before_the_end()
        is_flushing = False
        if is_ours:  # else somebody else's handler has called this one, and decides what comes next
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
            signal.signal(number, flush_and_end)  # still here: the first process of a container ignores it by default

    signal.signal(signal.SIGTERM, flush_and_end)
