"""Several texts looked for at once."""

from hypothesis import given
from hypothesis import strategies as st
from milvus_otel_processor.spans.search import Searcher


def test_texts_are_found_as_they_are_bytes_and_all() -> None:
    texts = Searcher([b"a.b", b"\xff\x00", "ä".encode()])
    assert texts.all_in(b"xa.by") == {b"a.b"}
    assert not texts.all_in(b"axb")
    assert texts.all_in(b"\xff\x00") == {b"\xff\x00"}
    assert not texts.all_in(b"\xff")
    assert texts.all_in("händler".encode()) == {"ä".encode()}


letters = st.text("ab", min_size=1, max_size=4).map(str.encode)


@given(texts=st.sets(letters, min_size=1, max_size=6), found=st.text("abc", max_size=30).map(str.encode))
def test_all_texts_are_found_also_where_they_overlap(texts: set[bytes], found: bytes) -> None:
    searcher = Searcher(texts)
    assert searcher.all_in(found) == {text for text in texts if text in found}
