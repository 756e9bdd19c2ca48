"""What the money of ads does while processes are killed: is more billed than a budget, is any lost, does any stay away.

    python bench/ads_crash.py [--crashes 1000] [--databases sqlite,postgresql]

On each database, once without crashes and once with half of them, with the same chances: eight processes sell ads of
six campaigns of two accounts; one account and three campaigns have less money than chances. A process is killed with
SIGKILL at a random moment, and another takes its place. What was sold is seen late, in any order, some twice, some too
late and some never; told again, to any process, until somebody has said that it is on disk. All clocks are wrong by up
to two minutes, and jump.

**overspend**: micro-dollars billed beyond any budget, added up from the charges. **stranded_share**: of all budgets,
what is still reserved after the dead were seen to. **billed_share_of_uncrashed**: what was billed, as a part of what
was billed without crashes. The last line is one JSON object.
"""

import argparse
import contextlib
import heapq
import json
import os
import platform
import random
import signal
import socket
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import orjson
import sqlalchemy as sa

import ads_crash_worker as worker
from tenfold.ads.money import books
from tenfold.ads.money.budget import account_node, add_node, campaign_node
from tenfold.ads.money.cashier import Cashier
from tenfold.ads.money.charge import BILLED, HOUSE
from tenfold.ads.tables import MIGRATIONS, budgets, campaigns, charges
from tenfold.core.config import StoreSettings
from tenfold.core.store import open_store, store_url

sys.path.append(str(Path(__file__).parents[1] / "tests"))

MICROS = 1_000_000
WORKERS = 8
ACCOUNTS = {"short": 15 * MICROS, "rich": 1_000 * MICROS}
CAMPAIGNS = {
    "a": ("short", 8 * MICROS), "b": ("short", 8 * MICROS), "c": ("short", 50 * MICROS),
    "d": ("rich", 7 * MICROS), "e": ("rich", 50 * MICROS), "f": ("rich", 50 * MICROS),
}  # fmt: skip
ENOUGH = ("e", "f")
"""Campaigns that have money for every chance."""
PAID = ("billed", "repeated")
CHANCES = 15_000
KILLS_PER_S = 6.0
NEVER, TWICE, TOO_LATE = 0.05, 0.2, 0.01
"""Parts of what is sold that are never seen, told twice though once was enough, and told only when it is too late."""
AGAIN_S = 0.4
"""After which a client asks another process, as one whose connection broke."""
MOST_TRIES = 60
MOST_OPEN = 60


@dataclass(frozen=True)
class Chance:
    """A chance to show an ad, and what people do with it; the same in both runs, so that only crashes differ."""

    number: int
    campaign: str
    price: int
    is_seen: bool
    after_s: float
    again_after_s: float | None

    @classmethod
    def drawn(cls, seed: int, number: int) -> "Chance":
        draw = random.Random(f"{seed} {number}")
        campaign, price = draw.choice(list(CAMPAIGNS)), draw.randint(1_000, worker.DEAREST_MICRO)
        is_seen, is_late, is_told_twice = draw.random() >= NEVER, draw.random() < TOO_LATE, draw.random() < TWICE
        after_s = worker.SEEN_WITHIN_S + 3.0 if is_late else draw.expovariate(1 / 0.15)
        return cls(number, campaign, price, is_seen, after_s, draw.uniform(0.0, 1.0) if is_told_twice else None)


@dataclass
class Asked:
    """A chance, or an ad that was seen, until somebody has answered."""

    message: dict[str, object]
    chance: Chance
    tries: int = 0


@dataclass
class Crowd:
    """The processes, and everybody who uses them."""

    url: str
    draw: random.Random
    here: socket.socket
    workers: dict[int, worker.Address] = field(default_factory=dict)
    made: int = 0
    crashes: int = 0
    open: dict[int, Asked] = field(default_factory=dict)
    later: list[tuple[float, int, Asked | None]] = field(default_factory=list)
    number: int = 0
    outcomes: dict[str, int] = field(default_factory=dict)
    became: dict[int, str] = field(default_factory=dict)
    """What became of each chance."""

    def start(self) -> None:
        child, address = worker.start(self.url, self.made, self.here.getsockname(), tuple(CAMPAIGNS))
        self.workers[child] = address
        self.made += 1

    def kill(self) -> None:
        child = self.draw.choice(list(self.workers))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        del self.workers[child]
        self.crashes += 1
        self.start()

    def check(self) -> None:
        """See that nobody has ended by itself."""
        for child in list(self.workers):
            ended, status = os.waitpid(child, os.WNOHANG)
            assert not ended, f"a process ended by itself, with {os.waitstatus_to_exitcode(status)}"

    def ask(self, chance: Chance, message: dict[str, object], after_s: float = 0.0) -> None:
        self.number += 1
        asked = Asked(message | {"id": self.number}, chance)
        heapq.heappush(self.later, (time.monotonic() + after_s, self.number, asked))

    def send_due(self) -> None:
        now = time.monotonic()
        while self.later and self.later[0][0] <= now:
            _, number, first = heapq.heappop(self.later)
            if first is not None:
                self.open[number] = first
            asked = self.open.get(number)
            if asked is None:
                continue
            asked.tries += 1
            if asked.tries > MOST_TRIES:
                del self.open[number]
                self.count(asked.chance, "given up")
                continue
            with contextlib.suppress(ConnectionRefusedError, TimeoutError):
                self.here.sendto(orjson.dumps(asked.message), self.draw.choice(list(self.workers.values())))
            # Whoever is not answered asks somebody else.
            heapq.heappush(self.later, (now + AGAIN_S * self.draw.uniform(0.5, 1.5), number, None))

    def listen(self) -> None:
        until = time.monotonic() + 0.005
        while time.monotonic() < until:
            try:
                answer = orjson.loads(self.here.recv(65_536))
            except (TimeoutError, ConnectionRefusedError):
                # Refused is what was sent to one that was just killed.
                return
            asked = self.open.pop(answer["id"], None)
            if asked is None:
                # The answer to a question that somebody else has answered: an ad that nobody is shown.
                continue
            if answer["what"] == "charged":
                self.count(asked.chance, answer["outcome"])
            elif answer["token"]:
                self.sold(asked.chance, answer["token"])
            else:
                self.count(asked.chance, "no ad")

    def sold(self, chance: Chance, token: str) -> None:
        self.count(chance, "sold")
        for after_s in (chance.after_s, chance.again_after_s):
            if chance.is_seen and after_s is not None:
                self.ask(chance, {"what": "seen", "token": token}, after_s)

    def count(self, chance: Chance, what: str) -> None:
        self.outcomes[what] = self.outcomes.get(what, 0) + 1
        # Charged by a process that was killed before it answered, or by the other of two tellings.
        if what != "repeated" or self.became[chance.number] == "sold":
            self.became[chance.number] = what


def set_up(url: str) -> None:
    with contextlib.closing(open_store(url, MIGRATIONS)) as store, store.writing() as connection:
        for account, limit in ACCOUNTS.items():
            add_node(connection, account_node(account), None, limit)
        for campaign, (account, budget) in CAMPAIGNS.items():
            add_node(connection, campaign_node(campaign), account_node(account), budget)
            row = {"id": campaign, "account": account, "name": campaign, "status": "live", "edition": 1, "wish": {}}
            connection.execute(campaigns.insert().values(row | {"made_at": 0.0, "live_since": 0.0}))


def play(url: str, crashes: int, lasts_s: float, seed: int) -> Crowd:
    """Sell and charge all chances, spread over a time, and kill so many processes meanwhile."""
    draw = random.Random(seed)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as here:
        here.bind(("127.0.0.1", 0))
        here.settimeout(0.002)
        here.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
        crowd = Crowd(url, draw, here)
        for _ in range(WORKERS):
            crowd.start()
        began, given = time.monotonic(), 0
        next_kill = began + draw.expovariate(KILLS_PER_S)
        while given < CHANCES or crowd.crashes < crashes or crowd.later:
            now = time.monotonic()
            # A machine that is slow is asked more slowly, as by people who wait for an answer.
            while given < CHANCES and given < CHANCES * (now - began) / lasts_s and len(crowd.open) < MOST_OPEN:
                chance = Chance.drawn(seed, given)
                crowd.ask(chance, {"what": "chance", "campaign": chance.campaign, "price": chance.price})
                given += 1
            if crowd.crashes < crashes and now >= next_kill:
                crowd.kill()
                next_kill = now + draw.expovariate(KILLS_PER_S)
            crowd.send_due()
            crowd.listen()
            if given % 500 == 0:
                crowd.check()
        for child in crowd.workers:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
    return crowd


def reconcile(url: str) -> dict[str, float]:
    """Have one process see to the dead, as the next one that lives does; then add everything up."""
    with contextlib.closing(open_store(url, MIGRATIONS)) as store:
        cashier = Cashier(
            dead_after_s=worker.DEAD_AFTER_S, settle_s=worker.SETTLE_S, most_bid_micro=worker.DEAREST_MICRO
        )
        until = time.monotonic() + worker.DEAD_AFTER_S + worker.SETTLE_S + 2.0
        while time.monotonic() < until:
            with store.writing() as connection:
                cashier.apply(cashier.turn(connection, []))
            time.sleep(0.1)
        with store.reading() as connection:
            wrong = books.check(connection)
            assert not wrong, wrong
            rows = connection.execute(
                sa.select(charges.c.campaign, sa.func.sum(charges.c.price_micro))
                .where(charges.c.state == BILLED)
                .group_by(charges.c.campaign)
            )
            billed = {campaign: int(micro) for campaign, micro in rows}
            house = sa.select(charges.c.why, sa.func.count()).where(charges.c.state == HOUSE).group_by(charges.c.why)
            for why, count in connection.execute(house):
                print(f"  nobody pays for {count:,}: {why}")
            leased = sa.select(sa.func.sum(budgets.c.leased_micro)).where(budgets.c.parent.is_not(None))
            stranded = int(connection.execute(leased).scalar() or 0)
    print("  billed", {campaign: round(micro / MICROS, 3) for campaign, micro in sorted(billed.items())})
    of_account = {account: 0 for account in ACCOUNTS}
    for campaign, micro in billed.items():
        of_account[CAMPAIGNS[campaign][0]] += micro
    over = sum(max(0, micro - CAMPAIGNS[campaign][1]) for campaign, micro in billed.items())
    over += sum(max(0, micro - ACCOUNTS[account]) for account, micro in of_account.items())
    total = sum(budget for _, budget in CAMPAIGNS.values())
    return {"billed": sum(billed.values()), "overspend": over, "stranded_share": stranded / total}


@contextlib.contextmanager
def database(kind: str) -> Iterator[str]:
    """A new database."""
    with tempfile.TemporaryDirectory() as folder:
        if kind == "sqlite":
            yield store_url(StoreSettings(), Path(folder), "ads")
            return
        from postgres import Server

        server = Server()
        try:
            yield store_url(StoreSettings(url=server.url), Path(folder), "ads")
        finally:
            server.close()


def measure(kind: str, crashes: int, lasts_s: float, seed: int) -> dict[str, float]:
    figures: dict[str, dict] = {}
    for name, kills in (("uncrashed", 0), ("crashed", crashes)):
        with database(kind) as url:
            set_up(url)
            began = time.monotonic()
            crowd = play(url, kills, lasts_s, seed)
            figures[name] = {"became": crowd.became}
            found = reconcile(url)
        counts = ", ".join(f"{what} {count:,}" for what, count in sorted(crowd.outcomes.items()))
        print(
            f"{kind}, {name}: {crowd.crashes} crashes in {time.monotonic() - began:.0f} s; {counts}; billed "
            f"{found['billed'] / MICROS:.4f} USD, {found['overspend']} micro-dollars too much, "
            f"{found['stranded_share']:.4%} of all budgets stranded",
            flush=True,
        )
        figures[name] |= found | {"crashes": crowd.crashes}
    print(f"  {_lost(seed, figures['uncrashed']['became'], figures['crashed']['became'])}")
    return figures["crashed"] | {"share": figures["crashed"]["billed"] / figures["uncrashed"]["billed"]}


def _lost(seed: int, uncrashed: dict[int, str], crashed: dict[int, str]) -> str:
    """What crashes made of chances of campaigns that have money for all: dollars by what became of them."""
    found: dict[str, int] = {}
    total = 0
    for number, before in uncrashed.items():
        chance, what = Chance.drawn(seed, number), crashed.get(number, "never answered")
        if chance.campaign not in ENOUGH or before not in PAID:
            continue
        total += chance.price
        if what not in PAID:
            found[what] = found.get(what, 0) + chance.price
    told = ", ".join(f"{what} {micro / MICROS:.3f}" for what, micro in sorted(found.items())) or "nothing"
    return f"of {total / MICROS:.3f} USD that {' and '.join(ENOUGH)} were billed without crashes, not with them: {told}"


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--crashes", type=int, default=1_000, help="in all")
    options.add_argument("--databases", default="sqlite,postgresql")
    options.add_argument("--seed", type=int, default=1)
    given = options.parse_args()
    kinds = given.databases.split(",")
    each = -(-given.crashes // len(kinds))
    lasts_s = max(10.0, each / KILLS_PER_S)
    found = [measure(kind, each, lasts_s, given.seed) for kind in kinds]
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    print(
        json.dumps(
            {
                "crashes": int(sum(each["crashes"] for each in found)),
                "overspend": int(sum(each["overspend"] for each in found)),
                "stranded_share": max(each["stranded_share"] for each in found),
                "billed_share_of_uncrashed": min(each["share"] for each in found),
            }
        )
    )


if __name__ == "__main__":
    main()
