"""How long Ray Train's elastic resize takes, for the model of ``elastic.py``: 1 worker, then room for 3.

    python bench/elastic_ray.py TEXT FOLDER

A cluster of one core starts; once training has a checkpoint, a node of two more joins. The resize runs from then until
all three workers have loaded the checkpoint and begin their first microbatch. Ray may look for room every second (60
by default), and a checkpoint is written to memory after each second step. The last line is the seconds.
"""

import os
import sys
import tempfile
import threading
import time
from pathlib import Path

WAIT_S = 150.0


def train(config: dict) -> None:
    """What each of Ray's workers runs: our model and optimiser, gradients averaged by gloo, Ray's checkpoints."""
    import numpy as np
    import ray.train
    import torch
    import torch.distributed as dist

    from elastic_processes import recipe_of
    from tenfold.llama.checkpoint import StateVectors
    from tenfold.llama.vectors import gradient_norm, initial_parameters, layout_of, update
    from tenfold.llama.worker import GradientComputer

    torch.set_num_threads(1)
    recipe = recipe_of("float32")
    rank, world = ray.train.get_context().get_world_rank(), ray.train.get_context().get_world_size()
    computer, layout = GradientComputer(recipe, Path(config["text"])), layout_of(recipe.model)
    checkpoint = ray.train.get_checkpoint()
    if checkpoint is None:
        zeros_P = np.zeros(layout.size, np.float32)
        step, state = 0, StateVectors(initial_parameters(recipe, layout), zeros_P, zeros_P.copy())
    else:
        with checkpoint.as_directory() as folder:
            step = int((Path(folder) / "step").read_text())
            state = StateVectors(*np.load(Path(folder) / "state.npy"))
    say(config["events"], "begins", rank, world)
    while True:
        np.copyto(computer.parameters_P, state.parameters_P)
        total_P = np.zeros(layout.size, np.float32)
        for microbatch in range(rank, recipe.microbatches, world):
            computer.compute(step, microbatch)
            total_P += computer.gradients_P
        if dist.is_initialized():
            dist.all_reduce(torch.from_numpy(total_P))
        total_P /= recipe.microbatches
        update(recipe, layout, state, total_P, gradient_norm(layout, total_P), step)
        step += 1
        if step % 2:
            continue
        with tempfile.TemporaryDirectory(dir=config["memory"]) as folder:
            if rank == 0:
                np.save(Path(folder) / "state.npy", [state.parameters_P, state.exp_avg_P, state.exp_avg_sq_P])
                (Path(folder) / "step").write_text(str(step))
            kept = ray.train.Checkpoint.from_directory(folder) if rank == 0 else None
            ray.train.report({"step": step}, checkpoint=kept)
        say(config["events"], "checkpoint", rank, world)
        if world == 3:
            return


def say(events: str, what: str, rank: int, world: int) -> None:
    """Add a line of what happened when."""
    with Path(events).open("a") as file:
        file.write(f"{what} {rank} {world} {time.monotonic()}\n")


def wait_for(events: Path, what: str, world: int, ranks: int) -> float:
    """When the last of so many ranks of a group said so; ends the process with the cause where they do not."""
    deadline = time.monotonic() + WAIT_S
    while time.monotonic() < deadline:
        lines = [line.split() for line in events.read_text().splitlines()]
        found = {rank: float(at) for said, rank, group, at in lines if (said, int(group)) == (what, world)}
        if len(found) == ranks:
            return max(found.values())
        time.sleep(0.05)
    print(f"waited {WAIT_S:.0f} s in vain for {ranks} of {world} workers to say {what!r}", file=sys.stderr, flush=True)
    os._exit(1)


def main() -> None:
    text, folder = sys.argv[1:]
    os.environ["PYTHONPATH"] = os.pathsep.join([str(Path(__file__).parent), *filter(None, sys.path)])
    os.environ["RAY_TRAIN_V2_ENABLED"] = "1"
    import ray
    from ray.cluster_utils import Cluster
    from ray.train import RunConfig, ScalingConfig
    from ray.train.torch import TorchTrainer

    events = Path(folder) / "events"
    events.touch()
    store = 80 << 20
    cluster = Cluster(
        initialize_head=True,
        head_node_args={"num_cpus": 1, "object_store_memory": store, "include_dashboard": False},
    )
    ray.init(address=cluster.address, log_to_driver=False)
    trainer = TorchTrainer(
        train,
        train_loop_config={"text": text, "events": str(events), "memory": folder},
        # pyrefly: ignore[unexpected-keyword]  # Ray Train 2's own, which its package puts in the place of the old one
        scaling_config=ScalingConfig(num_workers=(1, 3), elastic_resize_monitor_interval_s=1.0),
        run_config=RunConfig(storage_path=folder, name="run"),
    )
    threading.Thread(target=trainer.fit, daemon=True).start()
    wait_for(events, "checkpoint", 1, 1)
    cluster.add_node(num_cpus=2, object_store_memory=store)
    joined = time.monotonic()
    seconds = wait_for(events, "begins", 3, 3) - joined
    ray.shutdown()
    cluster.shutdown()
    print(seconds, flush=True)
    # Its threads would wait for a cluster that is gone.
    os._exit(0)


if __name__ == "__main__":
    main()
