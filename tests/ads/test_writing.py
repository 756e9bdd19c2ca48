"""Ads are written by the model that the settings name."""

from types import SimpleNamespace

import pytest

from tenfold.ads.settings import AdsSettings
from tenfold.ads.writing import chat_of
from tenfold.product.calls import Late


@pytest.mark.parametrize(("named", "asked"), [("copy", "copy"), ("", None)])
async def test_the_pool_is_asked_for_the_model_that_is_named(named, asked):
    bodies = []

    class Pool:
        async def chat(self, body, **_how):
            bodies.append(body)
            return Late("refused", "it is a test")

    chat = chat_of(SimpleNamespace(pool=Pool()), AdsSettings(writer_model=named), SimpleNamespace(account="acme"))
    await chat({"messages": []})
    assert [body.get("model") for body in bodies] == [asked]
