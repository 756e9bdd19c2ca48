"""GGUF files, read and written: the format of llama.cpp's models and adapters.

Format: GGUF 3 (ggml's ``docs/gguf.md``): a header with metadata by key, the tensors' entries, then their data, each
aligned. Blocks of 32 weights: Q4_1 is a float16 scale, a float16 minimum and 16 bytes of two 4-bit numbers; Q8_0 is a
float16 scale and 32 signed bytes (ggml's ``ggml-common.h``).

A tensor's shape is written here as numpy and torch have it, outermost first; the file has it the other way round.

Suffixes: B blocks, W the 32 weights of one.
"""

import os
import struct
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from tenfold.core.errors import Damaged

MAGIC, VERSION, ALIGNMENT = 0x46554747, 3, 32
F32, F16, Q4_1, Q8_0, BF16 = 0, 1, 3, 8, 30
BLOCK_BYTES = {F32: 32 * 4, F16: 32 * 2, Q4_1: 20, Q8_0: 34, BF16: 32 * 2}
_UNBLOCKED_BYTES = {F32: 4, F16: 2, BF16: 2}
_SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
_UINT32, _INT32, _FLOAT32, _BOOL, _STRING, _ARRAY = 4, 5, 6, 7, 8, 9

Value: TypeAlias = "str | bool | int | float | Sequence[str] | Sequence[int] | Sequence[float]"
"""Of a metadata key. Written as llama.cpp reads it: a whole number as uint32, in a list as int32, others as float32."""


@dataclass(frozen=True, slots=True)
class Tensor:
    """One tensor's entry; ``offset`` counts from the start of the data."""

    name: str
    shape: tuple[int, ...]
    type_id: int
    offset: int

    @property
    def blocks(self) -> int:
        """Number of blocks of 32 weights, the last one perhaps short."""
        return -(-int(np.prod(self.shape)) // 32)

    def size_bytes(self, type_id: int) -> int:
        """Bytes of its data, if it is of this type."""
        each = _UNBLOCKED_BYTES.get(type_id)
        return self.blocks * BLOCK_BYTES[type_id] if each is None else int(np.prod(self.shape)) * each

    def entry(self, type_id: int, offset: int) -> bytes:
        """Encode the entry with another type and offset."""
        head = _string(self.name) + struct.pack("<I", len(self.shape))
        return head + struct.pack(f"<{len(self.shape)}QIQ", *reversed(self.shape), type_id, offset)


class Header:
    """What stands before the data of a GGUF file.

    ``metadata``: values by key. ``tensors``: entries, in their order. ``metadata_end``, ``data_start``: places in the
    file. ``places``: where the value of each key begins.

    Raises:
        ValueError: it is no GGUF 3, or is cut short.
    """

    def __init__(self, data: memoryview) -> None:
        self._data = data
        self._at = 0
        try:
            magic, version = self._take("I"), self._take("I")
            if (magic, version) != (MAGIC, VERSION):
                raise ValueError(f"not a GGUF {VERSION} file: magic {magic:#x}, version {version}")
            tensors, entries = self._take("Q"), self._take("Q")
            self.metadata: dict[str, Value] = {}
            self.places: dict[str, int] = {}
            for _ in range(entries):
                key, type_id = self._take_string(), self._take("I")
                self.places[key] = self._at
                self.metadata[key] = self._take_value(type_id)
            self.metadata_end = self._at
            self.tensors = [self._take_tensor() for _ in range(tensors)]
        except (struct.error, KeyError, UnicodeDecodeError) as error:
            raise ValueError(f"its header is cut short or damaged at byte {self._at}") from error
        self.data_start = aligned(self._at)

    def _take(self, code: str) -> int:
        (value,) = struct.unpack_from(f"<{code}", self._data, self._at)
        self._at += struct.calcsize(f"<{code}")
        return value

    def _take_string(self) -> str:
        length = self._take("Q")
        self._at += length
        return bytes(self._data[self._at - length : self._at]).decode()

    def _take_value(self, type_id: int) -> Value:
        if type_id == _STRING:
            return self._take_string()
        if type_id != _ARRAY:
            return self._take(_SCALARS[type_id])
        item, length = self._take("I"), self._take("Q")
        if item in (_STRING, _ARRAY):
            return [self._take_value(item) for _ in range(length)]  # type: ignore[misc]
        found = struct.unpack_from(f"<{length}{_SCALARS[item]}", self._data, self._at)
        self._at += length * struct.calcsize(_SCALARS[item])
        return list(found)

    def _take_tensor(self) -> Tensor:
        name = self._take_string()
        shape = tuple(self._take("Q") for _ in range(self._take("I")))
        return Tensor(name, shape[::-1], self._take("I"), self._take("Q"))


class Gguf:
    """A GGUF file in memory.

    Raises:
        Damaged: it is no GGUF 3, or is cut short.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._data = np.fromfile(path, np.uint8)
        try:
            self._header = Header(memoryview(self._data.data))
        except ValueError as error:
            raise Damaged(path, str(error), what="model") from error
        self.metadata = self._header.metadata
        self.names = tuple(tensor.name for tensor in self._header.tensors)
        self._by_name = {tensor.name: tensor for tensor in self._header.tensors}

    def tensor(self, name: str) -> NDArray[np.float32]:
        """Weights of one tensor, whatever type it is stored in.

        Raises:
            Damaged: there is no such tensor, it is cut short, or of a type that is not known here.
        """
        tensor = self._by_name.get(name)
        if tensor is None:
            raise Damaged(self._path, f"it has no tensor {name!r}", what="model")
        if tensor.type_id not in BLOCK_BYTES:
            known = "F32, F16, BF16, Q4_1 and Q8_0"
            raise Damaged(self._path, f"{name!r} is of ggml's type {tensor.type_id}; read are {known}", what="model")
        start, size = self._header.data_start + tensor.offset, tensor.size_bytes(tensor.type_id)
        data = self._data[start : start + size]
        if len(data) < size:
            raise Damaged(self._path, f"{name!r} is cut short", what="model")
        return weights_of(data, tensor.type_id)[: int(np.prod(tensor.shape))].reshape(tensor.shape)


def weights_of(data: NDArray[np.uint8], type_id: int) -> NDArray[np.float32]:
    """The weights that bytes of a type stand for, in their order."""
    match type_id:
        case 0:
            return data.view(np.float32)
        case 1:
            return data.view(np.float16).astype(np.float32)
        case 30:
            return (data.view(np.uint16).astype(np.uint32) << 16).view(np.float32)
        case 3:
            return q4_1_weights(data.reshape(-1, 20)).reshape(-1)
        case 8:
            blocks = data.reshape(-1, 34)
            scale_B = blocks[:, :2].copy().view(np.float16).astype(np.float32)
            return (blocks[:, 2:].view(np.int8).astype(np.float32) * scale_B).reshape(-1)
        case _:
            raise AssertionError(type_id)


def q4_1_weights(q4_1: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Weights of blocks, shape (B, 20) to (B, W)."""
    scale_B, minimum_B = q4_1[:, :4].copy().view(np.float16).astype(np.float32).T
    nibbles_BW = np.concatenate([q4_1[:, 4:] & 15, q4_1[:, 4:] >> 4], axis=1)
    return nibbles_BW * scale_B[:, None] + minimum_B[:, None]


def q8_0_blocks(weights_BW: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Blocks of weights, shape (B, W) to (B, 34), by the nearest step of 1/127 of each block's largest weight."""
    step_B = (np.abs(weights_BW).max(axis=1) / 127).astype(np.float16)
    per_step_B = np.divide(1, step_B, out=np.zeros(len(step_B), np.float32), where=step_B > 0, dtype=np.float32)
    steps_BW = np.clip(np.rint(weights_BW * per_step_B[:, None]), -127, 127).astype(np.int8)
    return np.concatenate([step_B[:, None].view(np.uint8), steps_BW.view(np.uint8)], axis=1)


def write_gguf(path: Path, metadata: Mapping[str, Value], tensors: Mapping[str, NDArray[np.float32]]) -> None:
    """Write a file of float32 tensors; it appears whole or not at all.

    Raises:
        OSError: e.g. the disk is full.
    """
    head = struct.pack("<IIQQ", MAGIC, VERSION, len(tensors), len(metadata))
    for key, value in metadata.items():
        head += _string(key) + _typed(value)
    offset = 0
    for name, weights in tensors.items():
        tensor = Tensor(name, weights.shape, F32, offset)
        head += tensor.entry(F32, offset)
        offset += aligned(tensor.size_bytes(F32))
    descriptor, fresh = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(padded(head))
            for weights in tensors.values():
                file.write(padded(np.ascontiguousarray(weights, np.float32).tobytes()))
            file.flush()
            os.fsync(file.fileno())
        Path(fresh).chmod(0o644)
        Path(fresh).replace(path)
    finally:
        Path(fresh).unlink(missing_ok=True)


def _typed(value: Value) -> bytes:
    """A value behind the number of its type."""
    if isinstance(value, str):
        return struct.pack("<I", _STRING) + _string(value)
    if isinstance(value, bool | int | float):
        type_id = _BOOL if isinstance(value, bool) else _UINT32 if isinstance(value, int) else _FLOAT32
        return struct.pack(f"<I{_SCALARS[type_id]}", type_id, value)
    items = list(value)
    assert items, "an empty list has no type"
    if isinstance(items[0], str):
        return struct.pack("<IIQ", _ARRAY, _STRING, len(items)) + b"".join(_string(str(item)) for item in items)
    type_id = _FLOAT32 if isinstance(items[0], float) else _INT32
    return struct.pack(f"<IIQ{len(items)}{_SCALARS[type_id]}", _ARRAY, type_id, len(items), *items)


def _string(text: str) -> bytes:
    encoded = text.encode()
    return struct.pack("<Q", len(encoded)) + encoded


def padded(data: bytes) -> bytes:
    """Bytes with zeros up to where the next part may begin."""
    return data + bytes(aligned(len(data)) - len(data))


def aligned(size: int) -> int:
    """The first place from ``size`` on where a part may begin."""
    return -(-size // ALIGNMENT) * ALIGNMENT
