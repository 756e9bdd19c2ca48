"""Models as they are served: weights, cache and FLOPs per token."""

import tomllib
from functools import cache
from importlib.resources import files

from pydantic import Field

from tenfold.core.errors import UsageError
from tenfold.core.explain import did_you_mean
from tenfold.core.frozen import Frozen

DATA_FILE = "served_models.toml"


class ServedModel(Frozen):
    """One table of ``served_models.toml``."""

    title: str
    total_params: float = Field(gt=0)
    active_params: float = Field(gt=0, description="parameters that one token passes through")
    layers: int = Field(gt=0)
    hidden: int = Field(gt=0)
    heads: int = Field(gt=0, description="query heads")
    head_dim: int = Field(gt=0)
    kv_heads: int | None = Field(None, gt=0, description="heads whose keys and values are kept (gqa)")
    latent: int | None = Field(None, gt=0, description="numbers kept per token and layer (mla)")
    moe_layers: int = Field(0, ge=0, description="layers whose experts may be on other accelerators")
    experts: int = Field(0, ge=0, description="routed experts of such a layer")
    experts_per_token: int = Field(0, ge=0, description="routed experts that a token visits in such a layer")
    servers_per_token: int | None = Field(None, gt=0, description="servers that routing is limited to")
    local_layers: int = Field(0, ge=0, description="layers whose tokens attend to the last `local_window` only")
    local_window: int = Field(0, ge=0)
    source: str = ""
    date: str = ""

    @property
    def is_mixture(self) -> bool:
        """Whether tokens go to experts."""
        return self.total_params > self.active_params

    @property
    def routed_params(self) -> float:
        """Parameters of all routed experts; what a token passes through of them is in ``active_params`` too."""
        if not self.is_mixture or self.experts <= self.experts_per_token:
            return 0.0
        return min(
            self.total_params, (self.total_params - self.active_params) / (1 - self.experts_per_token / self.experts)
        )

    def cache_bytes_per_token(self, bytes_each: float = 2) -> float:
        """Key-value cache of one token over all layers, in 16 bits if not told otherwise."""
        numbers = self.latent or 2 * (self.kv_heads or self.heads) * self.head_dim
        return self.layers * numbers * bytes_each

    def attended(self, context: float) -> float:
        """Tokens that one attends to in a layer, on average over layers."""
        local = min(context, self.local_window) if self.local_layers else context
        return context + (local - context) * self.local_layers / self.layers

    def prefill_flops_per_pair(self) -> float:
        """Attention FLOPs of one token with one earlier token, over all layers, while reading the prompt."""
        # MLA unfolds the compressed vector: keys carry 64 numbers of position besides head_dim.
        position = 64 if self.latent else 0
        return 2 * self.layers * self.heads * (2 * self.head_dim + position)

    def decode_flops_per_pair(self) -> float:
        """The same while generating: MLA works on the compressed vector itself, which is longer than a head."""
        if self.latent is None:
            return self.prefill_flops_per_pair()
        return 2 * self.layers * self.heads * (2 * self.latent - 64)

    def exchanged_bytes_per_token(self, visited: float) -> float:
        """Bytes that one token sends to ``visited`` other accelerators and gets back: out in 8 bits, back in 16."""
        return self.moe_layers * visited * self.hidden * 3


@cache
def served_models() -> dict[str, ServedModel]:
    """All models by name, in the order of the data file."""
    raw = tomllib.loads((files("tenfold.compute") / DATA_FILE).read_text())
    return {name: ServedModel.model_validate(table) for name, table in raw.items()}


def find_served_model(name: str) -> ServedModel:
    """The model of that name.

    Raises:
        UsageError: there is none; names the nearest.
    """
    known = served_models()
    if name.lower() in known:
        return known[name.lower()]
    raise UsageError(
        f"model {name!r} is not known",
        next_step=f"{did_you_mean(name, known)}there are {', '.join(known)}; or give --params instead",
    )


def plain_model(total_params: float, active_params: float) -> ServedModel:
    """A model of which only the size is known: the shape of a Llama of its active size, with 8 key-value heads."""
    hidden = 128 * max(1, round((active_params * 128 / 12) ** (1 / 3) / 128))
    sparse = total_params > active_params
    layers = max(1, round(active_params / (12 * hidden**2)))
    return ServedModel(
        title=f"{total_params / 1e9:,.6g} billion parameters",
        total_params=total_params,
        active_params=active_params,
        layers=layers,
        hidden=hidden,
        heads=hidden // 128,
        head_dim=128,
        kv_heads=min(8, hidden // 128),
        moe_layers=layers if sparse else 0,
        experts=128 if sparse else 0,
        experts_per_token=8 if sparse else 0,
    )
