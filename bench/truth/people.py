"""People of the world and the pages that they look at, as ads are told of them; and what only the world knows.

Their tastes and interests are the world's (``tenfold.world``), embeddings are those of the shipped ranker by the very
requests that ads make of a pool. Letters: P people, K pages of each, W width of embeddings, V variants, C campaigns.
"""

import asyncio
import functools
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import orjson
from numpy.typing import NDArray

from ads_copy import Shop, shops
from tenfold.ads.campaign import Objective
from tenfold.ads.variants import written
from tenfold.ads.vectors import Vectors
from tenfold.core.minilm import load_minilm
from tenfold.rank.artifact import artifact_folder
from tenfold.rank.contract import RankRequest
from tenfold.rank.dataset import load_movielens
from tenfold.rank.desk import RankDesk
from tenfold.rank.snapshot import load_snapshot
from tenfold.world.audience import Audience, Temper, audience_of
from tenfold.world.people import draw_crowd

Singles = NDArray[np.float32]

PAGES, CARDS = 6, 10
VARIANTS = 3
LEARNED_FROM = ("sim", "pine", "fennel", "hollow", "lingua")
"""Shops whose campaigns are live; nothing is fitted on the others."""
NOW = datetime(2026, 11, 29, tzinfo=UTC)


@dataclass(frozen=True)
class Advertiser:
    """Who advertises one thing: ``account`` is the world's name for them, ``texts`` what each variant says."""

    account: str
    headline: str
    texts: tuple[str, ...]
    is_held_out: bool


@dataclass(frozen=True)
class People:
    """Pages as ads see them (``page_PKW``), and how often each person looks at one, 0 to 1 in all."""

    audience: Audience
    page_PKW: Singles
    share_P: NDArray[np.float64]
    is_program_P: NDArray[np.bool_]
    vectors: Vectors

    def __len__(self) -> int:
        return len(self.page_PKW)

    def click_PV(self, of: Advertiser) -> Singles:
        """True chance that each person clicks each variant, once seen."""
        texts = enumerate(of.texts)
        chances = [self.audience.chance_P(of.account, text, f"{of.account}/{at}") for at, text in texts]
        return np.stack(chances, axis=1).astype(np.float32)

    def buy_P(self, of: Advertiser) -> Singles:
        """True chance that each person buys after a click."""
        return self.audience.buys_P(of.account).astype(np.float32)


class InProcess:
    """Answers as the pool's ranking does, by the same code."""

    def __init__(self, cache: Path) -> None:
        @functools.cache
        def embed():  # noqa: ANN202
            return load_minilm(cache).embed

        snapshot = load_snapshot(artifact_folder(cache))
        self._desk = RankDesk(snapshot, "1", load_movielens(cache), {}, embed, threads=1, state_bytes=0)

    async def rank(self, body: dict[str, object], *, deadline_s: float) -> object:
        return orjson.loads(self._desk.rank(RankRequest.model_validate_json(orjson.dumps(body))))


def draw_people(cache: Path, count: int, seed: int, temper: Temper) -> People:
    """Draw people, what they are shown, and have ads ask ranking for where the films of it are."""
    crowd = draw_crowd(cache, count, seed)
    rng = np.random.default_rng([seed, 5])
    vectors = Vectors(InProcess(cache))  # type: ignore[arg-type]
    row_PKC = np.empty((count, PAGES, CARDS), dtype=np.int64)
    for page in range(PAGES):
        # A page is chosen by a ranking that knows people well but not fully.
        score_PI = np.log(crowd.tastes.like_PI) + 2.0 * rng.gumbel(size=crowd.tastes.like_PI.shape).astype(np.float32)
        row_PKC[:, page] = np.argpartition(-score_PI, CARDS, axis=1)[:, :CARDS]

    def pages() -> Singles:
        found = [
            vectors.person(
                [crowd.items[row] for row in rows],
                dict.fromkeys(genre for row in rows for genre in crowd.genres[row]),
                by_rank=True,
            )
            for rows in row_PKC.reshape(-1, CARDS).tolist()
        ]
        return np.array(found).reshape(count, PAGES, -1)

    pages()
    while asyncio.run(vectors.fetch({})):
        pass
    minilm = load_minilm(cache)

    @functools.cache
    def of_text(text: str) -> Singles:
        return minilm.embed([text])[0]

    share_P = rng.lognormal(0.0, 0.7, count)
    return People(
        audience_of(crowd.tastes, crowd.genres, lambda texts: np.stack([of_text(text) for text in texts]), temper),
        pages(),
        share_P / share_P.sum(),
        rng.random(count) < temper.cheats,
        vectors,
    )


def draw_advertisers(live: int, held_out: int, seed: int) -> list[Advertiser]:
    """Advertisers of things that real catalogs have, in words that the gate let through; the live ones first."""
    rng = np.random.default_rng([seed, 6])
    known = [shop for shop in shops([]) if shop.sheet.subjects]
    found: list[Advertiser] = []
    for is_held_out, count in ((False, live), (True, held_out)):
        mine = [shop for shop in known if (shop.name not in LEARNED_FROM) == is_held_out]
        subjects = [(shop, at) for shop in mine for at in range(len(shop.sheet.subjects))]
        for number in range(count):
            shop, at = subjects[int(rng.integers(len(subjects)))]
            found.append(_advertiser(shop, at, f"{shop.name}-{number}", is_held_out))
    return found


def _advertiser(shop: Shop, at: int, account: str, is_held_out: bool) -> Advertiser:
    subject = shop.sheet.subjects[at]
    kept, _ = written([], shop.sheet, subject, Objective.SALES, NOW, VARIANTS)
    texts = [f"{each.headline} {each.body}" for each in kept]
    # A shop with few facts has few variants: then one is there twice, made better or worse.
    return Advertiser(account, subject.name, tuple((texts * VARIANTS)[:VARIANTS]), is_held_out)
