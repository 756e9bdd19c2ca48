"""Events stay: appended, read back in order, by another reader too."""

from tenfold.ledger.ledger import Ledger


def test_events_are_read_back_newest_first(tmp_path):
    times = iter([1.0, 2.0, 3.0])
    ledger = Ledger(f"sqlite:///{tmp_path / 'ledger.db'}", clock=lambda: next(times))
    for number in (1, 2):
        ledger.append("move", "n0/cpu0", {"number": number})
    ledger.append("alarm", "hold", {})
    reader = Ledger(f"sqlite:///{tmp_path / 'ledger.db'}")
    assert [(event.at, event.body["number"]) for event in reader.latest("move", 5)] == [(2.0, 2), (1.0, 1)]
    assert reader.latest("nothing") == []
    ledger.close()
    reader.close()
