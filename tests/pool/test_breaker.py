"""What has failed again and again is left alone for a while, and then tried by one request."""

from tenfold.pool.backends.breaker import Breaker


def broken(now: list[float]) -> Breaker:
    breaker = Breaker(3, 10.0, lambda: now[0])
    for _ in range(3):
        breaker.begin()
        breaker.failed()
    return breaker


def test_it_opens_after_so_many_failures_in_a_row_and_no_fewer():
    breaker = Breaker(3, 10.0, lambda: 0.0)
    for failed in (True, True, False, True, True):
        breaker.begin()
        (breaker.failed if failed else breaker.succeeded)()
        assert breaker.state == "closed"
    breaker.begin()
    breaker.failed()
    assert (breaker.state, breaker.opened) == ("open", 1)


def test_after_its_time_one_request_tries_and_others_wait_for_what_becomes_of_it():
    now = [0.0]
    breaker = broken(now)
    now[0] = 9.9
    assert breaker.state == "open" and 0 < breaker.wait_s < 0.2
    now[0] = 10.0
    assert breaker.state == "half-open" and breaker.wait_s == 0
    breaker.begin()
    assert breaker.state == "open"
    breaker.failed()
    assert breaker.state == "open" and breaker.wait_s == 10 and breaker.opened == 1
    now[0] = 20.0
    breaker.begin()
    breaker.succeeded()
    assert breaker.state == "closed"


def test_a_probe_whose_client_left_is_tried_by_the_next():
    now = [0.0]
    breaker = broken(now)
    now[0] = 10.0
    breaker.begin()
    breaker.given_up()
    assert breaker.state == "half-open"


def test_a_late_failure_of_a_request_from_before_does_not_count_as_another_opening():
    now = [0.0]
    breaker = broken(now)
    breaker.failed()
    assert breaker.opened == 1
