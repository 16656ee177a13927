"""For tests of pages in a real browser: headless chromium of Debian opens them from disk."""

import contextlib
import shutil

import pytest

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
IN_CHROMIUM = [
    pytest.mark.slow,
    pytest.mark.skipif(not (CHROMIUM and DRIVER), reason="no chromium with its chromedriver on this machine"),
]

SETTLED = """
const done = arguments[arguments.length - 1];
setTimeout(() => requestAnimationFrame(() => requestAnimationFrame(done)), 30);
"""


def find(browser, selector):
    return browser.find_elements("css selector", selector)


def press(browser, *keys):
    from selenium.webdriver import ActionChains

    for key in keys:
        ActionChains(browser).send_keys(key).perform()


def click(browser, selector, number=0):
    """Clicks an element by a script, so that it need not be in view."""
    browser.execute_script("document.querySelectorAll(arguments[0])[arguments[1]].click()", selector, number)
    browser.execute_async_script(SETTLED)


def choose(browser, selector, value):
    """Sets the value of a control, as a user does."""
    browser.execute_script(
        "const control = document.querySelector(arguments[0]); control.value = arguments[1];"
        "control.dispatchEvent(new Event('input', {bubbles: true}));",
        *(selector, value),
    )
    browser.execute_async_script(SETTLED)


def slide(browser, stop):
    """Moves the slider of the viewer to a stop."""
    choose(browser, "#threshold", stop)


@contextlib.contextmanager
def opened(chromium, path, width=1300, height=2600, scheme="light"):
    """Opens a page in a window of this size and colour scheme. The former ones are restored."""
    size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
    schemes = [{"name": "prefers-color-scheme", "value": scheme}]
    chromium.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    chromium.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": schemes})
    chromium.get(f"file://{path}")
    chromium.execute_async_script(SETTLED)
    yield chromium
    chromium.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    chromium.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
