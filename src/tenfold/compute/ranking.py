"""What ranking takes: accelerators by FLOPs, embedding memory and lookups, and host CPU and storage beside them.

Accelerators are the largest of three needs, because each alone would be enough reason to have them. Host CPU (features,
networking) and storage (tables, events) are separate resources, often the scarce ones: training kit lacks them.
"""

from dataclasses import dataclass

from tenfold.compute.accelerators import Accelerator, Precision
from tenfold.compute.facilities import Bill, Facility, bill
from tenfold.compute.inference import HEADROOM
from tenfold.compute.interval import Interval
from tenfold.compute.parallel import USABLE_MEMORY
from tenfold.core.errors import UsageError

# Share of the peak that ranking models reach: Kunlun, 17% before and 37% after its redesign on B200 (project notes).
MATMUL_SHARE = Interval(0.12, 0.2, 0.37)
# Rows of a table lie apart: each lookup moves whole 64-byte sectors, at less than the streaming rate. Rule of thumb.
LOOKUP_SHARE = Interval(0.15, 0.25, 0.4)
SECTOR_BYTES = 64
# One host core prepares about 4,000 candidates a second (features joined and hashed). Rule of thumb.
CANDIDATES_PER_CORE_S = Interval(1500, 4000, 10000)
# Embedding tables are kept on storage twice (serving copy and the one being published), and as training checkpoints.
STORAGE_COPIES = Interval(2, 3, 5)


@dataclass(frozen=True, slots=True)
class RankingLoad:
    """What is ranked.

    Args:
        requests_per_s: ranking requests, at the peak.
        candidates: examples scored per request.
        flops_per_example: forward FLOPs of one example (Wukong: 1e9 to 1e11).
        embedding_bytes: all tables together.
        lookups_per_example: rows read per example.
        row_bytes: bytes of one row.
        user_share: share of FLOPs and lookups that belongs to the user and is done once per request.
    """

    requests_per_s: float
    candidates: float
    flops_per_example: float
    embedding_bytes: float
    lookups_per_example: float = 200
    row_bytes: float = 256
    user_share: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.user_share < 1:
            raise UsageError(
                f"user share {self.user_share!r} is not a share of the work",
                next_step="give 0 or more, and less than 1",
            )

    @property
    def examples_per_s(self) -> float:
        """Whole examples' worth of work per second, the user's part counted once per request."""
        return self.requests_per_s * (self.candidates * (1 - self.user_share) + self.user_share)


@dataclass(frozen=True, slots=True)
class RankingEstimate:
    """Accelerators by need, the largest of them, and the other resources."""

    by_flops: Interval
    by_memory: Interval
    by_lookups: Interval
    accelerators: Interval
    bound: str
    host_cores: Interval
    storage_tb: Interval
    bill_per_day: Bill


def estimate_ranking(
    load: RankingLoad, accelerator: Accelerator, facility: Facility, *, precision: Precision
) -> RankingEstimate:
    """Estimate the fleet for a ranking load.

    Args:
        load: what is ranked.
        accelerator: kind used.
        facility: where.
        precision: of matrix products.
    """
    peak = accelerator.peak_flops(precision)
    ready = HEADROOM.inverse()
    by_flops = MATMUL_SHARE.inverse().times(ready).scaled(load.examples_per_s * load.flops_per_example / peak)
    # One copy of the tables, sharded; more copies follow from the other two needs, never fewer.
    by_memory = Interval.exact(load.embedding_bytes / (accelerator.memory_bytes * USABLE_MEMORY))
    sectors = -(-load.row_bytes // SECTOR_BYTES) * SECTOR_BYTES
    lookup_bytes_per_s = load.examples_per_s * load.lookups_per_example * sectors
    by_lookups = LOOKUP_SHARE.inverse().times(ready).scaled(lookup_bytes_per_s / accelerator.memory_bytes_per_s)
    needs = {"compute": by_flops, "embedding memory": by_memory, "lookups": by_lookups}
    accelerators = Interval(
        max(need.low for need in needs.values()),
        max(need.mid for need in needs.values()),
        max(need.high for need in needs.values()),
    )
    return RankingEstimate(
        by_flops=by_flops,
        by_memory=by_memory,
        by_lookups=by_lookups,
        accelerators=accelerators,
        bound=max(needs, key=lambda name: needs[name].mid),
        host_cores=CANDIDATES_PER_CORE_S.inverse().times(ready).scaled(load.requests_per_s * load.candidates),
        storage_tb=STORAGE_COPIES.scaled(load.embedding_bytes / 1e12),
        bill_per_day=bill(accelerator, facility, accelerators.scaled(24)),
    )
