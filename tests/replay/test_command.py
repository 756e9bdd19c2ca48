"""The commands of a platform team that tries policies on its own week."""

import json

import pytest

from tenfold.cli.main import main

SMALL = """
name = "small"
step_s = 600
history_s = 3600
steps = 30
[kinds.h100]
slots = 16
[services.chat]
family = "llm"
capacity = { h100 = 4.0 }
usd_per_request = 1e-3
queue_s = 10
start_s = 60
wake_s = 2
sleep_s = 1
generate = { like = "llm", mean_per_s = 16 }
[jobs.backlog]
least = 1
"""


@pytest.fixture
def week(tmp_path):
    path = tmp_path / "week.toml"
    path.write_text(SMALL)
    return path


def run(*arguments: object) -> int:
    try:
        main([str(argument) for argument in arguments])
    except SystemExit as stop:
        return int(stop.code or 0)
    return 0


def test_json_has_a_record_for_each_policy_and_is_the_same_twice(week, capsys):
    runs = []
    for _ in range(2):
        assert run("replay", week, "--policy", "static,tenfold", "--seed", 3, "--json") == 0
        runs.append(json.loads(capsys.readouterr().out)["policies"])
    first, again = runs
    for record in first + again:
        assert record.pop("cpu_s") >= 0
    assert first == again
    assert [record["policy"] for record in first] == ["static", "tenfold"]
    assert all(0 <= record["attainment"]["llm"] <= 1 for record in first)
    assert first[0]["share_of_bound"] is None


@pytest.mark.slow
def test_policies_are_tuned_on_another_week(week, tmp_path, capsys):
    other = tmp_path / "other.toml"
    other.write_text(SMALL.replace('"small"', '"other"').replace("mean_per_s = 16", "mean_per_s = 20"))
    assert run("replay", week, "--policy", "kueue-like", "--tune", other, "--no-bounds", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["tuned_on"] == "other"
    assert [record["policy"] for record in found["policies"]] == ["kueue-like"]
    assert 0 < found["forecast_coverage"]["llm"]["p50"] < 1
    other.write_text(other.read_text().replace("services.chat", "services.talk"))
    assert run("replay", week, "--tune", other) == 2
    assert "have not the same services" in " ".join(capsys.readouterr().err.split())


def test_table_page_and_bounds(week, tmp_path, capsys):
    page = tmp_path / "out.html"
    assert run("replay", week, "--policy", "tenfold", "--bounds", "--attain", "llm=0.9", "--report", page) == 0
    out = capsys.readouterr()
    assert "small" in out.out
    assert "tenfold" in out.out
    assert "clairvoyant, true moves" in out.out
    assert f"wrote {page}" in out.err.replace("\n", "")
    assert "<svg" in page.read_text()


def test_a_fleet_that_is_too_small_for_the_targets_is_played_and_told_so(week, tmp_path, capsys):
    week.write_text(SMALL.replace("slots = 16", "slots = 2"))
    assert run("replay", week, "--policy", "tenfold", "--bounds", "--report", tmp_path / "out.html") == 0
    assert "No policy can meet the targets: clairvoyant, free moves." in capsys.readouterr().out
    assert run("replay", week, "--policy", "tenfold", "--bounds", "--json") == 0
    assert {bound["useful_training_h"] for bound in json.loads(capsys.readouterr().out)["bounds"]} == {None}


def test_a_week_without_jobs_has_services_only(week, tmp_path, capsys):
    week.write_text(SMALL.partition("[jobs.backlog]")[0])
    assert run("replay", week, "--policy", "all", "--report", tmp_path / "out.html", "--json") == 0
    records = json.loads(capsys.readouterr().out)["policies"]
    assert all(record["useful_training_h"] == 0.0 and record["share_of_bound"] is None for record in records)
    assert run("replay", week, "--policy", "tenfold", "--bounds") == 0
    assert "can train more than 0 h" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--policy", "fair"], "there is no policy 'fair'"),
        (["--attain", "llm"], "--attain 'llm' is no family=share"),
        (["--attain", "llm=95"], "a share lies above 0 and up to 1"),
        (["--attain", "video=0.9"], "the week has no family 'video'"),
        (["--policy", "static", "--report", "/nowhere/x.html"], "cannot write the page"),
        (["--policy", "static", "--dials", "kueue-like:0.5"], "'kueue-like' is not played"),
        (["--policy", "kueue-like", "--dials", "kueue-like:video=0.5"], "no family 'video'"),
        (["--policy", "kueue-like", "--dials", "kueue-like:llm=90%"], "it is the utilisation aimed at"),
        (["--policy", "kueue-like", "--dials", "kueue-like"], "has no value"),
    ],
)
def test_usage_is_explained(week, capsys, arguments, told):
    assert run("replay", week, *arguments) == 2
    err = " ".join(capsys.readouterr().err.split())
    assert told in err
    assert "next:" in err


def test_a_seed_below_zero_is_refused(week, capsys):
    assert run("replay", week, "--seed", -1) == 2
    assert "--seed: -1 is below 0" in " ".join(capsys.readouterr().err.split())


def test_example_is_written_and_can_be_read(tmp_path, capsys):
    assert run("replay", "example", tmp_path / "new", "--json") == 0
    files = json.loads(capsys.readouterr().out)["files"]
    assert [name.rsplit("/", 1)[1] for name in files] == ["week.toml", "rates.csv", "jobs.csv"]
    assert run("replay", "example", tmp_path / "new") == 2
    assert "is there already" in " ".join(capsys.readouterr().err.split())


def test_a_rule_is_played_with_dials_that_are_given(week, capsys):
    def played(*dials: str) -> dict:
        given = [word for each in dials for word in ("--dials", each)]
        assert run("replay", week, "--policy", "kueue-like,static", *given, "--json") == 0
        return {each["policy"]: each for each in json.loads(capsys.readouterr().out)["policies"]}

    own, thrifty, named = played(), played("kueue-like:1.3"), played("kueue-like:llm=0.4", "static:llm=0.99")
    assert own["kueue-like"]["dials"] is None
    assert named["kueue-like"]["dials"] == {"llm": 0.4}
    attained = [each["kueue-like"]["attainment"]["llm"] for each in (thrifty, own, named)]
    assert attained == sorted(attained)
    assert attained[0] < attained[2]
    assert own["static"]["attainment"]["llm"] < named["static"]["attainment"]["llm"]


def test_rules_that_run_jobs_whole_can_use_a_backlog(week, capsys):
    assert run("replay", week, "--policy", "priority,kueue-like", "--json") == 0
    hours = [each["useful_training_h"] for each in json.loads(capsys.readouterr().out)["policies"]]
    # 16 slots for 30 steps of 10 minutes are 80 hours, and the service takes a third of them.
    assert min(hours) > 25
