"""docs/adding-a-product.md is followed word by word: its files are written, and its product is run and asked."""

import asyncio
import json
import re
import sys
import tomllib
from pathlib import Path

import pytest
from front_process import front
from minipool import until
from product_processes import controller_keeper, kept, recorded, running, serving
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tenfold.core.config import config_type
from tenfold.pool.keys import make_key
from tenfold.wiring import CONFIG

PAGE = (Path(__file__).parents[2] / "docs" / "adding-a-product.md").read_text()


def blocks(language: str) -> list[tuple[str, str]]:
    """The page's blocks of a language: what stands behind its name, and the text."""
    return re.findall(rf"^```{language}(?: file=(\S+))?\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


@pytest.fixture
def written(tmp_path, monkeypatch) -> Path:
    """The page's files, in a package of their own instead of in Tenfold's."""
    for name, text in blocks("python"):
        if name:
            path = tmp_path / "src" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text.replace("tenfold.hello", "hello"))
    (tmp_path / "src" / "hello" / "__init__.py").touch()
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "src"))
    monkeypatch.syspath_prepend(str(tmp_path / "src"))
    yield tmp_path
    for name in [name for name in sys.modules if name.split(".")[0] == "hello"]:
        del sys.modules[name]


@pytest.mark.slow
async def test_the_page_adds_a_product_that_answers_through_the_front_and_earns(written):
    from hello.product import HELLO

    asked = [line for _, text in blocks("console") for line in text.splitlines() if line.startswith("$ curl")]
    (path,) = (re.search(r"127\.0\.0\.1:8000(/[^']*)", line)[1] for line in asked)
    tuple_line = next(text for name, text in blocks("python") if not name and "PRODUCTS" in text)
    assert "HELLO" in tuple_line
    ((_, toml),) = blocks("toml")
    config = config_type({HELLO.name: HELLO.settings}).model_validate(tomllib.loads(toml))
    assert config.table("hello", HELLO.settings).holdout == 0.2

    async def rank(request: Request) -> Response:
        asked_for = await request.json()
        return JSONResponse({"items": [{"title": f"film of {asked_for['user']}"}]})

    home = written / "home"
    home.mkdir()
    url, controller = controller_keeper(home)
    async with (
        kept([controller]),
        serving(Starlette(routes=[Route("/v1/rank", rank, methods=["POST"])])) as gateway,
        running(home, HELLO, controller_url=url, front_url=gateway, config=config) as pool,
    ):
        titles = set()
        # As where others than this machine reach it: each request shows a key.
        asks_for_keys = CONFIG.model_validate({"access": {"required": True}})
        bearer = f"Bearer {make_key(home, 'operator')}"
        with front(home / "front.log", asks_for_keys, products=pool.products.routes, home=home) as door:
            assert door.refusal(path) == (401, "no_key")
            for person in range(30):
                found = await asyncio.to_thread(
                    door.ask, path.replace("person=7", f"person={person}"), authorization=bearer
                )
                assert found[0] == 200, found
                titles.add(json.loads(found[2])["items"][0]["title"])
        assert "Fargo (1996)" in titles and len(titles) > 15, "some are held out, most are ranked for"
        await until(lambda: recorded(home)[1], 60)
