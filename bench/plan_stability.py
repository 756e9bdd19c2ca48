"""How much a plan depends on which futures its tree holds, by size of the tree.

In sample: what a tree's plan costs on the tree itself, over several seeds. Out of sample: what it costs to commit now
to what the tree's plan says, and to plan anew every period from then on, along the same futures for all trees. A tree
is large enough when neither depends much on the seed.

    python bench/plan_stability.py [--sizes 10,40,120] [--seeds 3] [--futures 300]

The default takes a minute of one core. The last line is one JSON object.
"""

import argparse
import json
import time

import numpy as np
from rich.console import Console
from rich.table import Table

from synthetic_study import synthetic_study
from tenfold.plan.simulate import simulate
from tenfold.plan.solve import Effort

talk = Console(stderr=True, width=150)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", default="10,40,120", help="nodes of the trees")
    parser.add_argument("--seeds", type=int, default=3, help="trees of each size")
    parser.add_argument("--futures", type=int, default=300)
    parser.add_argument("--periods", type=int, default=6)
    args = parser.parse_args()
    study = synthetic_study(1, periods=args.periods, sites=2)
    table = Table("nodes", "in sample, $M: mean", "spread", "out of sample, $M: mean", "spread")
    rows = []
    for size in map(int, args.sizes.split(",")):
        inside, outside = [], []
        for seed in range(args.seeds):
            settings = study.tree.model_copy(update={"nodes": size, "seed": seed})
            found = simulate(
                study.model_copy(update={"tree": settings}), args.futures, 3003, Effort(gap=0.003, seconds=20.0)
            )
            inside.append(found.plan_cost_usd.mean)
            outside.append(found.replanned.cost_usd.mean)
        rows.append({"nodes": size, "in_sample_usd": inside, "out_of_sample_usd": outside})
        shown = [f"{np.mean(usd) / 1e6:,.0f}" for usd in (inside, outside)]
        spread = [f"{np.ptp(usd) / np.mean(usd):.1%}" for usd in (inside, outside)]
        table.add_row(str(size), shown[0], spread[0], shown[1], spread[1])
    talk.print(table)
    talk.print("spread is (largest - smallest) / mean")
    print(json.dumps({"futures": args.futures, "cpu_s": round(time.process_time()), "trees": rows}))


if __name__ == "__main__":
    main()
