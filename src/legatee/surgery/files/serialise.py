"""A state as the bytes of a ``.safetensors`` file, one tensor at a time."""

import json
from collections.abc import Iterator, Mapping

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


def serialise(
    described: Mapping[str, Tensor], weights: Mapping[str, Tensor], metadata: Mapping[str, str]
) -> Iterator[memoryview]:
    """Yield the bytes of a ``.safetensors`` file: its header, then tensor after tensor.

    Unlike safetensors' own writer it never holds more than one tensor of ``weights``.

    Args:
        described: Tensors by name, of which only shapes and types are used.
        weights: Tensors of these shapes and types, each asked for once.
        metadata: Text by key.

    Yields:
        Bytes to be written one after the other.

    Raises:
        OutputError: If the format has no such type.
    """
    order = sorted(described, key=lambda name: (-described[name].itemsize, name))  # keeps alignment
    header: dict[str, object] = {"__metadata__": dict(metadata)} if metadata else {}
    end = 0
    for name in order:
        value, start = described[name], end
        if value.dtype not in TYPES:
            raise OutputError(f"{name!r} is {value.dtype}, which .safetensors cannot hold")
        end += value.numel() * value.itemsize
        shape = list(value.shape)
        header[name] = {
            "dtype": TYPES[value.dtype],
            "shape": shape,
            "data_offsets": [start, end],
        }
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)
    yield memoryview(len(text).to_bytes(8, "little") + text)
    for name in order:
        yield raw(weights[name])


def raw(tensor: Tensor) -> memoryview:
    r"""Return a tensor's elements as bytes, the last axis fastest, in little-endian order.

    Args:
        tensor: Any dense tensor.

    Returns:
        Its bytes; a view where it lies so in the memory of the CPU.

    Example:
        >>> raw(torch.tensor([1, 258], dtype=torch.int16)).tobytes()
        b'\x01\x00\x02\x01'
    """
    flat = tensor.detach().cpu().contiguous().reshape(-1)
    return flat.view(torch.uint8).numpy().data if flat.numel() else memoryview(b"")
