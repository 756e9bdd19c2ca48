"""A keeper tells a silent process from one that was only slow to start, or that it has not listened to."""

import os

from tenfold.pool.heartbeat import SILENT_LOOKS, START_LOOKS, Pulse, Vigil, drained


def test_silence_after_the_first_beat_is_judged_soon_and_before_it_late():
    vigil = Vigil()
    assert not any(vigil.look(False) for _ in range(START_LOOKS - 1))
    assert vigil.look(False)
    assert vigil.verdict == f"not up within {START_LOOKS} s"
    begun = Vigil()
    assert not begun.look(True)
    assert [begun.look(False) for _ in range(SILENT_LOOKS)] == [False] * (SILENT_LOOKS - 1) + [True]
    assert begun.verdict == f"no sign of life for {SILENT_LOOKS} s"


def test_one_beat_makes_up_for_all_silence_before_it():
    vigil = Vigil()
    vigil.look(True)
    for _ in range(10):
        assert not any(vigil.look(False) for _ in range(SILENT_LOOKS - 1))
        assert not vigil.look(True)


def test_a_keeper_that_was_stopped_itself_hears_what_came_meanwhile():
    """However long it did not look, that is one look, and the beats of that time wait in the pipe."""
    read, write = os.pipe()
    os.set_blocking(read, False)
    pulse, vigil = Pulse(write), Vigil()
    for _ in range(100_000):  # more than a pipe holds: beating blocks nobody
        pulse.beat()
    assert not vigil.look(bool(drained(read)))
    assert drained(read) == b""
    os.close(read)
    pulse.beat()  # its keeper is gone: no error, it is about to end with it
    os.close(write)
