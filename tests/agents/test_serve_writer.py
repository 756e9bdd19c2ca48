"""Replies are worded by the model that the settings name."""

from types import SimpleNamespace

import pytest

from tenfold.agents.serve_writer import ServeWriter
from tenfold.agents.settings import AgentsSettings
from tenfold.product.calls import Late


@pytest.mark.parametrize(("named", "asked"), [("copy", "copy"), ("", None)])
async def test_the_pool_is_asked_for_the_model_that_is_named(named, asked):
    bodies = []

    class Pool:
        async def chat(self, body, **_how):
            bodies.append(body)
            return Late("refused", "it is a test")

    settings = AgentsSettings(writer="serve", writer_model=named)
    words = ServeWriter(Pool(), settings).of(SimpleNamespace(held_out=False, business="acme"))
    assert await words("When do you open?", ["We open at nine."]) == ()
    assert [body.get("model") for body in bodies] == [asked]
