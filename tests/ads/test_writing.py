"""Ads are written by the model that the settings name."""

from dataclasses import replace
from types import SimpleNamespace

import pytest
from test_library import CAMPAIGN

from tenfold.ads import client
from tenfold.ads.amounts import read_micro
from tenfold.ads.campaign import Objective
from tenfold.ads.settings import AdsSettings
from tenfold.ads.writing import chat_of, sheet_of, write
from tenfold.core.errors import InfeasibleError, UsageError
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


def test_clicks_that_would_lead_nowhere_are_told_before_anything_is_billed():
    sheet = sheet_of({"mugs.csv": "id,title,price\n1,Blue Mug,4.50\n"})
    nowhere = replace(CAMPAIGN, objective=Objective.SALES, page="")
    with pytest.raises(InfeasibleError, match="lead nowhere") as caught:
        write(sheet, nowhere)
    assert "--page" in caught.value.next_step
    assert write(sheet, replace(nowhere, page="https://mugs.example"))
    assert write(sheet, replace(nowhere, objective=Objective.REACH))


@pytest.mark.parametrize(("content", "why"), [(b"PK\x03\x04\0\0", "no text"), (b" \n", "is empty")])
def test_a_catalog_that_is_no_text_is_refused(tmp_path, content, why):
    (tmp_path / "shop.xlsx").write_bytes(content)
    with pytest.raises(UsageError, match=why):
        client.sources(tmp_path / "shop.xlsx")


@pytest.mark.parametrize(
    ("text", "micro"), [("500USD", 500_000_000), ("$1,250.5", 1_250_500_000), ("12.50", 12_500_000)]
)
def test_a_budget_is_read_as_it_is_meant(text, micro):
    assert read_micro(text) == micro


@pytest.mark.parametrize("text", ["12,50", "1,2,3", "0", "-5", "500EUR", "1e9", "9999999999USD"])
def test_a_budget_that_may_mean_something_else_is_refused(text):
    with pytest.raises(UsageError, match=r"no amount|nothing|more than|US dollars"):
        read_micro(text)
