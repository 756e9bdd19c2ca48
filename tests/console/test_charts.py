import json

from hypothesis import given, settings
from hypothesis import strategies as st
from inline_snapshot import snapshot

from tenfold.pool.board.charts import changed_parts, slots_chart, value_chart, workload_chart

NOON = 1_760_000_000.0


def test_slots_are_steps_stacked_by_workload_up_to_the_pools_size(pretend_pool):
    option = slots_chart(pretend_pool.pretend(NOON, seconds=60))
    assert option["yAxis"]["max"] == 4
    assert option["xAxis"]["min"] == -240
    assert [
        (s["name"], s["stack"], s["step"], s["itemStyle"][":color"], s["data"]) for s in option["series"]
    ] == snapshot(
        [
            ("train", "slots", "end", "hue('w-train')", [[-59.0, 3], [-30.0, 2], [0.0, 2]]),
            ("serve", "slots", "end", "hue('w-serve')", [[-59.0, 0], [-30.0, 1], [0.0, 1]]),
            ("rank", "slots", "end", "hue('w-rank')", [[-59.0, 1], [-30.0, 1], [0.0, 1]]),
        ]
    )


def test_the_value_chart_keeps_true_numbers_beside_drawn_ones(pretend_pool):
    option = value_chart(pretend_pool.pretend(NOON, seconds=3))
    assert (option["yAxis"]["type"], option["yAxis"]["min"], option["yAxis"]["max"]) == snapshot(("log", 0.1, 1.0))
    assert {s["name"]: s["data"] for s in option["series"]} == snapshot(
        {
            "train": [[-2.0, 0.305, 0.305], [-1.0, 0.305, 0.305], [0.0, 0.305, 0.305]],
            "serve": [[-2.0, 0.1, 0.0], [-1.0, 0.1, 0.0], [0.0, 0.1, 0.0]],
            "rank": [[-2.0, 0.1, 0.0], [-1.0, 0.1, 0.0], [0.0, 0.1, 0.0]],
        }
    )


def test_training_shows_loss_and_throughput(pretend_pool):
    state = pretend_pool.pretend(NOON, seconds=3)
    state = state.model_copy(update={"loss": state.loss[::80]})
    option = workload_chart(state, state.workloads[0])
    assert [(s["xAxisIndex"], s["data"]) for s in option["series"]] == snapshot(
        [(0, [[0.0, 9.0], [0.328, 5.72], [0.655, 4.57]]), (1, [[-2.0, 1280.0], [-1.0, 1260.0], [0.0, 1260.0]])]
    )


def test_serving_shows_demand_and_latency_against_its_target(pretend_pool):
    state = pretend_pool.pretend(NOON, seconds=3)
    option = workload_chart(state, state.workloads[1])
    assert [(s["xAxisIndex"], s["data"]) for s in option["series"]] == snapshot(
        [(0, [[-2.0, 0.0], [-1.0, 0.0], [0.0, 0.0]]), (1, [[-2.0, 0.6], [-1.0, 0.6], [0.0, 0.6]])]
    )
    assert option["series"][1]["markLine"]["data"] == [{"yAxis": 4.0}]
    assert option["yAxis"][1]["max"] > 4.0


def test_a_pool_without_history_says_that_it_waits(pretend_pool):
    state = pretend_pool.pretend(NOON).model_copy(update={"history": (), "loss": ()})
    for option in (slots_chart(state), value_chart(state), *(workload_chart(state, view) for view in state.workloads)):
        assert option["title"]["show"]
        assert all(series["data"] == [] for series in option["series"])


def test_no_chart_is_animated_or_holds_more_than_240_points_and_all_are_small(pretend_pool):
    state = pretend_pool.pretend(NOON, seconds=240)
    options = [slots_chart(state), value_chart(state), *(workload_chart(state, view) for view in state.workloads)]
    for option in options:
        assert option["animation"] is False
        assert all(len(series["data"]) <= 240 for series in option["series"])
    assert len(json.dumps(options)) < 40_000


def test_a_second_later_only_what_moved_is_sent(pretend_pool):
    quiet, before, after = (slots_chart(pretend_pool.pretend(NOON + s, seconds=30)) for s in (0, 20, 21))
    assert changed_parts(quiet, slots_chart(pretend_pool.pretend(NOON + 1, seconds=30))) is None
    parts = changed_parts(before, after)
    assert set(parts) == {"series"}
    assert [set(series) for series in parts["series"]] == [{"data"}] * 3


JSON = st.recursive(
    st.integers(0, 3) | st.text("ab", max_size=2),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("xyz"), inner, min_size=1, max_size=3),
    max_leaves=12,
)


def merge(shown, parts):
    """What ECharts does with the parts: objects and lists of objects merge, all else is replaced."""
    if isinstance(shown, dict) and isinstance(parts, dict):
        return shown | {key: merge(shown.get(key), value) for key, value in parts.items()}
    if isinstance(shown, list) and isinstance(parts, list) and parts and all(isinstance(p, dict) for p in parts):
        return [merge(old, new) for old, new in zip(shown, parts, strict=True)] if len(shown) == len(parts) else parts
    return parts


@settings(deadline=None)
@given(keys=st.sets(st.sampled_from("xyz"), min_size=1), data=st.data())
def test_the_parts_sent_make_the_old_chart_the_new_one(keys, data):
    shape = st.fixed_dictionaries({key: JSON for key in keys})
    before, after = data.draw(shape), data.draw(shape)
    parts = changed_parts(before, after)
    merged = before if parts is None else merge(before, parts)
    assert _covers(merged, after)


def _covers(merged, after) -> bool:
    """ECharts never drops a key on a merge, so the merged chart may hold more than was asked for, never less."""
    if isinstance(after, dict) and isinstance(merged, dict):
        return all(key in merged and _covers(merged[key], value) for key, value in after.items())
    if isinstance(after, list) and isinstance(merged, list):
        return len(after) == len(merged) and all(_covers(m, a) for m, a in zip(merged, after, strict=True))
    return merged == after
