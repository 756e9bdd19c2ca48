"""What tests of several parts share: a real browser."""

import shutil

import pytest

FLAGS = [
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
]


@pytest.fixture(scope="module")
def browser():
    # For one module only: playwright's sync API keeps a loop running in this thread, where async tests then fail.
    from playwright.sync_api import sync_playwright

    binary = shutil.which("chromium-headless-shell") or shutil.which("chromium")
    assert binary, "no browser: apt-get install chromium-headless-shell"
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=binary, args=FLAGS)
        yield chromium
        chromium.close()
