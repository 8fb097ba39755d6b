"""Which store there is, and what is said where it is not."""

import importlib
import logging
import re
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from milvus_otel_processor.spans import stores
from milvus_otel_processor.spans.contract import CONTRACT, StoreSettings
from milvus_otel_processor.spans.store import ReferenceStore
from milvus_otel_processor.spans.stores import StoreError, chosen, joiner, make_store, unusable


def nothing(_: bytes) -> None:
    return None


@pytest.fixture(autouse=True)
def asked_anew() -> Iterator[None]:
    """What is found out of the native store, and said of it, is remembered: not from one test to the next."""
    for remembered in (unusable, stores._warn):
        remembered.cache_clear()
    yield
    for remembered in (unusable, stores._warn):
        remembered.cache_clear()


def install(monkeypatch: pytest.MonkeyPatch, module: Any) -> None:
    """Have another native module installed; None for none, an error for one that cannot be imported."""

    def import_module(_: str) -> Any:
        if isinstance(module, Exception):
            raise module
        return module

    monkeypatch.setattr(stores, "find_spec", lambda _: module)
    monkeypatch.setattr(
        stores,
        "import_module",
        lambda name: import_module(name) if name == "milvus_otel_core" else importlib.import_module(name),
    )


OLDER = SimpleNamespace(CONTRACT=CONTRACT - 1)
WITHOUT_A_NUMBER = SimpleNamespace()
NEWER = SimpleNamespace(CONTRACT=CONTRACT + 1)
DAMAGED = ImportError("wrong ELF class")
UNUSABLE = pytest.mark.parametrize(
    ("module", "why"),
    [
        (OLDER, f"its contract is number {CONTRACT - 1}, this one's {CONTRACT}"),
        (WITHOUT_A_NUMBER, f"its contract is number 0, this one's {CONTRACT}"),
        (NEWER, f"its contract is number {CONTRACT + 1}, this one's {CONTRACT}"),
        (DAMAGED, r"cannot be loaded \(ImportError: wrong ELF class\)"),
    ],
    ids=["older", "without a number", "newer", "damaged"],
)


def test_without_the_native_store_auto_is_the_reference_and_says_nothing(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    install(monkeypatch, None)
    assert chosen("auto") == chosen("reference") == "reference"
    assert isinstance(make_store("auto", StoreSettings(1.0), nothing), ReferenceStore)
    assert joiner("auto")([]) == b""
    assert caplog.records == []


def test_a_native_store_that_is_not_installed_is_an_error_that_says_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    install(monkeypatch, None)
    with pytest.raises(StoreError, match=r"service\.store: native: .*uv sync --extra native.*`auto` or `reference`"):
        make_store("native", StoreSettings(1.0), nothing)


@UNUSABLE
def test_a_native_store_that_cannot_be_used_is_passed_over_with_one_warning(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, module: Any, why: str
) -> None:
    install(monkeypatch, module)
    assert chosen("auto") == "reference"
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            assert isinstance(make_store("auto", StoreSettings(1.0), nothing), ReferenceStore)
    assert joiner("auto")([]) == b""
    (warning,) = (record.getMessage() for record in caplog.records)
    assert warning.startswith("service.store: auto: the installed milvus-otel-core ")
    assert re.search(why, warning)


@UNUSABLE
def test_asked_for_by_name_it_is_an_error_that_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch, module: Any, why: str
) -> None:
    install(monkeypatch, module)
    with pytest.raises(
        StoreError, match=rf"^service\.store: native: .*{why}.*--reinstall-package.*`auto` or `reference`"
    ):
        chosen("native")


@UNUSABLE
def test_the_reference_asked_for_by_name_does_not_look_at_it(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, module: Any, why: str
) -> None:
    install(monkeypatch, module)
    assert isinstance(make_store("reference", StoreSettings(1.0), nothing), ReferenceStore)
    assert caplog.records == []


@pytest.mark.usefixtures("native_store_there")
class TestNative:
    def test_auto_is_the_native_store_where_it_is_installed(self) -> None:
        assert (chosen("auto"), chosen("reference")) == ("native", "reference")
        assert type(make_store("auto", StoreSettings(1.0), nothing)).__module__ == "milvus_otel_core"
        assert joiner("auto")([]) == b""

    def test_a_fault_in_it_is_an_exception_like_any_other(self) -> None:
        import milvus_otel_core

        with pytest.raises(RuntimeError, match="fault in milvus_otel_core: on purpose"):
            milvus_otel_core._go_wrong()

    def test_its_version_is_that_of_the_processor(self) -> None:
        from importlib.metadata import version

        import milvus_otel_core

        assert milvus_otel_core.__version__ == version("milvus-otel-core") == version("milvus-otel-processor")

    def test_a_question_about_a_root_that_fails_costs_its_request_alone(self) -> None:
        from tests.support.spans import encoded, span

        def of_root(name: bytes) -> None:
            if name == b"bad":
                raise ValueError(name)

        store = make_store("native", StoreSettings(0.0, asks_roots=True), of_root)
        store.ingest(encoded(span(1, name="good")), 0.0)
        with pytest.raises(ValueError, match="bad"):
            store.ingest(encoded(span(2, name="good"), span(3, name="bad")), 0.0)
        store.ingest(encoded(span(4, name="good")), 0.0)
        assert [trace.id[-1] for trace in store.take_oldest(9)] == [1, 4]

    def test_what_a_hostile_sender_makes_up_is_not_held(self) -> None:
        from tests.support.spans import encoded, span

        store = make_store("native", StoreSettings(0.0, asks_roots=True, not_sampled_cache_size=10), nothing)
        for number in range(1, 3000):
            resource = {"service.name": f"{number}" * 400}
            store.ingest(encoded(span(number, name="n" * number), resource=resource), 0.0)
            store.take_oldest(9)
            assert (len(store), store.spans, store.size) == (0, 0, 0)
            assert store.group_size <= 4 << 20
