"""There is always something true to show; what a model writes takes its place only through the gate."""

import json

import pytest
from ad_shops import FLOOR_LAMP, LAMP, NOW, SHEET

from tenfold.ads.campaign import Objective
from tenfold.ads.copy_gate import CopyGate
from tenfold.ads.copywriter import drafts, read_draft, request
from tenfold.ads.facts import fact_sheet
from tenfold.ads.variants import ALIKE, Draft, from_templates, is_alike, written
from tenfold.catalog.shipped import demo_shop
from tenfold.product.calls import Late
from tenfold.serve.json_schema import bounded

SUBJECT = next(each for each in SHEET.subjects if each.id == LAMP)


def test_every_template_passes_the_gate_and_each_angle_comes_before_one_comes_twice():
    for sheet in (SHEET, fact_sheet(demo_shop(NOW))):
        for subject in sheet.subjects:
            gate = CopyGate(sheet, subject.id, NOW)
            for draft in from_templates(sheet, subject, Objective.SALES, NOW):
                assert gate.faults(draft.headline, draft.body, draft.call) == (), draft
    kept, refused = written([], SHEET, SUBJECT, Objective.SALES, NOW, 6)
    assert [each.angle for each in kept] == ["saving", "price", "detail", "proof", "service", "material"]
    assert not refused and kept[0].headline == "Aurora Desk Lamp, 30% off"
    assert kept[0].image == "https://lamps.example/a.jpg" and "discount:L1" in kept[0].claims


def test_what_a_model_writes_goes_before_templates_and_a_lie_is_told_and_dropped():
    true = Draft(
        "detail",
        "Aurora Desk Lamp",
        "Lovely on your desk: it folds flat.".replace("it folds", "a lamp that folds"),
        "Shop now",
        "model",
    )
    lie = Draft("price", "Aurora Desk Lamp for $9", "Cheapest lamp in town.", "Shop now", "model")
    kept, refused = written([lie, true], SHEET, SUBJECT, Objective.SALES, NOW, 6)
    assert [each.body for each in kept if each.writer == "model"] == [true.body]
    assert [each.draft for each in refused] == [lie] and "'$9'" in " ".join(refused[0].faults).replace("'9'", "'$9'")


def test_near_duplicates_are_dropped():
    one = Draft("detail", "Aurora Desk Lamp", "A small lamp that folds flat, for you.", "Shop now", "model")
    again = Draft("detail", "Aurora Desk Lamp", "For you, a small lamp that folds flat!", "Shop now", "model")
    assert is_alike(one, again)
    kept, refused = written([one, again], SHEET, SUBJECT, Objective.SALES, NOW, 12)
    assert "nearly repeats" in refused[0].faults[0]
    assert not any(is_alike(a, b) for a in kept for b in kept if a is not b), ALIKE


def test_the_schema_is_one_that_serve_takes_and_bounds_every_text():
    body = request(SHEET, SUBJECT, "price", Objective.SALES, NOW, seed=1)
    form = body["response_format"]
    assert isinstance(form, dict)
    schema = bounded(form["json_schema"]["schema"])
    assert {"headline", "body", "call", "claim_ids"} == set(schema["properties"])
    assert all("maxLength" in schema["properties"][each] for each in ("headline", "body"))


@pytest.mark.parametrize(
    "content",
    ["", "no JSON", "[]", '{"headline": 3}', '{"headline": "x"}', '{"headline": "' + "x" * 999 + '", "body": ""}'],
)
def test_an_answer_that_is_not_what_was_asked_for_is_no_draft(content):
    assert read_draft({"choices": [{"message": {"content": content}}]}, "price", Objective.SALES) is None
    assert read_draft({}, "price", Objective.SALES) is None


async def test_a_writer_that_is_late_is_asked_once():
    asked = []

    async def chat(body):
        asked.append(body)
        if len(asked) == 2:
            return Late("deadline", "it took too long")
        told = {"headline": "Aurora Desk Lamp", "body": "Lovely.", "call": "Shop now", "claim_ids": ["f1"]}
        return {"choices": [{"message": {"content": json.dumps(told)}}], "usage": {"completion_tokens": 9}}

    found, tokens = await drafts(chat, SHEET, SUBJECT, ["price", "detail", "name"], Objective.SALES, NOW)
    assert len(asked) == 2 and tokens == 9
    assert found == [Draft("price", "Aurora Desk Lamp", "Lovely.", "Shop now", "model")]


def test_what_is_no_longer_offered_gets_no_variant():
    gone = CopyGate(SHEET, "L6", NOW)
    assert gone.faults("Gone Lamp", "Lovely.", "Shop now") == ("what it is about is no longer offered",)
    assert FLOOR_LAMP in {each.id for each in SHEET.subjects}
