"""The book of moves: what is under way is shown first, what ended keeps its number and tells what went wrong."""

from tenfold.policy.policy import Change
from tenfold.pool.move_book import ASSUMED_WAKE_S, SHOWN_MOVES, WAKE_MEMORY, MoveBook, Moving
from tenfold.pool.moves import Address, Ended

ADDRESS = Address("rank@n0/cpu0", "http://127.0.0.1:1", 7)


def begin(book: MoveBook, slot: str) -> Moving:
    change = Change(slot, "train", "rank", 0.5, "worth more")
    return book.begin(change, None, ADDRESS, reason="rank needs it", epoch=3, at=10.0, deadline_s=1.0)


def test_a_move_is_on_its_slot_until_it_ends_and_its_wake_is_remembered():
    book = MoveBook(["rank", "train"])
    book.count = 41
    moving = begin(book, "n0/cpu0")
    assert (moving.view.move, book.on("n0/cpu0"), set(book.slots)) == (42, moving.view, {"n0/cpu0"})
    done = book.end(moving, Ended("done", ADDRESS, seconds=0.9, wake_s=0.6, detail=""))
    assert (done.state, done.seconds, done.reason) == ("done", 0.9, "rank needs it")
    assert (book.on("n0/cpu0"), set(book.slots)) == (None, set())
    assert book.wake_s == {"rank": ASSUMED_WAKE_S + WAKE_MEMORY * (0.6 - ASSUMED_WAKE_S), "train": ASSUMED_WAKE_S}


def test_a_failed_move_says_why_and_tells_nothing_of_waking():
    book = MoveBook(["rank", "train"])
    failed = book.end(begin(book, "n0/cpu0"), Ended("failed", None, 10.0, 0.0, "rank@n0/cpu0 did not wake"))
    assert (failed.state, failed.reason) == ("failed", "rank needs it; rank@n0/cpu0 did not wake")
    assert book.wake_s["rank"] == ASSUMED_WAKE_S


def test_the_latest_are_shown_those_under_way_first():
    book = MoveBook(["rank", "train"])
    first = begin(book, "n0/cpu1")
    for _ in range(SHOWN_MOVES + 5):
        book.end(begin(book, "n0/cpu0"), Ended("done", ADDRESS, 0.1, 0.1, ""))
    shown = [view.move for view in book.views()]
    assert len(shown) == SHOWN_MOVES
    assert shown[:3] == [first.view.move, SHOWN_MOVES + 6, SHOWN_MOVES + 5]
