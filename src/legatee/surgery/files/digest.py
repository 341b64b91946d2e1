"""Digests of the weights in files: written into them, compared when the weights are used."""

import json
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO

from legatee.surgery.files.serialise import TYPES

FIELD = "weights_digest"  # in the metadata of a file
LENGTH = 64  # hexadecimal digits
CHUNK = 2**20  # bytes that are read at once


class Digest:
    """A digest of names, types, shapes and bits, to which tensors are added in any order."""

    def __init__(self) -> None:
        self._lines: list[str] = []

    def add(self, name: str, dtype: str, shape: tuple[int, ...], bits: str) -> None:
        """Add one tensor.

        Args:
            name: Its name.
            dtype: Its type, as PyTorch writes it, such as ``"torch.float32"``.
            shape: Its shape [count per axis].
            bits: SHA-256 of its elements as the format stores them [64 hexadecimal digits].
        """
        self._lines.append(f"{name} {dtype} {shape} {bits}")

    def __str__(self) -> str:
        """Return the digest of what was added so far [64 hexadecimal digits]."""
        return sha256("\n".join(sorted(self._lines)).encode("utf-8", "surrogatepass")).hexdigest()


def file_digest(path: Path) -> str:
    """Digest the weights in a ``.safetensors`` file, which is read once from front to back.

    Args:
        path: A file whose header is known to be in order.

    Returns:
        The same digits as :func:`~legatee.fingerprint.weights_fingerprint` returns for its tensors.
    """
    types = {name: str(dtype) for dtype, name in TYPES.items()}
    digest = Digest()
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(length))
        for name, entry in header.items():
            if name == "__metadata__":
                continue
            start, end = entry["data_offsets"]
            file.seek(8 + length + start)
            bits = sha256()
            for chunk in _chunks(file, end - start):
                bits.update(chunk)
            dtype = types.get(entry["dtype"], entry["dtype"])
            digest.add(name, dtype, tuple(entry["shape"]), bits.hexdigest())
    return str(digest)


def _chunks(file: BinaryIO, size: int) -> Iterator[bytes]:
    """Yield the next ``size`` bytes of a file, a part at a time."""
    while size > 0 and (chunk := file.read(min(size, CHUNK))):
        size -= len(chunk)
        yield chunk
