"""A platform team brings the files that it has: each becomes a week that can be played, or is told what is wrong."""

import json
import os
import shutil
import tracemalloc
from pathlib import Path

import numpy as np
import platform_files
import pytest

from tenfold.cli.main import main
from tenfold.replay.importing.courses import Course
from tenfold.replay.importing.found import Samples
from tenfold.replay.importing.grafana import value_of
from tenfold.replay.importing.kinds import is_accelerator, kind_of
from tenfold.replay.importing.labels import service_names
from tenfold.replay.importing.prometheus import interval_s
from tenfold.replay.importing.reading import Reading
from tenfold.replay.importing.request_log import read_log
from tenfold.replay.importing.slurm import accelerators_of
from tenfold.replay.importing.text import rows_of
from tenfold.replay.traces import read_rates
from tenfold.replay.week import Week
from tenfold.replay.week_file import load_week

AZURE = (Path(__file__).parent / "azure_code.csv").read_text()
"""The first rows of AzureLLMInferenceTrace_code.csv, Azure Public Dataset (Microsoft, CC-BY 4.0)."""


def run(*arguments: object) -> int:
    try:
        main([str(argument) for argument in arguments])
    except SystemExit as stop:
        return int(stop.code or 0)
    return 0


@pytest.fixture
def imported(tmp_path, capsys):
    """Imports texts as files of these names; gives the week and what the command printed."""

    def bring(files: dict[str, str], *options: object) -> tuple[Week, dict]:
        for name, text in files.items():
            (tmp_path / name).write_text(text)
        output = tmp_path / "week"
        arguments = [str(tmp_path / option) if option in files else option for option in options]
        given = [tmp_path / name for name in files if name not in options]
        assert run("replay", "import", *given, "-o", output, *arguments, "--json") == 0
        return load_week(output / "week.toml"), json.loads(capsys.readouterr().out)

    return bring


def rates(told: dict, name: str) -> np.ndarray:
    """What was written as a service's rates."""
    found = read_rates(Path(told["week"]).with_name("rates.csv"))
    return found.rates_ST[found.names.index(name)]


def test_prometheus_adds_up_pods_and_knows_gaps(imported):
    week, told = imported({"rps.json": platform_files.prometheus()}, "--capacity", "chat=4,feed=400")
    assert (week.step_s, told["services"]) == (60.0, ["chat", "feed"])
    chat = rates(told, "chat")
    assert len(chat) == 120
    assert chat[:3].tolist() == [3.0, 4.0, 5.0]
    assert np.isnan(chat[7])
    # The second pod comes in the middle.
    assert chat[60:63].tolist() == [3.0 + 5.0, 4.0 + 6.0, 5.0 + 7.0]
    assert any("services are named by 'service': chat, feed, 3 series added up" in line for line in told["assumed"])


def test_a_counter_is_taken_by_its_rise_and_a_restart_is_none(imported):
    counts = [[1767571200 + 60 * at, str(1000 + 120 * at if at < 50 else 120 * (at - 50))] for at in range(100)]
    series = {"metric": {"__name__": "http_requests_total", "job": "api"}, "values": counts}
    answer = {"status": "success", "data": {"resultType": "matrix", "result": [series]}}
    _, told = imported({"rps.json": json.dumps(answer)})
    assert np.nanmin(rates(told, "api")) >= 0
    assert np.nanmedian(rates(told, "api")) == pytest.approx(2.0)


def test_counters_of_pods_are_taken_one_by_one_and_told_as_counters(imported):
    def pod(name: str, metric: dict, first: int, last: int) -> dict:
        counts = [[1767571200 + 60 * at, str(5000 + 120 * at)] for at in range(first, last)]
        return {"metric": {"service": "api", "pod": name, **metric}, "values": counts}

    # The second pod is gone after an hour: its count is no restart of the first one's.
    for metric, options in (({"__name__": "http_requests_total"}, ()), ({}, ("--unit", "counter"))):
        series = [pod("a", metric, 0, 120), pod("b", metric, 0, 60)]
        answer = {"status": "success", "data": {"resultType": "matrix", "result": series}}
        _, told = imported({"rps.json": json.dumps(answer)}, *options)
        assert rates(told, "api")[:118].tolist() == pytest.approx([4.0] * 59 + [2.0] * 59)
        assert any("api counts requests since a start" in line for line in told["assumed"])
        assert not any("values are requests per second" in line for line in told["assumed"])
        shutil.rmtree(Path(told["week"]).parent)


def test_grafana_scrapes_off_by_a_second_are_on_one_step(imported):
    week, told = imported({"panel.csv": platform_files.grafana()}, "--timezone", "Europe/Berlin")
    assert rates(told, "feed").tolist() == [1500 + 10 * at for at in range(60)]
    assert np.flatnonzero(np.isnan(rates(told, "chat"))).tolist() == [9]
    assert week.step_s == 100.0
    assert any("without a zone are taken to be of Europe/Berlin" in line for line in told["assumed"])


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        ("1.2 K", 1200.0), ("3 req/s", 3.0), ("120 req/min", 2.0), ("12", 12.0), ("1.5 Mil", 1.5e6), ("high", None),
        ("300 m", None), ("+Inf", pytest.approx(np.nan, nan_ok=True)),
    ],
)  # fmt: skip
def test_a_cell_of_grafana_may_be_formatted(cell, value):
    assert value_of(cell) == value


def test_azure_requests_become_rates_and_their_tokens_a_capacity(imported):
    week, told = imported({"code.csv": AZURE}, "--model", "llama-3.1-8b", "--fleet", "h100=8")
    (service,) = week.services
    assert (week.step_s, service.family) == (1.0, "llm")
    # The first whole steps, counted by hand; the second that has only begun at the end is left out.
    assert rates(told, "requests")[:3].tolist() == [7.0, 5.0, 0.0]
    assert sum(rates(told, "requests")) == len(AZURE.splitlines()) - 2
    (line,) = [line for line in told["assumed"] if line.startswith("Capacity of requests")]
    assert "llama-3.1-8b: 2,344 tokens in, 28 out" in line
    assert 1 < service.capacity_K[0] < 200


def test_mooncake_counts_milliseconds(imported):
    week, told = imported({"trace.jsonl": platform_files.MOONCAKE}, "--capacity", 5)
    assert sum(rates(told, "requests")) == 3
    assert week.step_s == 1.0
    assert any("times count ms" in line for line in told["assumed"])


def test_qwen_s_traces_have_hashes_too_and_count_seconds(imported):
    lines = [
        {"chat_id": at, "parent_chat_id": -1, "timestamp": 61.114 + 1.5 * at, "input_length": 900, "output_length": 300}
        | {"type": "text", "turn": 1, "hash_ids": [1, 2]}
        for at in range(400)
    ]
    _, told = imported({"qwen_traceA.jsonl": "\n".join(map(json.dumps, lines))})
    assert any("399 requests in 10 min" in line for line in told["assumed"])
    assert np.nanmean(rates(told, "requests")) == pytest.approx(1 / 1.5, rel=0.05)


def test_what_a_gateway_logged_tells_capacity_and_what_was_answered_in_time(imported):
    options = (
        "--parallel",
        8,
        "--latency-target",
        5,
        "--accelerators-per-replica",
        "chat=2,code=1",
        "--fleet",
        "a100=8",
    )
    week, _ = imported({"log.csv": platform_files.GATEWAY}, *options)
    chat, code = week.services
    # 8 at a time, of 9 s each on average, on 2 accelerators.
    assert chat.capacity_K[0] == pytest.approx(8 / 9.0 / 2, rel=1e-4)
    assert code.capacity_K[0] == pytest.approx(8 / 6.1, rel=1e-4)
    assert week.recorded is not None
    # In the 11 steps that are played: chat is asked 4 more times, of which one failed and one took 9 s.
    assert week.recorded.attainment([0]) == pytest.approx(1 / 3)
    assert week.recorded.attainment([1]) == 0.0


def test_replicas_tell_the_fleet_and_what_services_held(imported):
    moments = [f"2026-01-05 {at // 12:02}:{at % 12 * 5:02}:01" for at in range(60)]
    replicas = "\n".join(["Time,chat", *(f"{moment},{2 + at // 30}" for at, moment in enumerate(moments))])
    files = {"panel.csv": platform_files.grafana().replace("feed", "x"), "replicas.csv": replicas}
    options = ("--replicas", "replicas.csv", "--accelerators-per-replica", "chat=4")
    week, told = imported(files, *options)
    assert told["kinds"] == {"h100": 16}
    assert week.recorded is not None
    assert np.nanmax(week.recorded.service_slots_TS[:, 0]) == 12
    assert np.isnan(week.recorded.service_slots_TS[:, 1]).all()
    assert week.services[0].floor == 4


def test_replicas_among_the_requests_are_pointed_to_their_option(tmp_path, capsys):
    series = {"metric": {"__name__": "kube_deployment_status_replicas_ready", "deployment": "chat"}}
    values = [[1767571200 + 60 * at, "4"] for at in range(60)]
    answer = {"status": "success", "data": {"resultType": "matrix", "result": [series | {"values": values}]}}
    (tmp_path / "replicas.json").write_text(json.dumps(answer))
    assert run("replay", "import", tmp_path / "replicas.json", "-o", tmp_path / "week") == 2
    assert "--replicas" in capsys.readouterr().err


def test_a_table_without_rows_or_series_is_not_taken_for_replicas(tmp_path, capsys):
    (tmp_path / "panel.csv").write_text("Time,Series,Value\n")
    assert run("replay", "import", tmp_path / "panel.csv", "-o", tmp_path / "week") == 2
    said = capsys.readouterr().err
    assert "--replicas" not in said
    assert "a header and no rows" in " ".join(said.split())


def test_what_runs_as_an_account_ends_trains_no_longer_in_the_cluster_than_under_a_policy(imported):
    panel = platform_files.grafana(144)
    account = SACCT.partition("\n")[0] + "\n" + next(line for line in SACCT.splitlines() if "RUNNING" in line)
    ended = (
        account
        + "\n"
        + account.splitlines()[1].replace("4105", "4199").replace("Unknown|RUNNING", "2026-01-05T05:00:00|COMPLETED")
    )
    week, told = imported({"panel.csv": panel, "jobs.psv": ended}, "--capacity", "chat=4,feed=400")
    assert week.recorded is not None and week.recorded.training_h is not None
    assert week.recorded.training_h == pytest.approx(sum(job.work for job in week.jobs) / 3600, rel=0.01)
    (line,) = [line for line in told["assumed"] if line.startswith("The accounts of jobs end at 2026-01-05 05:00")]
    assert "before the rates" in line


def test_services_do_not_run_on_slices_of_accelerators(imported):
    sliced = SACCT.replace("gres/gpu:h100=4,gres/gpu=4", "gres/gpu:nvidia_h100_80gb_hbm3_1g.10gb=4,gres/gpu=4")
    week, told = imported({"panel.csv": platform_files.grafana(), "jobs.psv": sliced}, "--capacity", "chat=4,feed=400")
    (slice_,) = [kind for kind in told["kinds"] if "1g.10gb" in kind]
    place = list(told["kinds"]).index(slice_)
    assert all(service.capacity_K[place] == 0 for service in week.services)
    assert any(f"Services do not run on {slice_}" in line for line in told["assumed"])


def test_slurm_jobs_are_played_and_set_beside_what_the_cluster_did(imported, tmp_path, capsys):
    week, told = imported({"jobs.psv": platform_files.SACCT})
    assert told["kinds"] == {kind_of("h100"): 24}
    assert {job.name: (job.least, job.within) for job in week.jobs} == {
        "4101": (16, "anywhere"), "4102": (4, "node"), "4104_1": (1, "anywhere"), "4105": (8, "node"),
    }  # fmt: skip
    assert week.recorded is not None
    # Submitted 20:11:08, started 23:40; the others waited 70 s, 5 min and 80 min.
    assert week.recorded.waited_s_J.tolist() == [12532, 70, 300, 4800]
    # The week ends with the log, at 3:40, when the last job had run for an hour.
    assert week.recorded.training_h == pytest.approx(4 * 16 + 31 / 60 * 4 + 1.5 + 8, abs=0.2)
    # The one that still ran is taken to end with the log, for the cluster as for policies.
    assert week.recorded.jobs_done == 4
    assert any("without accelerators left out: 1." in line for line in told["assumed"])
    # An array of which nothing started is as many jobs as it has tasks: 4104_[2-6%2].
    assert any("jobs left out that never started" in line and line.endswith(": 5.") for line in told["assumed"])
    page = tmp_path / "page.html"
    assert (
        run("replay", tmp_path / "week" / "week.toml", "--policy", "kueue-like,tenfold", "--report", page, "--json")
        == 0
    )
    found = json.loads(capsys.readouterr().out)
    assert found["cluster"]["waited_s_mean"] == pytest.approx((12532 + 70 + 300 + 4800) / 4)
    assert all(each["waited_s_mean"] < 600 for each in found["policies"])
    assert "the cluster itself" in page.read_text()


def test_kueue_workloads_are_jobs_with_their_least(imported):
    week, told = imported({"workloads.json": platform_files.kueue()})
    assert {job.name: (job.least, job.most, job.work) for job in week.jobs} == {
        "research-job-a": (8, 16, pytest.approx(16 * 6600.0)), "research-job-b": (4, 4, 4 * 3600.0),
    }  # fmt: skip
    assert told["kinds"] == {kind_of("h100"): 16}
    assert any("never started" in line for line in told["assumed"])


def test_a_service_that_comes_late_does_not_shorten_the_others(imported):
    found = json.loads(platform_files.prometheus())
    found["data"]["result"][2]["values"] = found["data"]["result"][2]["values"][90:]
    _, told = imported({"rps.json": json.dumps(found)}, "--capacity", "chat=4,feed=400")
    assert len(rates(told, "chat")) == 120
    assert np.isnan(rates(told, "feed")[:90]).all()
    assert rates(told, "feed")[90] == 900.0


def test_pods_alone_are_no_services():
    labels = [{"job": "chat", "pod": "chat-0"}, {"job": "chat", "pod": "chat-1"}]
    assert service_names("rps.json", labels, None) == (["chat", "chat"], "job")
    assert service_names("rps.json", [{"pod": "a"}, {"pod": "b"}], None) == (["a", "b"], "pod")
    assert service_names("rps.json", labels, "pod") == (["chat-0", "chat-1"], "pod")


@pytest.mark.parametrize("step_s", [0.5, 2.5, 6.0, 61.0, 300.0])
def test_the_distance_of_samples_is_what_it_is(step_s):
    assert interval_s([1767571200.0 + step_s * np.arange(200)]) == step_s


def test_steps_that_are_put_together_are_means():
    course = Course("rps.json", Samples(60.0 * np.arange(4), np.array([1.0, 3.0, np.nan, 7.0])), 60.0)
    assert course.rates_T(0.0, 2, 2).tolist() == [2.0, 7.0]


def test_two_logs_without_names_are_two_services(imported):
    _, told = imported({"code.csv": AZURE, "talk.csv": AZURE}, "--capacity", 5)
    assert told["services"] == ["requests", "talk"]
    assert any("talk.csv: its service is named 'talk'" in line for line in told["assumed"])


def day_log(day: int, *, minutes: int = 300, status: int = 200, model: str = "chat") -> str:
    rows = [f"2026-01-{day:02}T{at // 60:02}:{at % 60:02}:00Z,{model},100,{status}" for at in range(0, minutes)]
    return "\n".join(["timestamp,model,latency_ms,status", *rows])


def test_days_of_json_are_one_log_whatever_the_order_of_their_columns(imported):
    def records(day: int, *, backwards: bool) -> str:
        names, *rows = (line.split(",") for line in day_log(day, minutes=1440).splitlines())
        pairs = [list(zip(names, row, strict=True))[:: -1 if backwards else 1] for row in rows]
        return "\n".join(json.dumps(dict(each)) for each in pairs)

    options = ("--capacity", 5, "--fleet", "a100=8")
    days = {"monday.jsonl": records(5, backwards=False), "tuesday.jsonl": records(6, backwards=True)}
    _, told = imported(days, *options)
    assert told["services"] == ["chat"]
    assert any("monday.jsonl and 1 more are one: each begins" in line for line in told["assumed"])
    assert rates(told, "chat") == pytest.approx(1 / 60)


def test_a_log_that_was_cut_by_days_is_one_log_whatever_the_order_of_its_files(imported, tmp_path, capsys):
    days = {"monday.csv": day_log(5, minutes=1440), "tuesday.csv": day_log(6, minutes=1440)}
    one = "\n".join([days["monday.csv"], *days["tuesday.csv"].splitlines()[1:]])
    beside = {"other.csv": day_log(5, minutes=1440, model="code")}
    options = ("--capacity", 5, "--fleet", "a100=8")
    _, told = imported({"tuesday.csv": days["tuesday.csv"], "monday.csv": days["monday.csv"]} | beside, *options)
    assert told["services"] == ["chat", "code"]
    assert any("monday.csv and 1 more are one: each begins" in line for line in told["assumed"])
    found = rates(told, "chat")
    for path in [*(tmp_path / "week").iterdir()]:
        path.unlink()
    (tmp_path / "week").rmdir()
    for name in days:
        (tmp_path / name).unlink()
    _, told = imported({"both.csv": one} | beside, *options)
    assert found.tolist() == rates(told, "chat").tolist()
    # Those that have a time in common are two, and both cannot have the name.
    twice = [tmp_path / "both.csv"] * 2
    assert run("replay", "import", *twice, "-o", tmp_path / "no") == 2
    assert "both have a service 'chat'" in " ".join(capsys.readouterr().err.split())


def test_series_that_were_asked_for_in_parts_are_one(imported, tmp_path):
    """Prometheus gives 11,000 points at most at a time, and both ends of what was asked for."""

    def part(first: int, last: int) -> str:
        values = [[1767571200 + 60 * at, str(1000 + 120 * at)] for at in range(first, last + 1)]
        series = {"metric": {"__name__": "http_requests_total", "job": "api"}, "values": values}
        return json.dumps({"status": "success", "data": {"resultType": "matrix", "result": [series]}})

    options = ("--capacity", 5, "--fleet", "a100=8")
    _, told = imported({"second.json": part(60, 120), "first.json": part(0, 60)}, *options)
    assert told["services"] == ["api"] and any("first.json and 1 more are one" in line for line in told["assumed"])
    assert rates(told, "api")[1:-1].tolist() == [2.0] * (len(rates(told, "api")) - 2) and len(rates(told, "api")) >= 119


def test_a_column_that_json_lines_have_only_later_is_read_too(imported, monkeypatch):
    monkeypatch.setattr("tenfold.replay.importing.text.BATCH", 100)
    rows = [{"timestamp": 1767571200 + at, "latency_ms": 100} for at in range(400)]
    for row in rows[250:]:
        row |= {"status": 503, "trace": {"id": 1}}
    text = "\n".join(json.dumps(row) for row in rows)
    week, told = imported({"log.jsonl": text}, "--parallel", 8, "--fleet", "a100=8")
    assert any("150 requests failed, by 'status'" in line for line in told["assumed"])
    assert week.recorded is not None


def test_addresses_of_requests_are_no_services(imported, tmp_path, capsys):
    rows = [f"2026-01-05T00:{at // 60:02}:{at % 60:02}Z,/users/{at},200" for at in range(600)]
    log = {"access.csv": "\n".join(["timestamp,endpoint,status", *rows])}
    (tmp_path / "access.csv").write_text(log["access.csv"])
    assert run("replay", "import", tmp_path / "access.csv", "-o", tmp_path / "no", "--capacity", 5) == 2
    said = " ".join(capsys.readouterr().err.split())
    assert "'endpoint' has more than 200 names" in said and "--by ''" in said
    _, told = imported(log, "--capacity", 5, "--by", "")
    assert told["services"] == ["requests"]


def test_services_are_counted_by_the_names_that_they_get(imported):
    rows = [f"2026-01-05T00:{at // 60:02}:{at % 60:02}Z,chat{'/' * (at + 1)},200" for at in range(300)]
    _, told = imported({"access.csv": "\n".join(["timestamp,endpoint,status", *rows])}, "--capacity", 5)
    assert told["services"] == ["chat"]


def test_a_day_of_json_that_lacks_a_column_is_of_the_same_log(imported):
    def records(day: int, **more: str) -> str:
        row = {"model": "chat", "latency_ms": 100, **more}
        times = (f"2026-01-{day:02}T{at // 60:02}:{at % 60:02}:00Z" for at in range(1440))
        return "\n".join(json.dumps({"timestamp": time, **row}) for time in times)

    days = {"monday.jsonl": records(5), "tuesday.jsonl": records(6, status="503")}
    week, told = imported(days, "--capacity", 5, "--fleet", "a100=8")
    assert told["services"] == ["chat"]
    assert any("1,440 requests failed, by 'status'" in line for line in told["assumed"])
    assert week.recorded is not None


@pytest.mark.parametrize(
    ("was", "other"),
    [("latency_ms", "latencyMs"), ("latency_ms", "Latency (ms)"), ("timestamp", "time_iso8601"), (",503", ",503.0")],
)
def test_a_gateway_may_write_its_columns_otherwise(was, other, imported):
    options = ("--parallel", 8, "--latency-target", 5, "--fleet", "a100=8")
    week, _ = imported({"log.csv": platform_files.GATEWAY.replace(was, other)}, *options)
    assert week.services[0].capacity_K[0] == pytest.approx(8 / 9.0, rel=1e-4)
    assert week.recorded is not None
    assert week.recorded.attainment([0]) == pytest.approx(1 / 3)


def test_how_long_a_request_took_is_not_when_it_came(imported):
    log = "\n".join(
        ["time_local,request_time,status", *(f"05/Jan/2026:00:{at:02}:00 +0000,0.2{at % 10},200" for at in range(30))]
    )
    week, told = imported({"access.csv": log}, "--parallel", 4)
    assert sum(rates(told, "requests")) * 5 == pytest.approx(29)
    assert week.services[0].capacity_K[0] == pytest.approx(4 / 0.245, rel=1e-4)


def gateway_without_units(latencies: list[float]) -> str:
    rows = [f"2026-01-05T00:00:{at:02}Z,{latency:g},200" for at, latency in enumerate(latencies)]
    return "\n".join(["timestamp,latency,status", *rows])


@pytest.mark.parametrize(
    ("latencies", "options", "mean_s", "why"),
    [
        ([250.0] * 20, ["--latency-unit", "ms"], 0.25, "in ms (--latency-unit)"),
        ([250.0] * 20, [], 250.0, "in s ASSUMED, as nothing tells its unit (--latency-unit)"),
        ([2500.0] * 20, [], 2.5, "in ms ASSUMED, as half of its first values are above 600 (--latency-unit)"),
        ([2500.0] * 20, ["--latency-unit", "s"], 2500.0, "in s (--latency-unit)"),
    ],
)
def test_the_unit_of_latencies_is_said_or_told_as_assumed(latencies, options, mean_s, why, imported):
    week, told = imported({"log.csv": gateway_without_units(latencies)}, "--parallel", 4, "--fleet", "a100=8", *options)
    assert week.services[0].capacity_K[0] == pytest.approx(4 / mean_s, rel=1e-4)
    (line,) = [line for line in told["assumed"] if "'latency'" in line]
    assert line.endswith(f"'latency' is {why}: a request takes {mean_s:,g} s on average.")


def test_a_log_is_the_same_in_batches_of_any_size(imported, monkeypatch, tmp_path):
    def files(rows: int) -> dict[str, str]:
        monkeypatch.setattr("tenfold.replay.importing.text.BATCH", rows)
        _, told = imported({"log.csv": platform_files.GATEWAY}, "--parallel", 8, "--latency-target", 5)
        folder = Path(told["week"]).parent
        texts = {path.name: path.read_text() for path in folder.iterdir()}
        for path in folder.iterdir():
            path.unlink()
        folder.rmdir()
        return texts

    assert files(2) == files(1000)


def test_a_long_log_takes_no_more_memory_than_a_batch_and_its_steps(tmp_path, monkeypatch):
    """Azure's form, a request every other second of half a day: its rows would take 8 MB."""
    monkeypatch.setattr("tenfold.replay.importing.text.BATCH", 1000)
    moments = np.datetime64("2024-05-12T00:00:00", "us") + np.arange(20_000) * np.timedelta64(2_000_000, "us")
    lines = [f"{str(at).replace('T', ' ')}+00:00,1000,20" for at in moments]
    (tmp_path / "week.csv").write_text("TIMESTAMP,ContextTokens,GeneratedTokens\n" + "\n".join(lines))
    log = rows_of(tmp_path / "week.csv")
    tracemalloc.start()
    found = read_log(log, Reading())
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    (requests,) = found.services.values()
    assert (found.step_s, requests.input_tokens, requests.output_tokens) == (120.0, 1000.0, 20.0)
    assert requests.asked_T.tolist() == [60.0] * 333
    assert peak < 2e6


def test_json_lines_are_named_by_their_line(tmp_path, capsys):
    (tmp_path / "trace.jsonl").write_text(platform_files.MOONCAKE + "\n[1, 2]\n")
    assert run("replay", "import", tmp_path / "trace.jsonl", "-o", tmp_path / "week") == 2
    assert "line 7 is no record" in " ".join(capsys.readouterr().err.split())


def test_json_lines_with_a_status_and_an_error_or_metadata_are_requests(imported):
    """Prometheus and Kubernetes answer with such names too."""
    row = {"latency_s": 0.5, "status": 200, "error": None, "data": None, "metadata": {"tenant": "a"}, "items": 1}
    lines = [json.dumps({"timestamp": 1767571200 + at, **row}) for at in range(20)]
    _, told = imported({"log.jsonl": "\n".join(lines)})
    assert sum(rates(told, "requests")) == 19


def test_what_gateways_write_for_unknown_is_no_figure(imported):
    lines = ["timestamp,latency_s,prompt_tokens,status"]
    lines += [f"2026-01-05T00:00:{at:02}Z,{-1 if at % 2 else 0.25},{-1 if at % 4 else 100},200" for at in range(40)]
    week, told = imported({"log.csv": "\n".join(lines)}, "--parallel", 4, "--fleet", "a100=8")
    assert week.services[0].capacity_K[0] == pytest.approx(16)
    for line in ("20 requests have a 'latency_s' below 0", "30 requests have a 'prompt_tokens' below 0"):
        assert any(f"{line}, which is taken for unknown." in each for each in told["assumed"])


def test_latencies_that_are_all_empty_do_not_tell_what_was_in_time(imported):
    rows = [f"2026-01-05T00:00:{at:02}Z,,100" for at in range(40)]
    week, told = imported({"log.csv": "\n".join(["timestamp,latency,input_tokens", *rows])}, "--latency-target", 1)
    assert week.recorded is None
    assert any("No log tells how long requests of requests took" in line for line in told["assumed"])


@pytest.mark.parametrize(
    ("times", "wrong"),
    [
        (["0001-01-01T00:00:00Z", "2026-01-05T00:00:00Z"], "dates that are 2025 years apart"),
        (["0001-01-01 00:00:00", "2026-01-05 00:00:00"], "dates that are 2025 years apart"),
        (["0", "1e300"], "years apart"),
        (["5", "2026-01-05T00:00:00Z"], "some times are dates and others are not"),
        (["2026-01-05 00:00:00", "12026-01-05 00:00:00"], "line 3: timestamp is '12026-01-05 00:00:00'"),
    ],
)
def test_times_that_were_never_set_take_no_memory(times, wrong, tmp_path, capsys):
    (tmp_path / "log.csv").write_text("timestamp,status\n" + "".join(f"{time},200\n" for time in times))
    options = ["--timezone", "Europe/Berlin"]
    assert run("replay", "import", tmp_path / "log.csv", "-o", tmp_path / "week", *options) == 2
    assert wrong in " ".join(capsys.readouterr().err.split())


def test_a_pipe_is_refused_as_it_is_read_more_than_once(tmp_path, capsys):
    reads, writes = os.pipe()
    os.write(writes, AZURE.encode()[:1000])
    os.close(writes)
    try:
        assert run("replay", "import", f"/dev/fd/{reads}", "-o", tmp_path / "week") == 2
    finally:
        os.close(reads)
    assert "can be read only once" in " ".join(capsys.readouterr().err.split())


def test_jobs_of_no_kind_run_on_any_and_of_a_kind_that_is_not_there_are_left_out(imported):
    lines = ["JobIDRaw|Submit|Start|End|State|NNodes|AllocTRES"]
    for name, tres in (("1", "gres/gpu=8"), ("2", "gres/gpu:v100=8"), ("3", "gres/gpu:h100=32")):
        lines.append(f"{name}|2026-01-05T00:00:00|2026-01-05T00:10:00|2026-01-05T04:00:00|COMPLETED|1|{tres}")
    week, told = imported({"jobs.psv": "\n".join(lines)}, "--fleet", "h100=16,a100=16")
    assert [(job.name, job.speed_K.tolist()) for job in week.jobs] == [("1", [1.0, 1.0])]
    for reason in (
        "jobs of which nobody says on which kind they ran, and that may run on any",
        f"jobs left out that ran on a {kind_of('v100')}, of which the fleet has none (--fleet)",
        "jobs left out that need more accelerators of their kind than the fleet has (--fleet)",
    ):
        assert f"{reason}: 1." in told["assumed"]


def test_shares_of_accelerators_are_none():
    cell = "cpu=4,gres/gpu:h100=2,gres/gpu=2,gres/mps=200,gres/shard=8,gres/gpumem=80000"
    assert accelerators_of([cell], [], 1) == {kind_of("h100"): 2}
    assert accelerators_of(["cpu=4,gres/shard=8"], [], 1) == {}
    assert not is_accelerator("nvidia.com/gpumem")


def test_the_fleet_s_kinds_are_the_jobs_by_whatever_name(imported):
    week, told = imported({"jobs.psv": platform_files.SACCT}, "--fleet", "H100=24,a100=8,h100-sxm=8")
    assert told["kinds"] == {kind_of("h100"): 32, kind_of("a100"): 8}
    assert len(week.jobs) == 4


def test_a_job_that_two_accounts_have_is_taken_once(imported):
    _, told = imported({"one.psv": platform_files.SACCT, "two.psv": platform_files.SACCT})
    assert (told["jobs"], told["kinds"]) == (4, {kind_of("h100"): 24})
    assert "jobs that several files have, taken once: 5." in told["assumed"]


def test_of_a_long_account_the_last_week_is_played(imported):
    old = "4000|old|gpu|2025-12-01T00:00:00|2025-12-01T00:01:00|Unknown|RUNNING|1||gres/gpu:h100=8,node=1\n"
    week, told = imported({"jobs.psv": platform_files.SACCT + old})
    assert any("the last 7 are taken" in line for line in told["assumed"])
    assert {job.name for job in week.jobs} == {"4000", "4101", "4102", "4104_1", "4105"}


def test_services_are_placed_on_a_kind_that_runs_their_model(imported):
    lines = [
        "JobIDRaw|Submit|Start|End|State|NNodes|AllocTRES",
        "1|2023-11-16T18:16:50|2023-11-16T18:17:00|2023-11-16T18:19:00|COMPLETED|2|gres/gpu:laptop-core=16",
        "2|2023-11-16T18:16:50|2023-11-16T18:17:00|2023-11-16T18:19:00|COMPLETED|1|gres/gpu:h100=8",
    ]
    _, told = imported({"code.csv": AZURE, "jobs.psv": "\n".join(lines)}, "--model", "llama-3.1-70b")
    assert told["kinds"]["laptop-core"] == 16
    assert told["kinds"][kind_of("h100")] > 8
    assert any("do not run on laptop-core" in line for line in told["assumed"])


def test_all_files_of_one_week_are_joined_by_time(imported):
    files = {"rps.json": platform_files.prometheus(minutes=180), "jobs.psv": platform_files.SACCT}
    week, _ = imported(files, "--capacity", "chat=4,feed=400", "--elastic")
    assert {service.name for service in week.services} == {"chat", "feed"}
    begin_s = 180 * 60 // 7 // 60 * 60
    (running,) = [job for job in week.jobs if job.name == "4101"]
    # It ran already as the rates begin: what is left of it waits then.
    assert (running.arrival_s, running.least, running.most) == (0.0, 4, 32)
    assert running.work == pytest.approx(16 * (3 * 3600 + 40 * 60 - begin_s), abs=16)
    assert week.recorded is not None
    assert week.recorded.waited_s_J[0] == 0.0


def answer(data: object) -> str:
    return json.dumps({"status": "success", "data": data})


SACCT, PANEL = platform_files.SACCT, platform_files.grafana(20)
BAD = {
    "empty": (" \n", "is empty", "export it again"),
    "unknown columns": ("color,size\nred,12\n", "columns color, size are of no kind that is known", "give Prometheus"),
    "a vector": (answer({"resultType": "vector", "result": []}), "the answer is a 'vector'", "query_range"),
    "an error": ('{"status":"error","errorType":"bad_data","error":"parse"}', "bad_data parse", "mend the query"),
    "a fall": (
        answer({"resultType": "matrix", "result": [{"metric": {}, "values": [[1767571200, "-1"]]}]}),
        "series 1: -1 is no rate",
        "mend the query",
    ),
    "no series": (answer({"resultType": "matrix", "result": []}), "found no series", "ask for a time"),
    "cut off": ('{"status":"success","data":{', "is not JSON", "export it again"),
    "no time": (PANEL.replace("2026-01-05 00:25:01", "yesterday"), "line 7: Time is 'yesterday'", "write it like"),
    "a negative rate": (PANEL.replace(",1540", ",-3"), "line 6: feed is '-3'", "export it"),
    "no arrival": (AZURE.replace("2023-11-16 18:17:04.0319600", "n/a"), "line 3: TIMESTAMP is 'n/a'", "write it"),
    "no tokens": (AZURE.replace(",4808,", ",many,"), "line 2: ContextTokens is 'many'", "write a number"),
    "a cell more": (SACCT.replace("|eval|", "|ev|al|"), "line 4: 11 cells where line 1 names 10", "'|'"),
    "no header": (SACCT.partition("\n")[2], "has no header", "without -n"),
    "no TRES": ("JobID|Submit|Start|End|State\n1|Unknown|Unknown|Unknown|RUNNING\n", "lacks AllocTRES", "sacct -a"),
    "no start": (SACCT.replace("2026-01-05T00:31:10", "Jan05"), "line 4: Start is 'Jan05'", "SLURM_TIME_FORMAT"),
    "pods": ('{"kind": "List", "items": [{"kind": "Pod"}]}', "1 of kind 'Pod'", "kubectl get workloads"),
    "no name": ('{"items": [{"kind": "Workload", "metadata": {}}]}', "'metadata.name' is missing", "kubectl"),
    "too short": ("\n".join(AZURE.splitlines()[:4]), "have only", "give a longer time"),
}


@pytest.mark.parametrize("case", BAD)
def test_what_is_wrong_is_named_with_its_line_and_its_cure(case, tmp_path, capsys):
    text, wrong, cure = BAD[case]
    (tmp_path / "given").write_text(text)
    assert run("replay", "import", tmp_path / "given", "-o", tmp_path / "week") == 2
    err = " ".join(capsys.readouterr().err.split())
    assert wrong in err
    assert cure in err.partition(wrong)[2]
    assert not (tmp_path / "week").exists()


@pytest.mark.parametrize(
    ("options", "wrong"),
    [
        (["--capacity", "chat=4"], "--capacity: there is no service 'chat'"),
        (["--capacity", "0"], "'0' is no number above 0"),
        (["--model", "llama-9"], "llama-9"),
        (["--timezone", "Mars/Base"], "no time zone 'Mars/Base'"),
        (["--start", "2026-01-05"], "outside of what the files have"),
        (["--by", "team"], "no column 'team'"),
        (["--replicas", "nowhere.json"], "cannot read nowhere.json"),
        (["nowhere.json"], "cannot read nowhere.json"),
        (["panel.csv"], "no time in common"),
        (["--latency-unit", "ms"], "no log tells how long a request took"),
    ],
)
def test_options_that_cannot_be_are_named(options, wrong, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("code.csv").write_text(AZURE)
    Path("panel.csv").write_text(platform_files.grafana())
    assert run("replay", "import", "code.csv", *options, "-o", "week") == 2
    err = " ".join(capsys.readouterr().err.split())
    assert wrong in err
    assert "next:" in err


def test_a_folder_that_is_there_is_left_alone(tmp_path, capsys):
    (tmp_path / "a.csv").write_text(AZURE)
    (tmp_path / "week").mkdir()
    assert run("replay", "import", tmp_path / "a.csv", "-o", tmp_path / "week") == 2
    assert "is there already" in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("nvidia_h100_80gb_hbm3", "h100"),
        ("NVIDIA-H100-SXM5-80GB", "h100"),
        ("nvidia-a100-1g.5gb", "nvidia-a100-1g.5gb"),
    ],
)
def test_accelerators_are_known_by_their_names_in_clusters(name, kind):
    assert kind_of(name) == (kind_of(kind) if kind == "h100" else kind)
