"""The page in a real browser: all five views, a rule that is edited and tried, keyboard, accessibility."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from selenium.webdriver import ActionChains, Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

from tests.page.accessible import faults
from tests.page.traffic import recorded_traffic
from tests.peers.browser import browser
from tests.support.page import Shown
from tests.support.spans import encoded, span

SECONDS = 60.0


class Page:
    """What a test does with the page."""

    def __init__(self, driver: Chrome, shown: Shown) -> None:
        self.driver = driver
        self.shown = shown

    def open(self, view: str) -> None:
        self.driver.get("about:blank")
        self.driver.get(f"{self.shown.url}/#{view}")
        self.until(lambda: self.text("state") == "connected", "the page to be connected")

    def text(self, name: str) -> str:
        return self.driver.find_element(By.ID, name).text

    def click(self, name: str) -> None:
        self.driver.find_element(By.ID, name).click()

    def until(self, seen: Callable[[], Any], awaited: str) -> Any:
        return WebDriverWait(self.driver, SECONDS).until(lambda _: seen(), f"waited for {awaited}")

    def texts(self, selector: str) -> list[str]:
        script = "return [...document.querySelectorAll(arguments[0])].map((one) => one.innerText);"
        found: list[str] = self.driver.execute_script(script, selector)
        return found

    def write(self, text: str) -> None:
        """Put a text into the editor, as typing it would."""
        script = "arguments[0].value = arguments[1]; arguments[0].dispatchEvent(new Event('input'));"
        self.driver.execute_script(script, self.driver.find_element(By.ID, "text"), text)


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    folder = tmp_path_factory.mktemp("rules")
    with browser() as driver, recorded_traffic(folder, apply_rules=True, jaeger="http://localhost:16686") as shown:
        yield Page(driver, shown)


@pytest.fixture(autouse=True)
def _nothing_is_wrong_in_the_browser(page: Page) -> Iterator[None]:
    """Neither an exception nor a violation of the content security policy."""
    yield
    lines = page.driver.get_log("browser")  # type: ignore[no-untyped-call]
    assert [line for line in lines if line["level"] == "SEVERE"] == []


@pytest.mark.parametrize("view", ["now", "requests", "decisions", "rules", "help"])
def test_each_view_can_be_used_by_anyone(page: Page, view: str) -> None:
    page.open(view)
    page.until(lambda: "Looking" not in page.text("findings"), "the findings")
    if view == "requests":
        page.until(lambda: len(page.texts("#request-rows tr")) > 3, "the requests")
    assert faults(page.driver) == []


def test_now_shows_six_plots_and_what_is_wrong(page: Page) -> None:
    page.open("now")
    page.until(lambda: len(page.texts("#plots figure")) == 6, "the plots")
    assert [words.split("\n")[0] for words in page.texts("#plots figcaption")] == [
        "received", "waiting", "kept", "dropped", "lost", "exported",
    ]  # fmt: skip
    assert page.texts("#wrong li")
    assert "access_log" in page.text("sources")


def test_requests_are_all_of_them_and_it_is_said_that_kept_traces_are_a_sample(page: Page) -> None:
    page.open("requests")
    page.until(lambda: len(page.texts("#request-rows tr")) > 3, "the requests")
    every = page.shown.get("/requests?minutes=5").json()["all"]
    assert every["requests"] > every["kept"] > 0
    note = page.text("requests-note")
    assert f"{every['requests']} requests in the last" in note
    assert f"All of them count here; {every['kept']} are in kept traces." in note
    page.open("decisions")
    page.until(lambda: "These are a sample" in page.text("decisions-note"), "the note")


def test_requests_are_sorted_grouped_and_filtered(page: Page) -> None:
    page.open("requests")
    page.until(lambda: len(page.texts("#request-rows tr")) > 3, "the requests")
    page.driver.execute_script("document.querySelector('[data-sort=p99_ms]').click()")
    sorted_by = "#request-columns [aria-sort]"
    page.until(lambda: page.texts(sorted_by) == ["p99 ms"], "the order")
    p99 = [float(text.replace(",", "")) for text in page.texts("#request-rows td:nth-of-type(9)")]
    assert len(p99) > 3
    assert p99 == sorted(p99, reverse=True)
    page.driver.find_element(By.CSS_SELECTOR, "#r-by [value=operation]").click()
    page.until(lambda: page.texts("#request-columns th")[0] == "operation", "rows by operation")
    page.driver.find_element(By.ID, "r-text").send_keys("sear")
    page.until(lambda: page.texts("#request-rows td:first-child") == ["Search"], "the filter")


def test_the_slowest_kept_request_leads_to_its_trace(page: Page) -> None:
    page.open("requests")
    link = page.until(lambda: page.driver.find_elements(By.CSS_SELECTOR, "#request-rows a"), "a link")[0]
    there = str(link.get_attribute("href"))
    trace_id = there.removeprefix("http://localhost:16686/trace/")
    assert page.shown.get(f"/traces/{trace_id}").json()["decision"] == "sampled"


def test_decisions_are_filtered_and_a_click_shows_why_and_the_waterfall(page: Page) -> None:
    page.open("decisions")
    page.until(lambda: len(page.texts("#rows tr")) > 20, "decisions")
    page.driver.find_element(By.ID, "f-policy").send_keys("errors", Keys.ENTER)
    page.until(
        lambda: page.texts("#rows td:nth-child(3)") and set(page.texts("#rows td:nth-child(3)")) == {"errors"},
        "the filter",
    )
    page.driver.execute_script(
        "document.querySelector('#rows button').click()"
    )  # the rows are made anew every few seconds
    page.until(lambda: page.texts("#trace .waterfall li"), "the waterfall")
    words = page.text("trace")
    assert "kept by errors" in words
    assert "errors (status_code): sampled: " in words
    link = page.driver.find_element(By.CSS_SELECTOR, "#trace a").get_attribute("href")
    assert str(link).startswith("http://localhost:16686/trace/")


def test_the_views_are_reached_by_keyboard(page: Page) -> None:
    page.open("now")

    def press(key: str) -> str:
        ActionChains(page.driver).send_keys(key).perform()
        return page.driver.switch_to.active_element.text

    while press(Keys.TAB) != "Skip to the content":
        pass
    assert [press(Keys.TAB) for _ in range(4)] == ["Now", "Requests", "Decisions", "Rules"]
    press(Keys.ENTER)
    page.until(lambda: page.driver.find_element(By.ID, "text").is_displayed(), "the rules")
    assert page.driver.find_element(By.CSS_SELECTOR, "nav [aria-current]").text == "Rules"


def test_a_rule_is_edited_checked_tried_and_applied(page: Page) -> None:
    page.open("rules")
    area = page.driver.find_element(By.ID, "text")
    before = page.until(lambda: area.get_attribute("value"), "the text of the rules")
    page.write(before.replace("threshold_ms: 1000\n", "threshold_ms: soon\n"))
    page.until(lambda: "threshold_ms" in page.text("problems"), "what is wrong")
    assert "line " in page.text("problems")
    assert not page.driver.find_element(By.ID, "try").is_enabled()
    after = before.replace("sampling_percentage: 10\n", "sampling_percentage: 100\n")
    page.write(after)
    page.until(lambda: not page.text("problems") and page.driver.find_element(By.ID, "try").is_enabled(), "the check")
    page.click("try")
    words = page.until(lambda: page.texts("#words"), "the result of the trial")[0]
    assert words.startswith("Would keep ")
    assert "of which" in words
    assert "by one-in-ten" in words
    page.click("apply")
    page.until(lambda: "Written to " in page.text("result"), "the rules to be written")
    assert page.shown.get("/rules").json()["text"] == after


def test_help_tells_what_is_found(page: Page) -> None:
    page.open("help")
    found = page.until(
        lambda: [words for words in page.texts("#findings li") if "Looking" not in words], "the findings"
    )
    assert any(words.startswith("Fine: Spans arrive at the processor") for words in found)


def test_names_of_others_are_text_and_never_markup(page: Page) -> None:
    name = "<img src=x onerror=alert(1)>"
    page.shown.send(encoded(span(77, 1, name=name, end_ms=5000)))
    page.open(f"decisions/{77:032x}")
    page.until(lambda: page.texts("#trace .waterfall li"), "the waterfall")
    assert name in page.text("trace")
    assert page.driver.find_elements(By.CSS_SELECTOR, "#trace img, #rows img") == []


def test_pictures_can_be_taken_in_light_and_dark(tmp_path: Path) -> None:
    with browser(dark=True) as driver:
        driver.get("data:text/html,<title>x</title>")
        assert driver.execute_script("return matchMedia('(prefers-color-scheme: dark)').matches")
        assert driver.save_screenshot(str(tmp_path / "dark.png"))
