"""What tests of several parts share: a real browser, databases of both kinds, and patience with a slow machine."""

import itertools
import os
import shutil

import hypothesis
import pytest

# As the tenfold command does, and before numpy is imported.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# How long an example takes says nothing of what it shows. ``make check`` draws fewer of them.
PATIENT = hypothesis.settings(max_examples=50, deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.register_profile("patient", PATIENT)
hypothesis.settings.register_profile("quick", PATIENT, max_examples=10)
hypothesis.settings.load_profile("patient")

SLOW_FIXTURES = {
    *("browser", "served", "served_afresh"),
    *("cluster", "door", "host", "kept", "make_cluster", "make_pool", "pool", "process", "start", "toys_importable"),
    *("company", "engine", "postgres", "released", "started", "text", "training"),
}
"""What starts processes or a browser, loads a model or computes for long: ``make check`` leaves out all that use it."""

FLAGS = [
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
]
EXPECT_MS = 60_000


def pytest_collection_modifyitems(items):
    for item in items:
        if item.path.parent.name == "e2e" or SLOW_FIXTURES.intersection(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.slow)


@pytest.fixture(scope="session")
def minilm():
    """The embedding model, fetched where it is not there."""
    # Imported where it is wanted: it takes a fifth of a second.
    from tenfold.core.assets import fetch
    from tenfold.core.minilm import MINILM, MINILM_TOKENIZER, load_minilm
    from tenfold.core.paths import cache_dir

    for asset in (MINILM, MINILM_TOKENIZER):
        fetch(asset, cache_dir(), lambda _: None)
    return load_minilm(cache_dir())


@pytest.fixture(scope="session", autouse=True)
def _own_home(tmp_path_factory):
    """What commands leave in the home for the console is left in one of this run's own."""
    os.environ.setdefault("TENFOLD_HOME", str(tmp_path_factory.mktemp("own-home")))


@pytest.fixture(scope="module")
def browser():
    # For one module only: playwright's sync API keeps a loop running in this thread, where async tests then fail.
    from playwright.sync_api import expect, sync_playwright

    # Whatever a page shows late it shows; only what it never shows fails a test.
    expect.set_options(timeout=EXPECT_MS)

    binary = shutil.which("chromium-headless-shell") or shutil.which("chromium")
    assert binary, "no browser: apt-get install chromium-headless-shell"
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=binary, args=FLAGS)
        yield chromium
        chromium.close()


@pytest.fixture(scope="session")
def postgres():
    """One server for all tests; each takes a prefix of schemas of its own."""
    from postgres import Server

    server = Server()
    yield server
    server.close()


_prefixes = (f"t{number}_" for number in itertools.count())


@pytest.fixture
def postgres_settings(postgres):
    from tenfold.core.config import StoreSettings

    return StoreSettings(url=postgres.url, schema_prefix=next(_prefixes))


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)])
def database(request, tmp_path):
    """Names a new database, once of each kind: called with its name."""
    from tenfold.core.config import StoreSettings
    from tenfold.core.store import store_url

    settings = StoreSettings() if request.param == "sqlite" else request.getfixturevalue("postgres_settings")
    return lambda name: store_url(settings, tmp_path, name)
