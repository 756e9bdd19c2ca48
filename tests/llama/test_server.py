"""Who connects to training's port: those who know the token, whatever others do there, and what they say arrives."""

import errno
import math
import queue
import socket
import threading
import time

import pytest

from tenfold.llama import server as servers
from tenfold.llama import wire
from tenfold.llama.server import Server
from tenfold.llama.wire import Channel, Offer, StatusQuery, WireError

TOKEN = "known"


@pytest.fixture
def heard():
    return queue.Queue()


@pytest.fixture
def address(heard):
    def converse(channel, _connection):
        while True:
            heard.put(channel.receive())

    server = Server(TOKEN, converse, lambda _connection: None)
    yield f"127.0.0.1:{server.listen('127.0.0.1', 0)}"
    server.close()


def told(address, message):
    channel = Channel.connect(address, TOKEN)
    channel.send(message)
    return channel


def test_strangers_who_say_nothing_keep_nobody_out_and_are_few(address, heard, monkeypatch):
    monkeypatch.setattr(servers, "MOST_STRANGERS", 3)
    host, port = address.split(":")
    before = threading.active_count()
    silent = [socket.create_connection((host, int(port))) for _ in range(10)]
    told(address, StatusQuery()).close()
    assert heard.get(timeout=30) == StatusQuery()
    # The oldest were let go: what they hear after the challenge is the end.
    for each in silent[:7]:
        each.settimeout(30)
        while each.recv(1000):
            pass
    deadline = time.monotonic() + 30
    while threading.active_count() - before > 3:
        assert time.monotonic() < deadline, "threads of those who were let go"
        time.sleep(0.01)
    for each in silent:
        each.close()


def test_who_says_half_a_word_or_too_much_is_turned_away(address, heard, monkeypatch):
    host, port = address.split(":")
    with monkeypatch.context() as short:
        short.setattr(wire, "HANDSHAKE_S", 0.2)
        for said in (b"", b"\0\0", b"\x7f\xff\xff\xff" + 1000 * b"x", 4 * b"\xff" + 8 * b"\x7f", b"GET / HTTP/1.1"):
            assert_turned_away(host, int(port), said)
    with pytest.raises(WireError, match="does not know this pool's token"):
        Channel.connect(address, "guessed")
    told(address, StatusQuery()).close()
    assert heard.get(timeout=30) == StatusQuery()
    assert heard.empty()


def assert_turned_away(host, port, said):
    try:
        with socket.create_connection((host, port)) as stranger:
            stranger.settimeout(30)
            stranger.sendall(said)
            while stranger.recv(1000):
                pass
    except ConnectionResetError:
        # Ended with words unread.
        return


def test_one_who_knows_the_token_and_sends_too_much_at_once_ends_alone(address, heard):
    channel = told(address, StatusQuery())
    assert heard.get(timeout=30) == StatusQuery()
    with pytest.raises((EOFError, OSError)):
        channel._messages.send_bytes(bytes(wire.MESSAGE_LIMIT_BYTES + 1))
        channel.receive()
    channel.close()
    told(address, StatusQuery()).close()
    assert heard.get(timeout=30) == StatusQuery()


def test_a_listener_without_a_descriptor_for_a_moment_goes_on(address, heard, monkeypatch):
    accept, faults = socket.socket.accept, [OSError(errno.EMFILE, "Too many open files")]

    def full(listener):
        if faults:
            raise faults.pop()
        return accept(listener)

    monkeypatch.setattr(socket.socket, "accept", full)
    for _ in range(2):
        told(address, StatusQuery()).close()
        assert heard.get(timeout=30) == StatusQuery()
    assert not faults


def test_one_that_listens_and_says_nothing_is_waited_for_so_long(monkeypatch):
    monkeypatch.setattr(wire, "HANDSHAKE_S", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(TimeoutError, match="said nothing for"):
        Channel.connect(f"127.0.0.1:{silent.getsockname()[1]}", TOKEN)


@pytest.mark.parametrize("loss", [math.nan, math.inf])
def test_a_loss_that_is_no_number_arrives_so_that_the_guard_hears_of_it(address, heard, loss):
    channel = told(address, Offer(run="run", step=0, microbatch=0, loss=loss))
    assert str(heard.get(timeout=30).loss) == str(loss)
    channel.close()


def overhear(address: str) -> tuple[bytes, bytes]:
    """What one who knows the token says to a server, and what it answers, heard in between."""
    host, port = address.split(":")
    said, answered = bytearray(), bytearray()

    def pass_on(source, sink, kept):
        while data := source.recv(4096):
            kept.extend(data)
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)

    with socket.create_server(("127.0.0.1", 0)) as between:
        channel = []
        here = f"127.0.0.1:{between.getsockname()[1]}"
        caller = threading.Thread(target=lambda: channel.append(told(here, StatusQuery())))
        caller.start()
        near, _ = between.accept()
        with near, socket.create_connection((host, int(port))) as far:
            threads = [threading.Thread(target=pass_on, args=way) for way in ((near, far, said), (far, near, answered))]
            for each in threads:
                each.start()
            caller.join()
            channel[0].close()
            for each in threads:
                each.join()
    return bytes(said), bytes(answered)


def test_what_was_overheard_opens_nothing_later(address, heard):
    said, answered = overhear(address)
    assert heard.get(timeout=30) == StatusQuery()
    host, port = address.split(":")
    assert_turned_away(host, int(port), said)
    with socket.create_server(("127.0.0.1", 0)) as pretender:

        def play():
            near, _ = pretender.accept()
            with near:
                near.sendall(answered)
                while near.recv(4096):
                    pass

        thread = threading.Thread(target=play)
        thread.start()
        with pytest.raises(WireError, match="does not know this pool's token"):
            Channel.connect(f"127.0.0.1:{pretender.getsockname()[1]}", TOKEN)
        thread.join()
    assert heard.empty()
