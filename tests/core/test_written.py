"""Numbers and durations are read as people write them."""

import pytest

from tenfold.core.errors import UsageError
from tenfold.core.written import parse_duration_s


@pytest.mark.parametrize(
    ("text", "seconds"), [("5m", 300), ("90s", 90), ("1h", 3600), ("1m30s", 90), ("45", 45), (" 0.5M ", 30)]
)
def test_durations_are_read_as_people_write_them(text, seconds):
    assert parse_duration_s(text) == seconds


@pytest.mark.parametrize("text", ["", "5 minutes", "-5m", "0s", "m", "nan", "1e3", "\u0665m"])
def test_what_is_no_duration_is_refused_with_an_example(text):
    with pytest.raises(UsageError) as caught:
        parse_duration_s(text)
    assert repr(text) in str(caught.value)
    assert "5m" in caught.value.next_step
