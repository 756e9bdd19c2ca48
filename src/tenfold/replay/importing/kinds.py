"""Accelerators by the names that clusters give them."""

import re

from tenfold.compute.accelerators import find_accelerator
from tenfold.core.errors import UsageError

ANY = "gpu"
"""What a cluster calls an accelerator that it has one kind of."""

RESOURCE = re.compile(r"(gpu|tpu|gaudi|neuron|npu|dcu|mig-)", re.IGNORECASE)


def kind_of(name: str) -> str:
    """A kind's name in week.toml: that of ``tenfold compute`` where it has one, or else the cluster's in plain letters.

    ``nvidia_h100_80gb_hbm3``, ``NVIDIA-H100-SXM5-80GB`` and ``h100`` are one kind. A slice of an accelerator (MIG) is
    a kind of its own.
    """
    plain = re.sub(r"[^a-z0-9.]+", "-", name.lower()).strip("-.")
    if is_slice(plain):
        return plain
    for tried in _spellings(plain):
        try:
            return find_accelerator(tried).name
        except UsageError:
            continue
    return plain or ANY


def _spellings(plain: str) -> list[str]:
    """The name as it is, then without memory and sockets, then its words alone."""
    words = [word for word in plain.split("-") if word]
    bare = [
        word
        for word in words
        if not re.fullmatch(r"\d+gi?b?|hbm\d?e?|sxm\d?|pcie|nvl|nvlink|\d+x|x\d+|spot|demand|on", word)
    ]
    return [plain.replace("-", " "), " ".join(bare), *(word for word in bare if re.search(r"\d", word))]


def is_slice(kind: str) -> bool:
    """Whether a kind is a part of an accelerator (MIG), e.g. ``nvidia-h100-80gb-hbm3-1g.10gb``."""
    return bool(re.search(r"\d+g\.\d+gb", kind))


def is_accelerator(resource: str) -> bool:
    """Whether a Kubernetes resource is a count of accelerators."""
    return bool(RESOURCE.search(resource)) and not resource.endswith(("memory", "mem", "cores", "percentage"))
