"""A stranger's week, from files that somebody else wrote to the page.

The requests are Microsoft's: AzureLLMInferenceTrace_code.csv of the Azure Public Dataset (CC-BY 4.0), which no other
part of the project has used; the jobs are written as ``sacct -P`` prints them.
"""

import json
from pathlib import Path

import pytest

from outline import Outline
from tenfold.cli.main import main

REQUESTS = Path(__file__).parent / "azure_code.csv"
ACCOUNT = """\
JobIDRaw|JobName|Submit|Start|End|State|NNodes|AllocTRES
880|sft|2023-11-16T18:16:50|2023-11-16T18:17:00|2023-11-16T18:19:00|COMPLETED|1|\
billing=32,cpu=32,gres/gpu:a100=4,gres/gpu=4,mem=500G,node=1
881|eval|2023-11-16T18:18:05|2023-11-16T18:19:01|2023-11-16T18:20:11|FAILED|1|\
billing=16,cpu=16,gres/gpu:a100=2,gres/gpu=2,mem=250G,node=1
881.batch|batch|2023-11-16T18:19:01|2023-11-16T18:19:01|2023-11-16T18:20:11|FAILED|1|cpu=16,gres/gpu=2,mem=250G,node=1
882|sweep|2023-11-16T18:18:10|2023-11-16T18:19:02|Unknown|RUNNING|1|\
billing=16,cpu=16,gres/gpu:a100=2,gres/gpu=2,mem=250G,node=1
"""


def test_a_stranger_s_files_become_a_page(tmp_path, monkeypatch, capsys, browser):
    monkeypatch.chdir(tmp_path)
    Path("account.psv").write_text(ACCOUNT)
    main(["replay", "import", str(REQUESTS), "account.psv", "-o", "week", "--model", "llama-3.1-70b", "--json"])
    told = json.loads(capsys.readouterr().out)
    assert (told["services"], told["jobs"]) == (["requests"], 3)
    assert any("llama-3.1-70b: 2,344 tokens in, 28 out" in line for line in told["assumed"])
    # Only llama-3.1-70b was told; nothing that was guessed goes without a word.
    assert any(line.startswith("For services ") and "ASSUMED" in line for line in told["assumed"])
    main(["replay", "week/week.toml", "--policy", "kueue-like,tenfold", "--bounds", "--report", "page.html", "--json"])
    found = json.loads(capsys.readouterr().out)
    cluster = found["cluster"]
    # 880 ran as play began; the others waited 56 and 52 s. Play is of 18:17:31.98 to 18:20:19.98.
    assert cluster["waited_s_mean"] == pytest.approx((0 + 56 + 52) / 3)
    # 882 still ran as the account ended, at 18:20:11, and is taken to end then.
    held_s = 4 * (19 * 60 - 17 * 60 - 31.98) + 2 * 70 + 2 * (20 * 60 + 11 - 19 * 60 - 2)
    assert cluster["training_h"] == pytest.approx(held_s / 3600, abs=1e-3)
    assert cluster["attainment"] == {"llm": None}
    assert all(0 < each["share_of_bound"] <= 1 for each in found["policies"])
    page = Path("page.html").read_text()
    assert "the cluster itself" in page
    assert "what requests held is not recorded" in page
    assert {cluster["waited_s_mean"], cluster["training_h"]} <= set(Outline(page).values)
    for width in (390, 1400):
        shown = browser.new_page(viewport={"width": width, "height": 900})
        shown.set_content(page)
        assert shown.evaluate("document.documentElement.scrollWidth") == width, "no sideways scrolling"
        if width == 1400:
            table = shown.locator("table.policies")
            assert table.evaluate("each => each.scrollWidth <= each.parentElement.clientWidth")
        shown.close()
