"""What is shown, in which order, and why."""

from hypothesis import given
from hypothesis import strategies as st

from tenfold.feed.catalog import Catalog, Popularity
from tenfold.feed.choose import cards_for, popular_reason, ranked_reason
from tenfold.feed.item import Item

CATALOG = Catalog(
    [
        Item(1, "Alien (1979)", ("Horror", "Sci-Fi"), 10),
        Item(2, "Aliens (1986)", ("Action", "Sci-Fi", "War"), 12),
        Item(3, "Babe (1995)", ("Children's", "Comedy"), 9),
        Item(4, "Evita (1996)", ("Drama", "Musical"), 1),
        Item(5, "Unknown", (), 0),
    ]
)


def test_a_blocked_or_seen_item_leaves_its_place_to_the_next():
    cards = cards_for([3, 1, 99, 2, 4], CATALOG, k=2, without={3})
    assert [card.item for card in cards] == [1, 2]
    assert cards[0].poster == "/v1/feed/posters/1.svg"


def test_the_reason_names_the_latest_film_with_most_in_common():
    film = CATALOG.get(2)
    assert ranked_reason(film, [3, 1, 4], CATALOG) == "Sci-Fi, like Alien (1979) that you watched"
    assert ranked_reason(film, [3], CATALOG) == "Chosen by what people with your history watched next"
    assert ranked_reason(CATALOG.get(5), [5], CATALOG) == "Chosen by what people with your history watched next"
    assert ranked_reason(film, [], CATALOG) == "What most people begin with"


def test_the_popular_list_says_how_many_people():
    assert [popular_reason(n) for n in (0, 1, 1234)] == [
        "Not yet opened by anybody", "Opened by 1 person", "Opened by 1,234 people",
    ]  # fmt: skip


@given(st.lists(st.integers(0, 6), max_size=60))
def test_the_popular_order_after_any_openings_is_that_of_all_counts(openings):
    moved = Popularity(CATALOG, [])
    for item in openings:
        moved.opened(item)
    counted = Popularity(CATALOG, [(item, openings.count(item)) for item in set(openings)])
    assert list(moved.items()) == list(counted.items())
    assert moved.viewers == counted.viewers
