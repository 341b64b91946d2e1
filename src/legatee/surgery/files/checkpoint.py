"""Weights on disk: read one tensor at a time without executing anything, written whole or not."""

import json
import os
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

from safetensors import safe_open
from torch import Tensor, nn

from legatee.disk import path_status, replacing
from legatee.errors import CheckpointError, OutputError, first_line, listed
from legatee.surgery.applying.casts import Allowed, check_values
from legatee.surgery.applying.rollback import all_or_nothing
from legatee.surgery.files.digest import FIELD, LENGTH, Digest
from legatee.surgery.files.fitted import fitted
from legatee.surgery.files.mapped import INDEX, MappedWeights
from legatee.surgery.files.pickled import tensors_at, unpickled
from legatee.surgery.files.serialise import header, order, raw
from legatee.surgery.network.state import saved_tensors, state

ENDINGS = (".safetensors", ".pt", ".pth", ".bin", ".ckpt")  # of files that may hold weights


def read_weights(
    path: str | os.PathLike[str], key: str | None = None, *, check: bool = True
) -> Mapping[str, Tensor]:
    """Open a file of weights; nothing in it is executed.

    Args:
        path: A ``.safetensors`` file, the ``.safetensors.index.json`` of several, or a file that
            ``torch.save`` wrote with tensors and plain containers in it.
        key: Where in a file of ``torch.save`` the weights are, such as ``"model_ema"``; where
            absent, at the top or under ``state_dict``, ``model_state_dict`` or ``model``. It is
            needed where the file holds the weights of several networks, and may be what stands
            before the names of one of them, such as ``"module.encoder_q"``.
        check: Whether the weights are compared with the checksums of the file, where it has any: a
            ``.safetensors`` file that legatee wrote, a file of ``torch.save`` of PyTorch 1.6 or
            later. The whole file is read once for that, about half a second for each gigabyte in
            memory. Names, types, shapes and lengths are always checked.

    Returns:
        Tensors by name, on the CPU. Each is mapped from the file when it is asked for: it takes
        no memory of its own as long as it is only read.

    Raises:
        CheckpointError: If the file is missing, damaged, holds no tensors, or would have to
            execute code to be read.
    """
    file = Path(path)
    _check_is_file(file)
    safe = file.name.endswith((".safetensors", INDEX))
    try:
        content: Any = (MappedWeights if safe else unpickled)(file, check=check)
    except CheckpointError:
        raise
    except Exception as error:  # whatever a damaged or hostile file provokes
        kind = "whole .safetensors" if safe else "weights-only"
        raise CheckpointError(
            f"cannot read {str(path)!r}: it is damaged, or more than weights (only a {kind} file "
            f"is read, nothing is executed; save the state_dict): {first_line(error)}"
        ) from error
    return content if safe and key is None else tensors_at(content, key, str(path))


def read_metadata(path: str | os.PathLike[str]) -> dict[str, str]:
    """Read the provenance that a ``.safetensors`` file carries.

    Args:
        path: The file.

    Returns:
        Text by key; empty if it carries none.

    Raises:
        CheckpointError: If it is missing or not a ``.safetensors`` file.
    """
    try:
        with safe_open(os.fspath(path), framework="pt") as file:
            return dict(file.metadata() or {})
    except Exception as error:
        raise CheckpointError(f"cannot read {os.fspath(path)!r}: {first_line(error)}") from error


def load_weights(
    network: nn.Module, path: str | os.PathLike[str], key: str | None = None
) -> nn.Module:
    """Give a network the weights of a file made for exactly its architecture.

    Args:
        network: The network; changed in place, or not at all.
        path: The file.
        key: Where in it the weights are, as :func:`read_weights` takes it.

    Returns:
        The same network.

    Raises:
        CheckpointError: If the file cannot be read.
        TransferError: If a tensor is missing, unknown or of another shape, or not finite.
    """
    return fill(network, read_weights(path, key), os.fspath(path))


def fill(network: nn.Module, weights: Mapping[str, Tensor], what: str) -> nn.Module:
    """Give a network weights made for exactly its architecture.

    Args:
        network: The network; changed in place, or not at all.
        weights: Tensors by name.
        what: What they are called, for the message.

    Returns:
        The same network.

    Raises:
        TransferError: If a tensor is missing, unknown or of another shape, or not finite.
    """
    tensors = state(network)
    values = fitted(weights, network, what)
    with all_or_nothing(tensors.values()):
        for name, tensor in tensors.items():
            value = values[name]
            tensor.copy_(value)
            check_values(tensor, value, f"{name!r} of {what!r}", Allowed())
    return network


def write_weights(
    path: str | os.PathLike[str],
    network: nn.Module,
    metadata: Mapping[str, str],
    weights: Mapping[str, Tensor] | None = None,
) -> None:
    """Write a network's weights as ``.safetensors``: beside first, then renamed.

    The file carries a digest of its weights, with which they are compared when they are read.

    Args:
        path: Where; an existing file is replaced only once the new one is whole.
        network: Whose weights; tied tensors are written once, and named under ``"ties"``.
        metadata: Provenance, text by key.
        weights: What to write in place of the network's own weights, tensor by tensor.

    Raises:
        OutputError: If the file cannot be written, or its name does not end in ``.safetensors``.
    """
    if Path(path).suffix != ".safetensors":
        raise OutputError(
            f"{os.fspath(path)!r} is no name for a file of weights; expected one that ends in "
            ".safetensors"
        )
    tensors = state(network)
    first = {id(value): name for name, value in tensors.items()}
    tied = {
        name: first[id(value)]
        for name, value in saved_tensors(network).items()
        if name not in tensors
    }
    extra = {"ties": json.dumps(tied)} if tied else {}
    # The digest comes before the weights in the file and is known after them: so its place is
    # kept, and each tensor, which may have to be computed, is asked for once.
    blank = "-" * LENGTH
    start = header(tensors, {**metadata, **extra, FIELD: blank})
    digest = Digest()
    with replacing(path) as beside, beside.open("wb") as file:
        file.write(start)
        for name in order(tensors):
            value = (weights if weights is not None else tensors)[name]
            content = raw(value)
            file.write(content)
            bits = sha256(content).hexdigest()
            digest.add(name, str(value.dtype), tuple(value.shape), bits)
        file.seek(start.index(f'"{FIELD}":"{blank}"'.encode()) + len(FIELD) + 4)
        file.write(str(digest).encode())


def _check_is_file(file: Path) -> None:
    """Refuse what is no file, and name the files in it where it is a folder."""
    status = path_status(file)
    if status.is_file:
        return
    if not status.is_folder:
        raise CheckpointError(
            f"no weights at {str(file)!r}: {status.problem or 'it is not a regular file'}"
        )
    try:
        names = sorted(name for name in os.listdir(file) if name.endswith(ENDINGS))  # noqa: PTH208
    except OSError:  # a folder that may not be read
        names = []
    inside = f", such as {listed((str(file / name) for name in names), most=3)}" if names else ""
    raise CheckpointError(
        f"no weights at {str(file)!r}: it is a folder; expected a file of weights{inside}"
    )
