"""Who may ask: names, other sites, tokens, and what strangers send."""

import json
from collections.abc import Iterator

import pytest
from milvus_otel_processor.extensions.bearer_token import BearerTokenSettings
from milvus_otel_processor.page.answers import ENDPOINTS
from pydantic import SecretStr

from tests.support.http import ask
from tests.support.page import RULES, Shown, shown


@pytest.fixture(scope="module")
def page() -> Iterator[Shown]:
    with shown(allowed_hosts=["Processor"]) as running:
        yield running


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example", "localhost.evil.example", "", "["]
)
def test_a_foreign_name_is_refused(host: str, page: Shown) -> None:
    assert page.get("/now", host=host).status == 421
    assert ask(f"{page.url}/", host=host).status == 421
    assert ask(f"{page.url}/metrics", host=host).status == 200


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:1", "127.0.0.1", "[::1]:18888", "10.0.0.7", "processor"])
def test_our_names_and_addresses_are_answered(host: str, page: Shown) -> None:
    assert page.get("/now", host=host).status == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"sec_fetch_site": "cross-site"},
        {"sec_fetch_site": "same-site"},
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"origin": "http://127.0.0.1:1"},
    ],
    ids=str,
)
def test_other_sites_are_refused(headers: dict[str, str], page: Shown) -> None:
    assert page.get("/now", **headers).status == 403
    assert page.post("/validate", RULES, **headers).status == 403
    assert page.post("/capture/traces?seconds=0", **headers).status == 403


def test_the_page_itself_may_ask(page: Shown) -> None:
    assert page.get("/now", sec_fetch_site="same-origin", origin=page.url).status == 200


def test_a_token_has_to_be_shown_where_one_is_wanted() -> None:
    token = BearerTokenSettings(token=SecretStr("right"))
    with shown(token=token) as page:
        for path in ("/now", "/decisions", "/rules", "/try", ""):
            assert page.get(path).status == 401
            assert page.get(path, authorization="Bearer wrong").status == 401
            assert page.get(path, authorization="Bearer right").status == 200
        for path in (
            "/validate",
            "/try",
            "/measure",
            "/apply",
            "/capture/traces?seconds=0",
            "/capture/access-log?seconds=0",
        ):
            assert page.post(path).status == 401
        assert ask(f"{page.url}/").status == 200  # the page, which asks for the token
        assert ask(f"{page.url}/health").status == 200


def test_every_answer_forbids_what_a_page_of_ours_never_does(page: Shown) -> None:
    for answer in (
        ask(f"{page.url}/"),
        page.get("/now"),
        page.get("/nothing-of-the-kind?"),
        page.post("/now"),
        page.get("/now", host="evil"),
    ):
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cache-control"] == "no-store"
        assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize("reference", ["${env:HOME}", "${file:/etc/passwd}", "${HOME}", "x ${file:sampling.yaml} y"])
@pytest.mark.parametrize("path", ["/validate", "/try"])
def test_no_text_makes_the_processor_read_a_file_or_its_environment(reference: str, path: str, page: Shown) -> None:
    text = f"policies: [{{name: '{reference}', type: always_sample}}]\n"
    found = page.post(path, text).json()
    assert not found["valid"]
    body = reference[reference.index("{") + 1 : reference.index("}")]
    assert f"${{{body}}} is not replaced in rules that come over HTTP; write the value itself" in json.dumps(found)
    assert "root:" not in json.dumps(found)


def test_a_whole_configuration_is_not_taken(page: Shown) -> None:
    found = page.post("/validate", "receivers: {}\nservice: {}\n").json()
    assert found["problems"][0]["message"] == "expected the block of tail_sampling: decision_wait, policies, …"


@pytest.mark.parametrize(
    "body",
    [
        b"\xff\xfe",
        b"a: &a [" + b"x," * 10_000 + b"]",
        (
            b"a: &a [x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b]\n"
            b"d: &d [*c,*c,*c,*c,*c,*c,*c,*c]\ne: &e [*d,*d,*d,*d,*d,*d,*d,*d]\nf: [*e,*e,*e,*e,*e,*e,*e,*e]\n"
        ),
        b"[" * 1000,
        b"policies: !!python/object/apply:os.system [ls]",
        b"",
        b"- 1",
        b"policies: {}",
    ],
    ids=["no UTF-8", "wide", "laughs", "deep", "tag", "empty", "list", "mapping"],
)
def test_wrong_bodies_are_answered_and_nothing_falls(body: bytes, page: Shown) -> None:
    answer = ask(f"{page.url}/api/v1/validate", body)
    assert answer.status in (200, 400)
    assert answer.status == 400 or not answer.json()["valid"]
    assert page.get("/now").status == 200


def test_bodies_are_bounded(page: Shown) -> None:
    answer = ask(f"{page.url}/api/v1/try", b"x" * 300_000)
    assert (answer.status, answer.json()) == (413, {"error": "the body is larger than 256 KiB"})


def test_nothing_is_written_unless_a_setting_allows_it(page: Shown) -> None:
    answer = page.post("/apply", RULES)
    assert answer.status == 403
    assert "apply_rules is not set" in answer.json()["error"]


def test_what_changes_nothing_is_get_and_the_rest_is_post(page: Shown) -> None:
    assert {one.path for one in ENDPOINTS if one.method == "POST"} == {"/validate", "/measure", "/try", "/apply"}
    for answer, path, methods in (
        (page.post("/now"), "/now", "GET, HEAD"),
        (page.get("/apply"), "/apply", "POST"),
        (page.post(""), "", "GET, HEAD"),
    ):
        assert (answer.status, answer.headers["allow"]) == (405, methods)
        assert answer.json() == {"error": f"'/api/v1{path}' takes {methods} alone"}


@pytest.mark.parametrize(
    ("path", "meant"),
    [
        ("/request", '; did you mean "/requests"?'),
        ("/now/", '; did you mean "/now"?'),
        ("/capture", '; did you mean "/capture/traces"?'),
        ("/x" * 500, ""),
    ],
    ids=["a letter", "a slash", "half", "long"],
)
def test_a_path_that_is_not_known_is_an_error_as_others_are(path: str, meant: str, page: Shown) -> None:
    answer = page.get(path)
    shown = f"/api/v1{path}"[:100]
    assert (answer.status, answer.json()) == (
        404,
        {"error": f"{shown!r} is not known, expected one of the paths that GET /api/v1 lists{meant}"},
    )
