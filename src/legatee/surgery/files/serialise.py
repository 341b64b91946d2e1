"""Tensors as the bytes of a ``.safetensors`` file."""

import json
from collections.abc import Mapping

import torch
from torch import Tensor

from legatee.errors import OutputError

# The format's own names, https://github.com/huggingface/safetensors#format
TYPES = {
    torch.float64: "F64",
    torch.float32: "F32",
    torch.float16: "F16",
    torch.bfloat16: "BF16",
    torch.float8_e4m3fn: "F8_E4M3",
    torch.float8_e5m2: "F8_E5M2",
    torch.complex64: "C64",
    torch.int64: "I64",
    torch.int32: "I32",
    torch.int16: "I16",
    torch.int8: "I8",
    torch.uint64: "U64",
    torch.uint32: "U32",
    torch.uint16: "U16",
    torch.uint8: "U8",
    torch.bool: "BOOL",
}


def order(tensors: Mapping[str, Tensor]) -> list[str]:
    """Return names in the order in which a file holds their tensors, which keeps them aligned.

    Args:
        tensors: Tensors by name, of which only types are used.

    Returns:
        The names, those of the widest types first.
    """
    return sorted(tensors, key=lambda name: (-tensors[name].itemsize, name))


def header(tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> bytes:
    """Return the first bytes of a ``.safetensors`` file, up to its first tensor.

    Args:
        tensors: Tensors by name, of which only shapes and types are used.
        metadata: Text by key.

    Returns:
        The bytes; the elements of the tensors follow, in their :func:`order`.

    Raises:
        OutputError: If the format has no such type.
    """
    entries: dict[str, object] = {"__metadata__": dict(metadata)} if metadata else {}
    end = 0
    for name in order(tensors):
        value, start = tensors[name], end
        if value.dtype not in TYPES:
            raise OutputError(
                f"{name!r} has type {value.dtype}, which a .safetensors file cannot hold"
            )
        end += value.numel() * value.itemsize
        entries[name] = {
            "dtype": TYPES[value.dtype],
            "shape": list(value.shape),
            "data_offsets": [start, end],
        }
    text = json.dumps(entries, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text


def raw(tensor: Tensor) -> memoryview:
    r"""Return a tensor's elements as bytes, the last axis fastest, in little-endian order.

    Args:
        tensor: Any dense tensor.

    Returns:
        Its bytes; a view where the tensor's memory on the CPU has that order already.

    Example:
        >>> raw(torch.tensor([1, 258], dtype=torch.int16)).tobytes()
        b'\x01\x00\x02\x01'
    """
    flat = tensor.detach().cpu().contiguous().reshape(-1)
    return flat.view(torch.uint8).numpy().data if flat.numel() else memoryview(b"")
