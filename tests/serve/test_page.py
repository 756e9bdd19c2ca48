"""The chat of the console, without a browser."""

from nicegui import Client, ui
from nicegui.page import page

from tenfold.serve.page import Conversation, Piece


async def test_a_chat_forgets_pictures_that_the_model_is_told_of_no_more(monkeypatch):
    told = []

    async def answer(turns):
        told.append(sum(bool(turn.picture) for turn in turns))
        yield Piece("A square.", 0.1)

    with Client(page(""), request=None) as client:
        # There is no browser to scroll in.
        monkeypatch.setattr(client, "run_javascript", lambda _: None)
        with ui.element("div") as window, ui.element("div") as talk:
            pass
        conversation = Conversation(answer, window, talk)
        for number in range(12):
            assert await conversation.ask("", f"data:image/png;base64,{number}")
        shown = [each.source[22:] for each in client.elements.values() if isinstance(each, ui.image)]
        words = [each.text for each in client.elements.values() if isinstance(each, ui.label)]
    assert told == [1, 2, 3, 4, 4, 4, 4, 4, 4, 4, 4, 4]
    assert shown == [str(number) for number in range(4, 12)] and words.count("(a picture)") == 4
