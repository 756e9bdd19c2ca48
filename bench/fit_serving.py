"""Find the constants of ``compute/roofline.py`` on the measurements of ``serving_runs.csv``.

Least squares on logs, odd rows counting less, each constant held by a prior around a published or plausible value; rows
of a source, and of one model on one accelerator, share their weight. Nothing here reads what is held out.

    python bench/fit_serving.py                the constants, and what is left of each source
    python bench/fit_serving.py --leave-out    the same for each source left out of the choice: what a stranger's
                                               table would see (minutes)
"""

import argparse
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import fields, replace

import numpy as np
from scipy.optimize import least_squares

from tenfold.compute.measured import ServingRow, serving_runs
from tenfold.compute.roofline import Constants

# Where each constant is expected, and by what share it may be off; published for kernels: DeepGEMM 0.6 of the peak,
# FlashMLA 0.6 of the peak and 0.9 of the bandwidth.
EXPECTED = Constants(
    matmul_dense_16=0.6,
    matmul_dense_8=0.55,
    matmul_dense_4=0.5,
    matmul_mixture_16=0.45,
    matmul_mixture_8=0.4,
    matmul_mixture_4=0.3,
    memory=0.8,
    attention=0.5,
    latent_decode=1.0,
    links=0.6,
    activations=8.0,
    activations_per_expert=4.0,
    launch_s_per_layer=8e-6,
    sync_s_per_layer=20e-6,
    step_s=1e-3,
    sequence_s=1e-6,
    request_s=0.5e-3,
    other_makers=0.6,
)
KNOWN_WELL, KNOWN_BADLY = 0.6, 1.4
WELL = ("matmul", "memory", "attention", "links")
ODD = 0.25


def names() -> list[str]:
    return [field.name for field in fields(Constants)]


def constants(logs: np.ndarray) -> Constants:
    """Constants by how far their logs are from what is expected."""
    found = {name: getattr(EXPECTED, name) * math.exp(log) for name, log in zip(names(), logs.tolist(), strict=True)}
    return replace(EXPECTED, **found)


def weights(rows: Sequence[ServingRow]) -> np.ndarray:
    """A source with many rows says more than one with few, but not in proportion."""
    settings = Counter((row.source, row.model, row.precision, row.accelerator) for row in rows)
    sources = Counter(row.source for row in rows)
    each = [
        settings[row.source, row.model, row.precision, row.accelerator] ** -0.25 * sources[row.source] ** -0.25
        for row in rows
    ]
    return 2.5 * np.array(each)


def fit(rows: Sequence[ServingRow]) -> Constants:
    """The constants that meet the rows."""
    measured, weight = np.log([row.tokens_per_s for row in rows]), weights(rows)
    spread = np.array([KNOWN_WELL if name.startswith(WELL) else KNOWN_BADLY for name in names()])

    def left(logs: np.ndarray) -> np.ndarray:
        chosen = constants(logs)
        off = np.log([row.estimate(chosen) for row in rows]) - measured
        rather = np.sqrt(2 * (np.sqrt(1 + (off / ODD) ** 2) - 1)) * np.sign(off)
        return np.concatenate([rather * weight, logs / spread])

    return constants(least_squares(left, np.zeros(len(names())), max_nfev=12).x)


def remaining(rows: Sequence[ServingRow], chosen: Constants) -> np.ndarray:
    """Log of measured over estimated."""
    return np.array([math.log(row.tokens_per_s / row.estimate(chosen)) for row in rows])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--leave-out", action="store_true", help="leave each source out in turn")
    rows = serving_runs()
    sources = sorted({row.source for row in rows})
    if parser.parse_args().leave_out:
        offs = []
        for source in sources:
            own = [row for row in rows if row.source == source]
            off = remaining(own, fit([row for row in rows if row.source != source]))
            offs.append([(row.kind().split()[0], abs(value)) for row, value in zip(own, off.tolist(), strict=True)])
            print(f"without {source:32} {len(own):4} rows, log of measured over estimated {off.mean():+.2f}")
        for kind in ("dense", "mixture"):
            inside = [value for rest in offs for name, value in rest if name == kind]
            print(f"{kind}: 80% of {len(inside)} rows within {np.quantile(inside, 0.8):.2f}")
        return
    chosen = fit(rows)
    for name in names():
        print(f"{name:24} {getattr(chosen, name):.3g}")
    for source in sources:
        off = remaining([row for row in rows if row.source == source], chosen)
        print(f"{source:32} {len(off):4} rows, off {off.mean():+.2f}, spread {off.std():.2f}")


if __name__ == "__main__":
    main()
