"""An operator is told of a product that fails at everything, and not of one whose failures are odd ones."""

from tenfold.pool.product_health import FAILURES, TOLD_FOR_S, ProductHealth


def test_only_one_that_answers_nothing_rightly_is_told_until_it_does_or_nobody_asks():
    now = [0.0]
    health = ProductHealth(lambda: now[0])
    for _ in range(FAILURES - 1):
        health.note_answer("shop", 500)
    health.note_answer("shop", 404)
    health.note_answer("shop", 500)
    assert health.trouble == ""
    health.note_answer("shop", 500)
    health.note_failure("shop", "gave no answer")
    for _ in range(FAILURES):
        health.note_answer("feed", 503)
    assert "the product feed failed at each of its last 3 requests, and answered 503 to the last" in health.trouble
    assert "shop failed at each of its last 3 requests, and gave no answer to the last" in health.trouble
    health.note_answer("feed", 200)
    assert "feed" not in health.trouble
    now[0] = TOLD_FOR_S + 1
    assert health.trouble == ""
