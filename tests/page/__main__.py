"""Take pictures of the page as it shows the recorded traffic: `uv run python -m tests.page FOLDER`.

`docs/page.png`, which the README shows, is `decisions.png` of these.
"""

import sys
import tempfile
from pathlib import Path

from selenium.webdriver.common.by import By
from selenium.webdriver.support.expected_conditions import presence_of_element_located
from selenium.webdriver.support.ui import WebDriverWait

from tests.page.traffic import recorded_traffic
from tests.peers.browser import browser

_SECONDS = 30.0
_FILLED = {
    "now": "#plots figure",
    "requests": "#request-rows tr",
    "decisions": "#trace h3",
    "rules": "tbody tr",
    "help": ".findings li",
}
"""What a view has when what it shows has come."""


def main(folder: Path) -> None:
    """Write now.png, requests.png, decisions.png, rules.png and help.png, and the same in the dark."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as files, recorded_traffic(Path(files), jaeger="http://localhost:16686") as page:
        kept = page.get("/decisions?policy=errors&limit=1").json()["decisions"]
        for name, dark in (("", False), ("-dark", True)):
            with browser(dark=dark) as driver:
                for view in ("now", "requests", "decisions", "rules", "help"):
                    driver.get(f"{page.url}/#{view}" + (f"/{kept[0]['trace_id']}" if view == "decisions" else ""))
                    WebDriverWait(driver, _SECONDS).until(
                        lambda it: it.find_element(By.ID, "state").text == "connected"
                    )
                    if view == "rules":
                        driver.find_element(By.ID, "measure").click()
                        WebDriverWait(driver, _SECONDS).until(
                            lambda it: "Measured" in it.find_element(By.ID, "result").text
                        )
                    found = (By.CSS_SELECTOR, f"#{view} {_FILLED[view]}")
                    WebDriverWait(driver, _SECONDS).until(presence_of_element_located(found))
                    driver.save_screenshot(str(folder / f"{view}{name}.png"))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
