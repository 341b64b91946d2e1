"""Weights on disk: read without executing anything, written whole or not at all."""

import json
import os
import warnings
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from legatee.disk import replacing
from legatee.errors import TransferRefused, UnusableCheckpoint
from legatee.surgery.catalog import state

NESTS = ("state_dict", "model_state_dict", "model")  # where training scripts put the weights


def read_weights(path: str | os.PathLike[str]) -> dict[str, Tensor]:
    """Read a file of weights; nothing in it is executed.

    Args:
        path: A ``.safetensors`` file, or one that ``torch.save`` wrote with tensors and plain
            containers in it.

    Returns:
        Tensors by name, on the CPU.

    Raises:
        UnusableCheckpoint: If the file is missing, damaged, holds no tensors, or would have to
            execute code to be read.
    """
    file = Path(path)
    if not file.is_file():
        raise UnusableCheckpoint(f"no weights at {str(path)!r}: there is no such file")
    try:
        found = load_file(file) if file.suffix == ".safetensors" else _load_pickle(file)
    except Exception as error:
        cause = str(error).split("\n")[0][:160]
        kind = "weights" if file.suffix == ".safetensors" else "weights-only"
        raise UnusableCheckpoint(
            f"cannot read {str(path)!r} as {kind} file, and executes nothing to try: {cause}"
        ) from error
    for nest in NESTS:
        if isinstance(found, Mapping) and isinstance(found.get(nest), Mapping):
            found = found[nest]
            break
    items = found.items() if isinstance(found, Mapping) else ()
    tensors = {str(k): v for k, v in items if isinstance(v, Tensor)}
    if not tensors:
        raise UnusableCheckpoint(f"{str(path)!r} holds no tensors by name")
    return tensors


def read_metadata(path: str | os.PathLike[str]) -> dict[str, str]:
    """Read the provenance that a ``.safetensors`` file carries.

    Args:
        path: The file.

    Returns:
        Text by key; empty if it carries none.

    Raises:
        UnusableCheckpoint: If it is missing or not a ``.safetensors`` file.
    """
    try:
        with safe_open(os.fspath(path), framework="pt") as file:
            return dict(file.metadata() or {})
    except (OSError, SafetensorError) as error:
        raise UnusableCheckpoint(f"cannot read {os.fspath(path)!r}: {error}") from error


def load_weights(network: nn.Module, path: str | os.PathLike[str]) -> nn.Module:
    """Give a network the weights of a file made for exactly its architecture.

    Args:
        network: The network; changed in place, or not at all.
        path: The file.

    Returns:
        The same network.

    Raises:
        UnusableCheckpoint: If the file cannot be read.
        TransferRefused: If a tensor is missing, unknown or of another shape, or not finite.
    """
    given, held = read_weights(path), state(network)
    tied = set(network.state_dict()) - set(held)
    missing, unknown = sorted(set(held) - set(given)), sorted(set(given) - set(held) - tied)
    if missing or unknown:
        raise TransferRefused(
            f"{os.fspath(path)!r} is not of this architecture: {len(missing)} of its tensors "
            f"missing ({', '.join(missing[:3])}), {len(unknown)} unknown ({', '.join(unknown[:3])})"
        )
    for name, value in held.items():
        if given[name].shape != value.shape:
            raise TransferRefused(
                f"{os.fspath(path)!r} holds {name!r} as {tuple(given[name].shape)}; "
                f"the network has {tuple(value.shape)}"
            )
        if not torch.isfinite(given[name]).all():
            raise TransferRefused(f"{os.fspath(path)!r} holds NaN or infinite weights in {name!r}")
    with torch.no_grad():
        for name, value in held.items():
            value.copy_(given[name])
    return network


def write_weights(
    path: str | os.PathLike[str], network: nn.Module, metadata: Mapping[str, str]
) -> None:
    """Write a network's weights as ``.safetensors``: beside first, then renamed.

    Args:
        path: Where; an existing file is replaced only once the new one is whole.
        network: Whose weights; tied tensors are written once, and named under ``"ties"``.
        metadata: Provenance, text by key.

    Raises:
        UnusableOutput: If the file cannot be written.
    """
    held = state(network)
    first = {id(value): name for name, value in held.items()}
    tied = {
        name: first[id(value)]
        for name, value in network.state_dict(keep_vars=True).items()
        if name not in held
    }
    extra = {"ties": json.dumps(tied)} if tied else {}
    tensors = {name: value.detach().cpu().contiguous() for name, value in held.items()}
    with replacing(path) as beside:
        save_file(tensors, beside, metadata={**metadata, **extra})


def _load_pickle(file: Path) -> object:
    """Read what ``torch.save`` wrote, refusing everything but tensors and plain containers."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of legacy formats, whose reading then fails or succeeds
        return torch.load(file, map_location="cpu", weights_only=True)
