"""What each key of `milvus-otel top` changes."""

from milvus_otel_processor.requests.summary import SORTS
from milvus_otel_processor.top.live import split
from milvus_otel_processor.top.view import GROUPS, View

ROW: dict[str, object] = {"database": "default", "collection": "Orders", "operation": "Search"}


def press(keys: str, view: View | None = None) -> View:
    view = view or View()
    for key in keys:
        view = view.pressed(key)
    return view


def test_s_goes_through_the_columns_and_begins_again() -> None:
    assert [press("s" * times).sort for times in range(len(SORTS) + 1)] == [*SORTS, SORTS[0]]


def test_w_goes_through_the_windows_and_g_through_the_groups() -> None:
    assert [press("w" * times).minutes for times in range(4)] == [5, 60, 1, 5]
    assert [press("g" * times).by for times in range(len(GROUPS))] == list(GROUPS)
    assert press("g", View(by=("error_type",))).by == GROUPS[0]


def test_what_is_typed_after_a_slash_filters_and_is_no_command() -> None:
    view = press("/orq")
    assert (view.text, view.typing, view.ended) == ("orq", True, False)
    view = press("\x7f\r", view)
    assert (view.text, view.typing) == ("or", False)
    assert view.is_shown(ROW)
    assert not press("/users\r").is_shown(ROW)
    assert press("\x1b", view).text == ""
    assert press("/x\x1b") == View()


def test_what_is_typed_is_bounded_and_holds_no_control_characters() -> None:
    assert len(press("/" + "x" * 1000).text) == 200
    assert press("/a\x01b").text == "ab"


def test_p_pauses_and_goes_on() -> None:
    assert press("p").paused
    assert not press("pp").paused


def test_q_and_ctrl_c_end_it_and_other_keys_do_nothing() -> None:
    assert press("q").ended
    assert press("\x03").ended
    assert press("/\x03").ended
    assert press("xyz7") == View()


def test_arrows_are_no_keys_and_pasted_letters_are_several() -> None:
    assert split("\x1b[A") == []
    assert split("\x1b") == ["\x1b"]
    assert split("ab") == ["a", "b"]


def test_the_path_says_all_that_is_asked_for() -> None:
    path = View(minutes=1, by=("collection",), where=(("collection", "a&b=c"),), limit=7).path
    assert path == "/requests?minutes=1&by=collection&sort=total_ms&limit=7&collection=a%26b%3Dc"
