"""Which accelerator is meant: by a maker's, a cloud's or a table's name, and what was taken for it."""

import re
from dataclasses import dataclass
from functools import lru_cache

from tenfold.compute.accelerators import NAMES_KEPT, Accelerator, accelerators, exactly, find_accelerator
from tenfold.core.errors import UsageError

# Machines that clouds rent, by what their names begin with: the accelerator, and how many a machine has.
MACHINES: tuple[tuple[str, str, int | None], ...] = (
    # Amazon
    (r"p3dn\.24xlarge", "v100", 8),
    (r"p3\.16xlarge", "v100", 8),
    (r"p3\.8xlarge", "v100", 4),
    (r"p3\.2xlarge", "v100", 1),
    (r"p4de\.24xlarge", "a100-80", 8),
    (r"p4d\.24xlarge", "a100-40", 8),
    (r"p5\.4xlarge", "h100-sxm", 1),
    (r"p5\.48xlarge", "h100-sxm", 8),
    (r"p5en?\.48xlarge", "h200-sxm", 8),
    (r"p6-b200\.48xlarge", "b200", 8),
    (r"p6-b300\.48xlarge", "b300", 8),
    (r"u?-?p6e-gb200", "gb200", None),
    # Google
    (r"a2-highgpu-(\d+)g", "a100-40", None),
    (r"a2-megagpu-16g", "a100-40", 16),
    (r"a2-ultragpu-(\d+)g", "a100-80", None),
    (r"a3-(?:highgpu|megagpu|edgegpu)-(\d+)g", "h100-sxm", None),
    (r"a3-ultragpu-(\d+)g", "h200-sxm", None),
    (r"a4-highgpu-(\d+)g", "b200", None),
    (r"a4x-highgpu-(\d+)g", "gb200", None),
    # Microsoft
    (r"(?:standard_)?nd\d+rs_v2", "v100", 8),
    (r"(?:standard_)?nd\d+asr_?v4", "a100-40", 8),
    (r"(?:standard_)?nd\d+amsr_a100_v4", "a100-80", 8),
    (r"(?:standard_)?nd\d*[a-z]*_h100_v5", "h100-sxm", 8),
    (r"(?:standard_)?nd\d*[a-z]*_h200_v5", "h200-sxm", 8),
    (r"(?:standard_)?nd\d*[a-z]*_mi300x_v5", "mi300x", 8),
    (r"(?:standard_)?nd\d*[a-z]*_gb200_v6", "gb200", 4),
    (r"(?:standard_)?nc\d+[a-z]*_a100_v4", "a100-80", None),
    (r"(?:standard_)?nc\d+[a-z]*_h100_v5", "h100-nvl", None),
    # Oracle
    (r"bm\.gpu4\.8", "a100-40", 8),
    (r"bm\.gpu\.a100-v2\.8", "a100-80", 8),
    (r"bm\.gpu\.(?:h100|h200|b200|mi300x)\.8", "", 8),
)
# Slices of TPUs: what the number behind the dash counts, as chips.
TPU_SLICES: tuple[tuple[str, str, float], ...] = (
    (r"v5\s?(?:lite|e|litepod)", "tpu-v5e", 1),
    (r"v6e|trillium", "tpu-v6e", 1),
    (r"v5p", "tpu-v5p", 0.5),
    (r"v4", "tpu-v4", 0.5),
    (r"v3", "tpu-v3", 0.5),
    (r"v2", "tpu-v2", 0.5),
)
# Families by the word that names them, and the accelerator that is meant if no more is said.
FAMILIES: tuple[tuple[str, str], ...] = (
    ("gb300", "gb300"),
    ("gb200", "gb200"),
    ("gh200", "gh200"),
    ("b300", "b300"),
    ("b200", "b200"),
    ("h200", "h200-sxm"),
    ("h800", "h800-sxm"),
    ("h100", "h100-sxm"),
    ("a800", "a800-80"),
    ("a100", "a100-80"),
    ("v100", "v100"),
    ("mi355x?", "mi355x"),
    ("mi350x?", "mi350x"),
    ("mi325x?", "mi325x"),
    ("mi300[xa]?", "mi300x"),
    ("mi250x?", "mi250x"),
    ("gaudi ?2", "gaudi2"),
    ("gaudi ?3", "gaudi3"),
)
# "8x ...", "560 80GB A100", "1,024 NVIDIA ...": a count in front.
COUNTED = re.compile(
    r"^\s*(\d[\d,]*)\s*(?:[x\u00d7*]|(?=(?:\d+ ?gi?b )?(?:nvidia|amd|google|cloud|tpus?|[vabh]\d{3}s?)(?![0-9])))"
)


@dataclass(frozen=True, slots=True)
class Hardware:
    """What was taken for a name; ``count`` is how many the name says, ``note`` says what was assumed."""

    accelerator: Accelerator
    count: int | None = None
    note: str | None = None


@lru_cache(NAMES_KEPT)
def recognise(name: str) -> Hardware:
    """The accelerator that a name means: "V100 DGXS 32 GB", "8x H100 80GB HBM3", "p5.48xlarge", "TPU v5litepod-256".

    Raises:
        UsageError: none or several are meant; names the nearest.
    """
    known = exactly(name)
    if known is not None:
        return Hardware(known)
    text = re.sub(r"\s+", " ", name.strip().lower()).rstrip("?")
    for pattern, key, each in MACHINES:
        match = re.fullmatch(pattern, text)
        if match is not None:
            found = accelerators()[key] if key else find_accelerator(text.split(".")[2])
            count = each or (int(match[1]) if match.groups() else None)
            has = f", of which a machine has {count}" if count else ""
            return Hardware(found, None, f"{name!r} is taken as {found.name}{has}; count means accelerators")
    counted = COUNTED.match(text)
    # Of a pod nobody says how many chips it has.
    count = int(counted[1].replace(",", "")) if counted and "pod" not in text else None
    return _tpu(name, text, count) or _family(name, text, count)


def _tpu(name: str, text: str, count: int | None) -> Hardware | None:
    """A TPU by its generation, with the chips of a slice such as ``v4-128``."""
    if "tpu" not in text and not re.match(r"v(?:\d[ep]?|5 ?lite)(?:pod)?-\d+$", text):
        return None
    for pattern, key, chips in TPU_SLICES:
        match = re.search(rf"(?<![a-z0-9])(?:tpu[ _-]?)?(?:{pattern})(?:pod)?(?:-(\d+))?(?![a-z0-9])", text)
        if match is not None:
            found = accelerators()[key]
            named = count or (max(1, round(int(match[1]) * chips)) if match[1] else None)
            size = f" ({named:,} chips)" if named else ""
            return Hardware(found, named, f"{name!r} is taken as {found.name}{size}")
    return None


def _family(name: str, text: str, count: int | None) -> Hardware:
    """The one family that is named, in the variant that fits memory and socket best."""
    hits = {key: match for word, key in FAMILIES if (match := re.search(rf"(?<![a-z0-9]){word}(?![0-9])(?!x\d)", text))}
    if len(hits) > 1:
        raise UsageError(
            f"accelerator {name!r} names several", next_step=f"give one of {', '.join(hits)}, a row for each"
        )
    if not hits:
        # Raises, and names the nearest.
        return Hardware(find_accelerator(name))
    (key,) = hits
    memory = re.search(r"(\d+) ?(?:gb|gib|g)\b", text)
    size = int(memory[1]) if memory else None
    if key == "a100-80" and size is not None and size <= 48:
        key = "a100-40"
    if key == "h100-sxm" and "pcie" in text:
        key = "h100-pcie"
    if key == "h100-sxm" and ("nvl" in text or size == 94):
        key = "h100-nvl"
    found = accelerators()[key]
    differs = ""
    if size is not None and abs(found.entry.hbm_gb.value / size - 1) > 0.1:
        differs = f", which has {found.entry.hbm_gb.value:g} GB"
    return Hardware(found, count, f"{name!r} is taken as {found.name}{differs}")
