"""The page of `report` in a real browser: what is wider than the screen says so, and can be reached by keys."""

from __future__ import annotations

import pytest

from tests.pipelines.zoho_crm.monitoring.html_report.test_page import file_of, history, load, page
from tests.support.browsing import browser

__all__ = ["browser", "history", "load", "page"]  # fixtures

pytestmark = pytest.mark.browser

WIDTHS = "return [arguments[0].scrollWidth, arguments[0].clientWidth]"
WITHOUT_A_SIGN = "for (const one of document.querySelectorAll('.scroll')) one.style.background = 'none'"


def shown(browser, file, width, scheme="light"):
    features = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", features)
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    browser.get(file.as_uri())
    return [one for one in browser.find_elements("class name", "scroll") if one.is_displayed()]


def is_cut(browser, region):
    wide, seen = browser.execute_script(WIDTHS, region)
    return wide > seen


def is_cut_by_a_blank(browser, region):
    """So little that no letter is missing, and a sign may be or not."""
    wide, seen = browser.execute_script(WIDTHS, region)
    return seen < wide < seen + 5


@pytest.mark.long
def test_a_table_that_is_cut_shows_it_at_its_edge(browser, load, page, tmp_path):
    page(file_of(load))
    for width, scheme in ((375, "dark"), (500, "light"), (768, "dark"), (1280, "light")):
        regions = shown(browser, tmp_path / "page.html", width, scheme)
        regions = [region for region in regions if not is_cut_by_a_blank(browser, region)]
        assert browser.execute_script("return document.documentElement.scrollWidth") <= width
        cut = [is_cut(browser, region) for region in regions]
        assert any(cut) or width > 720
        before = [region.screenshot_as_png for region in regions]
        browser.execute_script(WITHOUT_A_SIGN)
        after = [region.screenshot_as_png for region in regions]
        signs = [one != other for one, other in zip(before, after, strict=True)]
        assert all(sign for sign, one in zip(signs, cut, strict=True) if one), (
            width,
            [browser.execute_script(WIDTHS, region) for region in regions],
        )
        for region in regions:
            assert region.get_attribute("tabindex") == "0"
            assert region.get_attribute("role") == "region"
            assert region.get_attribute("aria-label")


@pytest.mark.long
def test_the_sign_goes_at_the_end_of_the_way(browser, load, page, tmp_path):
    page(file_of(load))
    region = next(r for r in shown(browser, tmp_path / "page.html", 500) if is_cut(browser, r))
    browser.execute_script("arguments[0].scrollLeft = 9999", region)
    from selenium.webdriver.common.keys import Keys

    at = "return arguments[0].scrollLeft"
    there = browser.execute_script(at, region)
    assert there > 0
    region.send_keys(Keys.ARROW_LEFT)
    browser.set_script_timeout(5)
    assert browser.execute_async_script(
        "const [one, before, done] = arguments;"
        " setInterval(() => { if (one.scrollLeft < before) done(true) }, 20)",
        region,
        there,
    )
