"""How ``tenfold rank`` prints: a table for people, JSON for machines."""

from tenfold.core.show import grid, machine, out
from tenfold.rank.artifact import Meta
from tenfold.rank.contract import RankResponse


def quality(meta: Meta, json: bool) -> None:
    """Print the ranking model's quality on the events that it was not trained on."""
    if json:
        machine(meta)
        return
    table = grid("system", "users", "queries", "R@10", "NDCG@10", "95% interval")
    for row in meta.evaluation.table:
        interval = f"{row.ndcg_low:.3f} to {row.ndcg_high:.3f}"
        table.add_row(
            row.system, row.users_kind, str(row.queries), f"{row.recall_at_10:.3f}", f"{row.ndcg_at_10:.3f}", interval
        )
    out.print(table)


def ranked(found: RankResponse, json: bool) -> None:
    """Print a ranked list."""
    if json:
        machine(found)
        return
    table = grid("#", "item", "title", "genres", "score")
    for place, item in enumerate(found.items, 1):
        table.add_row(str(place), str(item.item), item.title, ", ".join(item.genres), f"{item.score:.3f}")
    out.print(table)
