"""The bench of rankers reads whatever data it is given, or says why it cannot be judged."""

import sys

import pytest


@pytest.mark.parametrize(
    ("rows", "why"),
    [("ann,1", "nobody has 3 events"), (",1", "has no events"), ("ann,1\nann,2\n,3", "nobody has 3 events")],
)
def test_data_that_cannot_be_judged_is_refused_before_anything_is_trained(tmp_path, monkeypatch, capsys, rows, why):
    # The bench sets it as it is imported; other tests' processes shall not have it.
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    import rank_quality

    (tmp_path / "events.csv").write_text(f"person,item\n{rows}\n")
    monkeypatch.setattr(sys, "argv", ["rank_quality.py", "--data", str(tmp_path)])
    with pytest.raises(SystemExit) as left:
        rank_quality.main()
    assert left.value.code == 2 and why in capsys.readouterr().err
