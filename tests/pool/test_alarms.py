"""An operator is told of a damaged file by an alarm, until it is a day old or somebody has taken it away."""

from datetime import UTC, datetime

from tenfold.core.sound import set_aside
from tenfold.ledger.ledger import Ledger
from tenfold.pool.alarms import LOOK_EVERY_S, TOLD_FOR_S, Alarms, DamageWatch


def test_what_was_set_aside_is_an_alarm_for_a_day_or_until_it_is_taken_away(tmp_path):
    home, cache, now = tmp_path / "home", tmp_path / "cache", [1_000_000.0]
    for folder, name in ((home / "train", "checkpoint"), (cache, "model.gguf")):
        folder.mkdir(parents=True)
        (folder / name).write_bytes(b"bad")
    ledger = Ledger(f"sqlite:///{tmp_path / 'ledger.db'}")
    alarms = Alarms(ledger)
    watch = DamageWatch(alarms, [home, cache, tmp_path / "missing"], lambda: now[0])
    watch.look()
    assert alarms.texts == ()

    def clock() -> datetime:
        return datetime.fromtimestamp(now[0], UTC)

    set_aside(home / "train" / "checkpoint", "it was cut", "the one before it is used", clock=clock)
    model = set_aside(cache / "model.gguf", "its sha256 is wrong", "it was made again", clock=clock)
    watch.look()
    assert alarms.texts == (), "it looks every few seconds only"
    now[0] += LOOK_EVERY_S
    watch.look()
    assert set(alarms.texts) == {
        "checkpoint was damaged (it was cut) and is set aside; the one before it is used",
        "model.gguf was damaged (its sha256 is wrong) and is set aside; it was made again",
    }
    model.with_name(f"{model.name}.json").unlink()
    now[0] += LOOK_EVERY_S
    watch.look()
    assert [text.split()[0] for text in alarms.texts] == ["checkpoint"]
    now[0] += TOLD_FOR_S
    watch.look()
    assert alarms.texts == ()
    assert len(ledger.latest("alarm", 9)) == 2
    ledger.close()


def test_what_a_source_says_no_more_has_ended_and_others_stay(tmp_path):
    ledger = Ledger(f"sqlite:///{tmp_path / 'ledger.db'}")
    alarms = Alarms(ledger)
    alarms.set("hold", "it holds")
    alarms.replace("census", {"process feed": "feed does not stay up", "node n1": "n1 is away"})
    alarms.replace("census", {"process feed": "feed does not stay up; it ended with 1"})
    assert alarms.texts == ("it holds", "feed does not stay up; it ended with 1")
    alarms.replace("census", {})
    assert alarms.texts == ("it holds",)
    assert len(ledger.latest("alarm", 9)) == 3, "one that goes on is told once"
    ledger.close()
