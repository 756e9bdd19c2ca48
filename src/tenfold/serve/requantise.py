"""A GGUF model's Q4_1 tensors rewritten as Q8_0, for which llama.cpp has the faster matrix products on x86.

Measured on SmolLM2-135M, one thread: prefill 1.6-1.9 times as many tokens per CPU-second, decoding 1.0-1.2 times, for
47 MB more. Q8_0 steps are finer than those of Q4_1, so a weight moves by at most half a step, 1/254 of its block's
largest.
"""

import os
import struct
import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tenfold.core.gguf import F32, Q4_1, Q8_0, Header, Tensor, aligned, padded, q4_1_weights, q8_0_blocks

_FILE_TYPE_KEY = "general.file_type"
_MOSTLY_Q8_0 = 7


def requantise(source: Path, target: Path) -> None:
    """Write ``source`` as ``target`` with Q4_1 tensors as Q8_0 and all others as they are (1 CPU-s for 135M).

    The target appears whole or not at all.

    Raises:
        ValueError: ``source`` is not GGUF 3, or holds a type other than F32, Q4_1 and Q8_0.
    """
    content = source.read_bytes()
    header, data = Header(memoryview(content)), np.frombuffer(content, np.uint8)
    if not {tensor.type_id for tensor in header.tensors} <= {F32, Q4_1, Q8_0}:
        raise ValueError(f"{source} holds tensors of a type other than F32, Q4_1 and Q8_0")
    descriptor, fresh = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(padded(_metadata(content, header) + _entries(header.tensors)))
            for tensor in header.tensors:
                start = header.data_start + tensor.offset
                file.write(padded(_convert(tensor, data[start : start + tensor.size_bytes(tensor.type_id)])))
            file.flush()
            os.fsync(file.fileno())
        Path(fresh).replace(target)
    finally:
        Path(fresh).unlink(missing_ok=True)


def q4_1_to_q8_0(q4_1: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Convert blocks, shape (blocks, 20) to (blocks, 34)."""
    return q8_0_blocks(q4_1_weights(q4_1))


def _metadata(content: bytes, header: Header) -> bytes:
    """The file's first bytes, to the end of the metadata, with the file type that results."""
    metadata = bytearray(content[: header.metadata_end])
    if _FILE_TYPE_KEY in header.places:
        struct.pack_into("<I", metadata, header.places[_FILE_TYPE_KEY], _MOSTLY_Q8_0)
    return bytes(metadata)


def _entries(tensors: list[Tensor]) -> bytes:
    entries, offset = b"", 0
    for tensor in tensors:
        type_id = _target_type(tensor)
        entries += tensor.entry(type_id, offset)
        offset += aligned(tensor.size_bytes(type_id))
    return entries


def _convert(tensor: Tensor, data: NDArray[np.uint8]) -> bytes:
    return q4_1_to_q8_0(data.reshape(-1, 20)).tobytes() if tensor.type_id == Q4_1 else data.tobytes()


def _target_type(tensor: Tensor) -> int:
    return Q8_0 if tensor.type_id == Q4_1 else tensor.type_id
