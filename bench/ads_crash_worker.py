"""One process of the crash bench: sells ads by a lease, charges what it is told was seen, until it is killed.

It uses the product's own parts: the store, the cashier, signed tokens and charges. Messages come as datagrams, so that
none is half there when the process dies.
"""

import os
import random
import socket
import time
import traceback

import orjson

from tenfold.ads.money.cashier import Cashier, Running
from tenfold.ads.money.charge import Impression, take
from tenfold.ads.money.moment import database_now
from tenfold.ads.tables import MIGRATIONS
from tenfold.ads.tracking import Signer, new_event
from tenfold.core.store import open_store
from tenfold.pool.alive import place_here
from tenfold.pool.process import die_with_parent

Address = tuple[str, int]

TURN_S = 0.3
TOGETHER_S = 0.005
MOST_TOGETHER = 200
SEEN_WITHIN_S = 6.0
SETTLE_S = 7.0
DEAD_AFTER_S = 2.0
DEAREST_MICRO = 9_000
SECRETS = {"bench": b"bench" * 8}


def run(url: str, here: socket.socket, to: Address, campaigns: tuple[str, ...], seed: int) -> None:
    """Work for ever: ``here`` is this process's socket, ``to`` is whom it answers."""
    draw = random.Random(seed)
    # Its clock is wrong by up to two minutes, and jumps once in a while.
    skew = [draw.uniform(-120, 120)]
    store = open_store(url, MIGRATIONS, patience_s=30.0)
    cashier = Cashier(
        dead_after_s=DEAD_AFTER_S,
        settle_s=SETTLE_S,
        most_bid_micro=DEAREST_MICRO,
        clock=lambda: time.time() + skew[0],
        place=place_here(),
    )
    signer = Signer(SECRETS)
    running = [Running(campaign, True) for campaign in campaigns]
    told: list[tuple[int, Impression]] = []
    with here:
        here.settimeout(TOGETHER_S)
        next_turn = 0.0
        while True:
            if time.monotonic() >= next_turn:
                if draw.random() < 0.02:
                    skew[0] = draw.uniform(-120, 120)
                wishes = cashier.wishes(running)
                with store.writing() as connection:
                    turned = cashier.turn(connection, wishes)
                cashier.apply(turned)
                next_turn = time.monotonic() + TURN_S
            # All that came meanwhile, up to what one transaction should hold: the disk is waited for once.
            while len(told) < MOST_TOGETHER and time.monotonic() < next_turn:
                try:
                    message = orjson.loads(here.recv(65_536))
                except TimeoutError:
                    break
                if message["what"] == "seen":
                    told.append((message["id"], signer.read_impression(message["token"])))
                    continue
                until_seen = cashier.now() + SEEN_WITHIN_S
                event = new_event()
                lease = cashier.sell(message["campaign"], event, message["price"], SEEN_WITHIN_S)
                token = ""
                if lease is not None:
                    sold = Impression(
                        event, lease, message["campaign"], "v", "p", "s", message["price"], 0.0, until_seen, {}
                    )
                    token = signer.impression(sold)
                _send(here, to, {"what": "sold", "id": message["id"], "token": token})
            if told:
                with store.writing() as connection:
                    outcomes = take(connection, [seen for _, seen in told], database_now(connection))
                for number, seen in told:
                    _send(here, to, {"what": "charged", "id": number, "outcome": outcomes[seen.event]})
                told = []


def _send(here: socket.socket, to: Address, message: dict[str, object]) -> None:
    here.sendto(orjson.dumps(message), to)


def start(url: str, number: int, to: Address, campaigns: tuple[str, ...]) -> tuple[int, Address]:
    """Fork a worker; gives its process and where it is asked."""
    here = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    here.bind(("127.0.0.1", 0))
    here.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
    address = here.getsockname()
    child = os.fork()
    if child:
        here.close()
        return child, address
    try:
        die_with_parent()
        run(url, here, to, campaigns, number)
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(1)
