"""A headless Chromium, Debian's, driven by Selenium: skipped with the reason where it is not there, an error with CI=true."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from selenium import webdriver

from tests.peers.missing import missing

_WIDTH, _HEIGHT = 1280, 900


@contextmanager
def browser(*, dark: bool = False) -> Iterator[webdriver.Chrome]:
    """A browser with nothing in it."""
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if chromium is None or driver is None:
        missing("Debian's chromium and chromium-driver")
    with tempfile.TemporaryDirectory(prefix="chromium-") as profile:
        options = webdriver.ChromeOptions()
        options.binary_location = chromium
        for flag in (
            "--headless=new",
            "--no-sandbox",  # tests may run as root
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--disable-background-networking",
            "--no-first-run",
            f"--user-data-dir={profile}",
            f"--window-size={_WIDTH},{_HEIGHT}",
            *(["--force-dark-mode", "--blink-settings=preferredColorScheme=0"] if dark else []),
        ):
            options.add_argument(flag)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        service = webdriver.ChromeService(executable_path=driver, log_output=str(Path(profile) / "driver.log"))
        made = webdriver.Chrome(options=options, service=service)
        try:
            yield made
        finally:
            made.quit()
