"""A real browser for the tests that look at pages; without one they are left out, but never in CI."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator

import pytest

REQUIRED = os.environ.get("ZOHO_BROWSER") == "required"
MISSING = (
    "the tests that drive a browser (Debian: apt-get install chromium chromium-driver; with ZOHO_BROWSER=required"
    " a missing browser is a failure)"
)


def find_browser() -> tuple[str, str] | None:
    """Chromium and its driver, as Debian and others call them."""
    browser = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    driver = shutil.which("chromedriver")
    return (browser, driver) if browser and driver else None


def leave_out(items: list[pytest.Item]) -> list[pytest.Item]:
    """The tests that cannot run here, taken out of the items."""
    if REQUIRED or find_browser():
        return []
    without = [item for item in items if item.get_closest_marker("browser")]
    items[:] = [item for item in items if not item.get_closest_marker("browser")]
    return without


@pytest.fixture
def browser(tmp_path, monkeypatch) -> Iterator[object]:
    """A headless Chromium with a profile of its own, which fetches nothing by itself."""
    from selenium.webdriver import Chrome, ChromeOptions
    from selenium.webdriver.chrome.service import Service

    found = find_browser()
    assert found, "chromium and chromedriver are not installed, and ZOHO_BROWSER=required"
    monkeypatch.setenv("SE_OFFLINE", "true")
    options = ChromeOptions()
    options.binary_location = found[0]
    for flag in (
        "--headless=new",
        "--no-sandbox",  # root may not have one
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--no-first-run",
        "--no-proxy-server",
        f"--user-data-dir={tmp_path / 'browser'}",
        "--window-size=400,800",
    ):
        options.add_argument(flag)
    driver = Chrome(options=options, service=Service(executable_path=found[1]))
    driver.set_page_load_timeout(30)
    try:
        yield driver
    finally:
        driver.quit()
