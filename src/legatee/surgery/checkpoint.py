"""Weights on disk: read without executing anything, written whole or not at all."""

import json
import os
import re
import warnings
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from legatee.disk import replacing
from legatee.errors import TransferRefused, UnusableCheckpoint, UnusableOutput
from legatee.surgery.apply import check_copy
from legatee.surgery.catalog import state, without_wrappers

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
        cause = _first_line(error)
        kind = ".safetensors" if file.suffix == ".safetensors" else "weights-only"
        raise UnusableCheckpoint(
            f"cannot read {str(path)!r}: it is damaged, or more than weights (only a {kind} file "
            f"is read, nothing is executed; save the state_dict): {cause}"
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
        raise UnusableCheckpoint(
            f"cannot read {os.fspath(path)!r}: {_first_line(error)}"
        ) from error


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
    found, held = read_weights(path), state(network)
    given = dict(zip(without_wrappers(list(found)), found.values(), strict=True))
    tied = set(network.state_dict()) - set(held)
    missing, unknown = sorted(set(held) - set(given)), sorted(set(given) - set(held) - tied)
    if missing or unknown:
        raise TransferRefused(
            f"{os.fspath(path)!r} is not of this architecture: it lacks {len(missing)} tensors "
            f"[{', '.join(missing[:3])}] and holds {len(unknown)} unknown ones "
            f"[{', '.join(unknown[:3])}]"
        )
    for name, value in held.items():
        if given[name].shape != value.shape:
            raise TransferRefused(
                f"{os.fspath(path)!r} holds {name!r} as {tuple(given[name].shape)}; "
                f"the network has {tuple(value.shape)}"
            )
        check_copy(given[name], value, f"{name!r} of {os.fspath(path)!r}")
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
        UnusableOutput: If the file cannot be written, or is not called ``.safetensors``.
    """
    if Path(path).suffix != ".safetensors":
        raise UnusableOutput(f"{os.fspath(path)!r} would hold safetensors; end its name so")
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
        try:
            save_file(tensors, beside, metadata={**metadata, **extra})
        except SafetensorError as error:
            raise UnusableOutput(
                f"cannot write {os.fspath(path)!r}: {_first_line(error)}"
            ) from error


def _load_pickle(file: Path) -> object:
    """Read what ``torch.save`` wrote, refusing everything but tensors and plain containers."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of legacy formats, whose reading then fails or succeeds
        return torch.load(file, map_location="cpu", weights_only=True)


def _first_line(error: Exception) -> str:
    """Return the cause that an error names, without what colours it on a terminal."""
    plain = re.sub(r"\x1b\[[0-9;]*m", "", str(error)).strip()
    return plain.split("\n")[0][:160] or type(error).__name__
