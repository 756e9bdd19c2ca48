"""A chat's tokens are counted once, by the engine's own number, whether or not the client waits for the very end."""

from tenfold.serve.work import Work

TOKEN = b'data: {"choices":[{"delta":{"content":"a"}}]}\n\n'
LAST = b'data: {"choices":[],"usage":{"completion_tokens":5,"prompt_tokens":7}}\n\n'
DONE = b"data: [DONE]\n\n"


def test_a_stream_is_settled_by_its_last_word_before_the_engine_closes_the_connection():
    work = Work()
    with work.begin() as job:
        for chunk in (TOKEN * 6, LAST + DONE[:8]):
            job.pass_events(chunk)
        assert not job.finished
        job.pass_events(DONE[8:])
        assert job.finished
        assert (work.tokens, work.prompt_tokens, work.requests) == (5, 7, 1)
        job.finish()
        assert (work.tokens, work.prompt_tokens, work.requests) == (5, 7, 1)


def test_a_stream_that_is_left_early_counts_what_surely_was_tokens():
    work = Work()
    with work.begin() as job:
        job.pass_events(TOKEN * 6)
    assert (work.tokens, work.requests, job.finished) == (3, 0, False)
