"""How much a plan depends on which futures its tree holds, by size of the tree.

In sample: what a tree's plan costs on the tree itself, over several seeds. Out of sample: what it costs to commit now
to what the tree's plan says, and to follow one and the same policy (cuts, trained on other paths) from then on, along
the same held-out paths for all trees. A tree is large enough when neither depends much on the seed, and both agree.

    python bench/plan_stability.py [--sizes 20,60,180] [--seeds 4] [--paths 400]

The default takes a minute of one core. The last line is one JSON object.
"""

import argparse
import json

import numpy as np
from rich.console import Console
from rich.table import Table

from tenfold.plan.demand import DemandProcess
from tenfold.plan.extensive import extensive
from tenfold.plan.lattice import Lattice
from tenfold.plan.model import template
from tenfold.plan.sddp import Cuts
from tenfold.plan.simulate import StartsWith, simulate
from tenfold.plan.solve import Effort, solve
from tenfold.plan.synthetic import synthetic_study
from tenfold.plan.tree import grow

talk = Console(stderr=True, width=150)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", default="20,60,180", help="nodes of the trees")
    parser.add_argument("--seeds", type=int, default=4, help="trees of each size")
    parser.add_argument("--paths", type=int, default=400, help="held-out paths")
    parser.add_argument("--periods", type=int, default=6)
    parser.add_argument("--iterations", type=int, default=150, help="of SDDP")
    args = parser.parse_args()
    study = synthetic_study(1, periods=args.periods, sites=2)
    process = DemandProcess.fit(study)
    training = process.simulate(4000, np.random.default_rng(1001))
    held_out = process.simulate(args.paths, np.random.default_rng(3003))
    node = template(study, training.max(axis=(0, 1)))
    cuts = Cuts(node, Lattice.of_paths(training, 8))
    cuts.train(args.iterations, training)
    own = simulate(node, cuts, held_out).mean_usd
    table = Table("nodes", "in sample, $M: mean", "spread", "out of sample, $M: mean", "spread")
    rows = []
    for size in map(int, args.sizes.split(",")):
        inside, outside = [], []
        for seed in range(args.seeds):
            settings = study.tree.model_copy(update={"nodes": size, "seed": seed})
            tree = grow(study.model_copy(update={"tree": settings}))
            program = extensive(node, tree)
            solution = solve(program, node, tree, Effort(gap=0.003, seconds=20.0))
            inside.append(solution.cost * node.columns.money_unit_usd)
            start = StartsWith(node, solution.value_C[program.column_nV[0]], cuts)
            outside.append(simulate(node, start, held_out).mean_usd)
        rows.append({"nodes": size, "in_sample_usd": inside, "out_of_sample_usd": outside})
        shown = [f"{np.mean(usd) / 1e6:,.0f}" for usd in (inside, outside)]
        spread = [f"{np.ptp(usd) / np.mean(usd):.1%}" for usd in (inside, outside)]
        table.add_row(str(size), shown[0], spread[0], shown[1], spread[1])
    talk.print(table)
    talk.print(f"the policy's own start: {own / 1e6:,.0f} $M out of sample; spread is (largest - smallest) / mean")
    print(json.dumps({"own_start_usd": own, "paths": args.paths, "trees": rows}))


if __name__ == "__main__":
    main()
