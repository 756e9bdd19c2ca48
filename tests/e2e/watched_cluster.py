"""A small Ray cluster that somebody else uses: a service and a training job on four accelerators (counted, not real).

Ends when its standard input does. Arguments: port of the dashboard, port of Serve.
"""

import sys

import ray
from ray import serve
from ray.util.placement_group import placement_group
from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy

LOOPBACK = "127.0.0.1"


@serve.deployment(ray_actor_options={"num_cpus": 0, "num_gpus": 1})
class Echo:
    async def __call__(self, request) -> str:
        return "here"


@ray.remote(num_gpus=1, num_cpus=0)
class Trainer:
    def ready(self) -> bool:
        return True


def main(dashboard_port: int, serve_port: int) -> None:
    # Ray swaps a loopback address for the machine's own and would listen to the whole network.
    ray._private.services.resolve_ip_for_localhost = lambda host: host
    ray.init(
        num_cpus=4,
        num_gpus=4,
        dashboard_host=LOOPBACK,
        dashboard_port=dashboard_port,
        include_dashboard=True,
        object_store_memory=80 << 20,
        namespace="team",
        log_to_driver=False,
        _node_ip_address=LOOPBACK,
        _system_config={"metrics_report_interval_ms": 500},
    )
    serve.start(http_options={"host": LOOPBACK, "port": serve_port})
    serve.run(Echo.bind(), name="shop", route_prefix="/")
    group = placement_group([{"GPU": 1}], name="pretrain-group")
    inside = Trainer.options(scheduling_strategy=PlacementGroupSchedulingStrategy(group)).remote()
    trainers = [Trainer.remote(), Trainer.remote(), inside]
    ray.get([trainer.ready.remote() for trainer in trainers])
    print("ready", flush=True)
    sys.stdin.read()
    ray.shutdown()


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
