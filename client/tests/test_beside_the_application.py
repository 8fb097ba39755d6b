"""What an application sees of us beside its spans: the line of a warning, the log, the current span."""

from __future__ import annotations

import asyncio
import contextvars
import functools
import gc
import inspect
import logging
import subprocess
import sys
import warnings
import weakref
from typing import TYPE_CHECKING, Any

import pytest
from milvus_otel_client.wrappers import inside_decorators
from opentelemetry import trace
from opentelemetry.trace import StatusCode
from pymilvus import AsyncMilvusClient, Collection, MilvusClient, connections
from pymilvus.client.prepare import Prepare

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from client.tests.conftest import Telemetry
    from client.tests.fake_milvus import FakeMilvus

VECTOR = [0.1, 0.2, 0.3, 0.4]


def _lines_of_warnings(function: Callable[[], Any]) -> list[tuple[str, int]]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        function()
    return [(warning.filename, warning.lineno) for warning in caught if "pymilvus" in str(warning.message).lower()]


def test_a_deprecation_warning_names_the_line_of_the_application(
    milvus: FakeMilvus, instrument: Callable[..., Any]
) -> None:
    def use() -> None:
        connections.connect(uri=milvus.uri)
        collection = Collection("c")
        collection.query_iterator(batch_size=5).close()
        collection.query_iterator(batch_size=5).close()
        collection.search([VECTOR], "vector", {"metric_type": "L2"}, 1)
        connections.disconnect("default")

    plain = _lines_of_warnings(use)
    instrument()
    assert _lines_of_warnings(use) == plain
    assert {filename for filename, _ in plain} <= {__file__}


def test_what_is_inside_of_decorators_is_wrapped_in_copies_of_them() -> None:
    calls: list[str] = []

    def named(name: str) -> Callable[[Any], Any]:
        def decorator(function: Any) -> Any:
            @functools.wraps(function)
            def decorated(*args: Any, **kwargs: Any) -> Any:
                calls.append(name)
                return function(*args, **kwargs)

            return decorated

        return decorator

    @named("outer")
    @named("inner")
    def method(self: str, number: int = 1, *, other: int = 2) -> tuple[str, int, int]:
        """Say."""
        return self, number, other

    def traced(function: Any) -> Any:
        @functools.wraps(function)
        def traced_function(*args: Any, **kwargs: Any) -> Any:
            calls.append("traced")
            return function(*args, **kwargs)

        return traced_function

    copy = inside_decorators(method, traced)
    assert copy("self", 3, other=4) == ("self", 3, 4)
    assert calls == ["outer", "inner", "traced"]
    assert inspect.signature(copy) == inspect.signature(method)
    assert copy.__doc__ == "Say."
    calls.clear()
    assert method("self") == ("self", 1, 2)
    assert calls == ["outer", "inner"]


async def _search_in_the_middle(uri: str) -> tuple[AsyncMilvusClient, Coroutine[Any, Any, Any], contextvars.Context]:
    client = AsyncMilvusClient(uri)
    await client.search("c", [VECTOR])
    search = client.search("c", [VECTOR])
    context = contextvars.copy_context()
    context.run(search.send, None)
    return client, search, context


@pytest.mark.filterwarnings("ignore::RuntimeWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("inside", [True, False])
def test_a_coroutine_that_is_closed_in_another_context_logs_nothing_and_leaves_no_span_current(
    milvus: FakeMilvus,
    telemetry: Telemetry,
    instrument: Callable[..., Any],
    caplog: pytest.LogCaptureFixture,
    inside: bool,
) -> None:
    instrument()

    async def run() -> None:
        client, search, context = await _search_in_the_middle(milvus.uri)
        telemetry.clear()
        caplog.clear()
        # closed by somebody who never saw the operation's context, or who has a copy of it
        (context.run(contextvars.copy_context) if inside else contextvars.copy_context()).run(search.close)
        assert not trace.get_current_span().get_span_context().is_valid
        await client.close()

    with caplog.at_level(logging.DEBUG):
        asyncio.run(run())
    assert [record for record in caplog.records if record.name.startswith(("opentelemetry", "milvus_otel"))] == []
    operation = telemetry.operation
    assert operation.status.status_code is StatusCode.ERROR
    assert (operation.attributes or {})["error.type"] == "GeneratorExit"


_DROPPED_LOOP = """
import asyncio, gc, logging, sys
logging.basicConfig(format="LOG %(name)s %(message)s")
from opentelemetry.sdk.trace import TracerProvider
import milvus_otel_client
milvus_otel_client.MilvusInstrumentor().instrument(tracer_provider=TracerProvider())
from pymilvus import AsyncMilvusClient

loop = asyncio.new_event_loop()
async def start():
    client = AsyncMilvusClient(sys.argv[1])
    await client.search("c", [[0.1, 0.2, 0.3, 0.4]])
    loop.create_task(client.search("c", [[0.1, 0.2, 0.3, 0.4]]))
    await asyncio.sleep(0)
loop.run_until_complete(start())
loop.close()
del loop
gc.collect()
"""


def test_a_loop_that_is_dropped_with_a_search_under_way_logs_nothing_of_ours(milvus: FakeMilvus) -> None:
    # in a process of its own: gRPC warns of what was dropped
    command = [sys.executable, "-W", "ignore", "-c", _DROPPED_LOOP, milvus.uri]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert "LOG opentelemetry" not in done.stderr
    assert "LOG milvus_otel" not in done.stderr


def test_our_own_log_tells_where_a_surprise_was_and_not_what_it_said(
    client: MilvusClient, instrument: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    def hook(*_: object) -> None:
        raise ValueError("hunter2")

    instrument(request_hook=functools.partial(hook, "hunter2"))
    client.search("c", [VECTOR])
    (record,) = [record for record in caplog.records if record.name.startswith("milvus_otel")]
    assert "the hook partial failed for the operation search: ValueError at " in record.getMessage()
    assert __file__ in record.getMessage()
    assert "hunter2" not in caplog.text
    assert record.exc_info is None


def test_what_a_call_was_given_is_let_go_when_it_ends(
    client: MilvusClient, instrument: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A task that outlives the operation has it in its context."""
    inside: list[contextvars.Context] = []
    prepare = Prepare.search_requests_with_expr

    def keep_the_context(*args: Any, **kwargs: Any) -> Any:
        inside.append(contextvars.copy_context())
        return prepare(*args, **kwargs)

    class Data(list[Any]):
        """A list that can be referred to weakly."""

    monkeypatch.setattr(Prepare, "search_requests_with_expr", keep_the_context)
    instrument()
    data = Data([VECTOR])
    reference = weakref.ref(data)
    client.search("c", data)
    del data
    gc.collect()
    assert inside
    assert reference() is None
