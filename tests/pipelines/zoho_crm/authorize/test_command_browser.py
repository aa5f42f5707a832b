"""The consent as a person has it: a real browser on the simulator's page, and back to the waiting command."""

from __future__ import annotations

import pytest
from dotenv import dotenv_values

from tests.support.browsing import browser
from tests.support.consenting import URL, account_of, asking

__all__ = ["browser"]  # a fixture

pytestmark = pytest.mark.browser


@pytest.fixture
def waiting(tmp_path):
    """The account, the running command, and the address that it printed."""
    with account_of() as account, asking(account, tmp_path) as (process, said):
        yield account, process, URL.search(said)[0]


def press(browser, label, title):
    """Press the button, and give the text of the page that it leads to."""
    from selenium.webdriver.support.wait import WebDriverWait

    browser.find_element("xpath", f"//button[text()='{label}']").click()
    WebDriverWait(browser, 20).until(lambda there: there.title == title)
    return browser.find_element("tag name", "p").text


def test_accept_leads_back_to_the_command_which_writes_the_token(browser, waiting, tmp_path):
    account, process, url = waiting
    account.org.account.company_name = 'Lumen & <b>Sons</b> "Since 1811"'
    browser.get(url)
    assert browser.title == f"Zoho CRM pipeline would like to access {account.org.account.company_name}"
    assert [item.text for item in browser.find_elements("tag name", "code")][
        -1
    ] == "ZohoSearch.securesearch.READ"
    assert "go back to the terminal" in press(browser, "Accept", "Thank you")
    assert browser.current_url.startswith(f"{account.callback}?")
    out, err = process.communicate(timeout=300)
    assert (process.returncode, err) == (0, ""), out
    assert account.issued[0] in dotenv_values(tmp_path / ".env")["SOURCES__ZOHO_CRM__CREDENTIALS"]


@pytest.mark.long
def test_reject_ends_the_command_with_3(browser, waiting, tmp_path):
    _, process, url = waiting
    browser.get(url)
    assert "Reject was pressed" in press(browser, "Reject", "Zoho did not give a code")
    err = process.communicate(timeout=300)[1]
    assert process.returncode == 3
    assert "Reject was pressed" in err
    assert not (tmp_path / ".env").exists()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.cases(1)
def test_the_page_fits_a_phone_follows_the_scheme_and_loads_nothing(browser, scheme):
    features = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    phone = {"width": 400, "height": 860, "deviceScaleFactor": 1, "mobile": True}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", features)
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", phone)
    with account_of() as account:
        query = {"response_type": "code", "client_id": account.org.tokens.client_id}
        more = {"redirect_uri": account.callback, "scope": f"ZohoCRM.modules.{'long' * 20}.READ"}
        words = "&".join(f"{name}={value}" for name, value in {**query, **more}.items())
        browser.get(f"{account.zoho.accounts_url}/oauth/v2/auth?{words}")
        assert browser.execute_script("return document.documentElement.scrollWidth") == 400
        ground = browser.execute_script("return getComputedStyle(document.body).backgroundColor")
        loaded = browser.execute_script("return performance.getEntriesByType('resource').map(e => e.name)")
    light = sum(map(int, ground.removeprefix("rgb(").rstrip(")").split(","))) > 3 * 128
    assert light is (scheme == "light")
    assert [name for name in loaded if not name.endswith("/favicon.ico")] == []
