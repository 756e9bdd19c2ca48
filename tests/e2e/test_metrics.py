"""What Prometheus reads from a real pool, held against the page that explains it and the dashboard that asks for it."""

import json
import re
from pathlib import Path

from e2e_pool import get, until
from prometheus_client.parser import text_string_to_metric_families

DOCS = Path(__file__).parents[2] / "docs"


def scrape(pool) -> dict[str, object]:
    status, body = get(f"{pool.url}/metrics")
    assert status == 200
    return {
        f"{f.name}_total" if f.type == "counter" else f.name: f for f in text_string_to_metric_families(body.decode())
    }


def test_a_real_pool_exposes_what_the_page_explains_and_the_dashboard_asks_for(pool):
    explained = set(re.findall(r"^\| `(tenfold_\w+)` \|", (DOCS / "metrics.md").read_text(), re.MULTILINE))
    later = {"tenfold_training_checkpoint_step"}  # The first checkpoint is written after a minute.
    until(lambda: explained - later <= set(scrape(pool)), what="all metrics, once training has done a step")
    found = scrape(pool)
    assert set(found) | later == explained
    samples = {sample.name for family in found.values() for sample in family.samples}
    board = json.loads((DOCS / "grafana-dashboard.json").read_text())
    asked = {name for p in board["panels"] for t in p["targets"] for name in re.findall(r"tenfold_\w+", t["expr"])}
    assert asked <= samples


def test_what_a_real_pool_tells_adds_up(pool):
    slots = len(pool.settle()) // 3
    found = scrape(pool)
    assert sum(sample.value for sample in found["tenfold_slots"].samples) == slots
    answered = {
        sample.labels["workload"]: sample.value
        for sample in found["tenfold_requests_total"].samples
        if sample.labels["outcome"] == "answered"
    }
    before = answered.get("rank", 0)
    assert get(f"{pool.url}/v1/rank/users?limit=3")[0] == 200
    after = scrape(pool)
    counted = next(
        s.value
        for s in after["tenfold_requests_total"].samples
        if s.labels == {"workload": "rank", "outcome": "answered"}
    )
    assert counted >= before + 1
    ticks = next(s.value for s in after["tenfold_tick_seconds"].samples if s.name.endswith("_count"))
    decisions = next(s.value for s in after["tenfold_decision_seconds"].samples if s.name.endswith("_count"))
    assert 0 < ticks <= decisions
    assert sum(sample.value for sample in after["tenfold_moves_total"].samples) >= 3
