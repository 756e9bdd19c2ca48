"""What searching needs in the user's cache; whoever searches by meaning names it in its ``needs``."""

from tenfold.core.minilm import MINILM, MINILM_TOKENIZER
from tenfold.pool.need import Need, fetched

EMBEDDER: tuple[Need, ...] = (fetched(MINILM), fetched(MINILM_TOKENIZER))
