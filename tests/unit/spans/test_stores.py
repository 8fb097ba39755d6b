"""Which store there is, and what is said where it is not."""

import pytest
from milvus_otel_processor.spans import stores
from milvus_otel_processor.spans.contract import StoreSettings
from milvus_otel_processor.spans.store import ReferenceStore
from milvus_otel_processor.spans.stores import StoreError, chosen, joiner, make_store

from tests.support.stores import HAS_NATIVE


def nothing(_: bytes) -> None:
    return None


def test_without_the_native_store_auto_is_the_reference(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stores, "find_spec", lambda _: None)
    assert chosen("auto") == chosen("reference") == "reference"
    assert isinstance(make_store("auto", StoreSettings(1.0), nothing), ReferenceStore)
    assert joiner("auto")([]) == b""


def test_a_native_store_that_is_not_installed_is_an_error_that_says_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(stores, "find_spec", lambda _: None)
    with pytest.raises(StoreError, match=r"service\.store: native: .*uv sync --extra native.*`auto` or `reference`"):
        make_store("native", StoreSettings(1.0), nothing)


@pytest.mark.skipif(not HAS_NATIVE, reason="the native store is not installed: uv sync --extra native")
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
