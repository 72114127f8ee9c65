"""A headless Chromium for the tests of pages, driven by Playwright.

`page` is a tab that fails its test on an error of the page or of its console, and that reaches nothing but files and
this machine; `refused` lists what the tab asked of any other place.
"""

import os
import shutil
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, Route, sync_playwright

_PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_LOOPBACK = {"127.0.0.1", "localhost", "::1"}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One browser a module: while it runs, its thread has a running event loop, which other tests may not expect."""
    program = next(filter(None, map(shutil.which, _PROGRAMS)), None)
    if program is None:
        pytest.skip(f"no browser: none of {', '.join(_PROGRAMS)} is on PATH (Debian: apt install chromium)")
    with sync_playwright() as playwright:
        is_root = hasattr(os, "geteuid") and os.geteuid() == 0
        browser = playwright.chromium.launch(executable_path=program, chromium_sandbox=not is_root)
        yield browser
        browser.close()


@pytest.fixture
def refused() -> list[str]:
    """Addresses outside this machine that the test's page asked for; a page that stands alone leaves it empty."""
    return []


@pytest.fixture
def page(browser: Browser, refused: list[str]) -> Iterator[Page]:
    """A tab of 1280x720 px with a storage of its own."""
    errors: list[str] = []

    def admit(route: Route) -> None:
        address = urlsplit(route.request.url)
        if address.scheme == "file" or address.hostname in _LOOPBACK:
            route.continue_()
        else:
            refused.append(route.request.url)
            route.abort()

    def note(message: ConsoleMessage) -> None:
        if message.type == "error" and message.location["url"] not in refused:
            errors.append(f"{message.text} ({message.location['url']})")

    with browser.new_context(service_workers="block", accept_downloads=True) as context:
        context.set_default_timeout(10_000)
        context.route("**/*", admit)
        context.on("console", note)
        context.on("weberror", lambda error: errors.append(str(error.error)))
        tab = context.new_page()
        yield tab
        if not tab.is_closed():
            tab.evaluate("0")  # what the tab has told until here arrives first
    assert not errors, "the page told of errors:\n" + "\n".join(errors)
