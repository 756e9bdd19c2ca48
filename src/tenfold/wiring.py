"""Which workloads and products there are: the only place that names them all.

To take one out, delete its package and its line.
"""

from pathlib import Path
from typing import Any

from tenfold.ads.product import ADS
from tenfold.agents.product import AGENTS
from tenfold.assistant.product import ASSISTANT
from tenfold.core.config import CONFIG_FILE, Config, config_type, read_config
from tenfold.core.errors import ConfigError
from tenfold.feed.product import FEED
from tenfold.llama.workload import TRAIN, priced_by_plan
from tenfold.pool.model_plan import ModelPlan
from tenfold.pool.traffic import GatewayRoute
from tenfold.pool.workload import Workload
from tenfold.product.product import Product
from tenfold.rank.workload import RANK, RANK_TRAIN
from tenfold.serve.workload import SERVE

WORKLOADS: tuple[Workload[Any], ...] = (RANK, SERVE, TRAIN, RANK_TRAIN)
"""Floors are met in this order when there are fewer slots than floors."""

PRODUCTS: tuple[Product, ...] = (FEED, ADS, AGENTS, ASSISTANT)

CONFIG = config_type({each.name: each.settings for each in (*WORKLOADS, *PRODUCTS)})
"""All of ``tenfold.toml``: the pool's table, and one for each workload and product."""


def load_config(path: Path | None) -> Config:
    """Read ``path``, or ``tenfold.toml`` of this folder, or the defaults when there is none.

    Raises:
        ConfigError: the file is missing, is not TOML, or has an unknown key or bad value, or names a plan without a
            price of training, or a model that the pool does not have; names file and key.
    """
    config = read_config(path, CONFIG)
    _check_models(config, path or Path(CONFIG_FILE))
    train = priced_by_plan(TRAIN.table(config), path or Path(CONFIG_FILE))
    return config.model_copy(update={TRAIN.name: train})


def _check_models(config: Config, path: Path) -> None:
    """See that the pool has each model that a product asks for by its name."""
    plan = model_plan(config)
    for product in PRODUCTS:
        name = product.asks_for(config.table(product.name, product.settings)) if product.asks_for else ""
        if name and name not in plan.models:
            raise ConfigError(
                f"{path}: {product.name}.writer_model is {name!r}, which is no model of this pool; "
                f"it has {', '.join(plan.models)}",
                next_step=f"give the model a line in [serve.models], as '{name} = {{ adapter = \"FOLDER\" }}' of "
                "'tenfold llama tune', or take the key out",
            )


def running(config: Config) -> tuple[Workload[Any], ...]:
    """The workloads that a pool runs: those that have a kind of slot to run on."""
    return tuple(workload for workload in WORKLOADS if workload.runs(config))


def gateway_routes(config: Config) -> dict[str, GatewayRoute]:
    """The paths of all workloads."""
    return {route.path: route for workload in running(config) for route in workload.routes(config)}


def model_plan(config: Config) -> ModelPlan:
    """What can be asked by the name of a model."""
    workload = model_workload()
    assert workload.models is not None
    return workload.models(workload.table(config))


def model_workload() -> Workload[Any]:
    """The workload that serves models."""
    return next(each for each in WORKLOADS if each.models is not None)
