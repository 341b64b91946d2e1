"""Pages as a reader meets them: Debian's chromium, which says and asks nothing of its own."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
QUIET = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@contextmanager
def opened() -> Iterator[Browser]:
    """Open a browser, or skip the test that needs one."""
    if CHROMIUM is None:
        pytest.skip("no chromium on this machine to open the page with")
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        yield browser
        browser.close()


@contextmanager
def visited(browser: Browser, address: str, **options: object) -> Iterator[Page]:
    """Visit a page and, at the end, find that it said nothing and asked for nothing but itself."""
    context = browser.new_context(**options)
    page, noise = context.new_page(), []
    page.on("console", lambda message: noise.append(message.text))
    page.on("pageerror", lambda error: noise.append(str(error)))
    page.on("dialog", lambda dialog: (noise.append(dialog.message), dialog.dismiss()))
    own = (address, "blob:null/")  # what the page makes of itself is no request
    page.on("request", lambda r: r.url.startswith(own) or noise.append(r.url))
    page.goto(address)
    yield page
    context.close()
    assert noise == []
