"""How ``tenfold rank`` prints: a table for people, JSON for machines."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from rich.table import Table

from tenfold.core.show import grid, machine, out
from tenfold.rank.artifact import Evaluation, Meta
from tenfold.rank.contract import RankResponse

if TYPE_CHECKING:
    # It imports torch, which showing does not need.
    from tenfold.rank.recommender import Recommended


def quality(meta: Meta, json: bool) -> None:
    """Print the ranking model's quality on the events that it was not trained on."""
    if json:
        machine(meta)
        return
    if meta.evaluation is not None:
        out.print(_table(meta.evaluation))


def fitted(meta: Meta, folder: Path, json: bool) -> None:
    """Print what was learned, and how it went."""
    if json:
        machine(meta)
        return
    table = grid("epoch", "loss", "NDCG@10 on validation", words=0)
    for number, epoch in enumerate(meta.epochs, 1):
        kept = " kept" if number == meta.best_epoch else ""
        validation = "" if epoch.validation is None else f"{epoch.validation:.4f}{kept}"
        table.add_row(str(number), f"{epoch.loss:.3f}", validation)
    out.print(table)
    data = meta.data
    out.print(
        f"{data.events} events of {data.people} people with {data.items} items on {len(meta.surfaces)} surfaces, "
        f"{meta.train_cpu_s:.0f} CPU-seconds; the model is in {folder}",
        markup=False,
    )


def evaluation(found: Evaluation, json: bool) -> None:
    """Print how good a model is beside simple systems."""
    if json:
        machine(found)
        return
    out.print(_table(found))
    out.print(found.protocol, markup=False)


def recommended(items: "Sequence[Recommended]", json: bool) -> None:
    """Print what was recommended."""
    if json:
        machine([asdict(item) for item in items])
        return
    table = grid("#", "item", "title", "score")
    for place, item in enumerate(items, 1):
        table.add_row(str(place), str(item.item), item.title, f"{item.score:.3f}")
    out.print(table)


def _table(found: Evaluation) -> Table:
    table = grid("system", "users", "queries", "R@10", "NDCG@10", "95% interval")
    for row in found.table:
        interval = f"{row.ndcg_low:.3f} to {row.ndcg_high:.3f}"
        table.add_row(
            row.system, row.users_kind, str(row.queries), f"{row.recall_at_10:.3f}", f"{row.ndcg_at_10:.3f}", interval
        )
    return table


def ranked(found: RankResponse, json: bool) -> None:
    """Print a ranked list."""
    if json:
        machine(found)
        return
    table = grid("#", "item", "title", "genres", "score")
    for place, item in enumerate(found.items, 1):
        table.add_row(str(place), str(item.item), item.title, ", ".join(item.genres), f"{item.score:.3f}")
    out.print(table)
