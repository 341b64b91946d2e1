"""Weights on disk: read one tensor at a time without executing anything, written whole or not."""

import json
import os
import re
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from zipfile import is_zipfile

import torch
from safetensors import safe_open
from torch import Tensor, nn

from legatee.disk import replacing
from legatee.errors import CheckpointError, OutputError, TransferError
from legatee.surgery.applying.casts import Allowed, check_types, check_values
from legatee.surgery.applying.rollback import all_or_nothing
from legatee.surgery.files.serialise import serialise
from legatee.surgery.network.catalog import state
from legatee.surgery.network.names import without_wrappers

NESTS = ("state_dict", "model_state_dict", "model")  # where training scripts put the weights
INDEX = ".safetensors.index.json"  # of weights that are spread over several files


def read_weights(path: str | os.PathLike[str], key: str | None = None) -> Mapping[str, Tensor]:
    """Open a file of weights; nothing in it is executed.

    Args:
        path: A ``.safetensors`` file, the ``.safetensors.index.json`` of several, or a file that
            ``torch.save`` wrote with tensors and plain containers in it.
        key: Where in a file of ``torch.save`` the weights are, such as ``"model_ema"``; where
            absent, at the top or under ``state_dict``, ``model_state_dict`` or ``model``.

    Returns:
        Tensors by name, on the CPU. Each is mapped from the file when it is asked for: it takes
        no memory of its own as long as it is only read.

    Raises:
        CheckpointError: If the file is missing, damaged, holds no tensors, or would have to
            execute code to be read.
    """
    file = Path(path)
    if not file.is_file():
        raise CheckpointError(f"no weights at {str(path)!r}: there is no such file")
    safe = file.name.endswith((".safetensors", INDEX))
    try:
        if safe:
            found: Any = _Mapped(_shards(file) if file.name.endswith(INDEX) else [(file, None)])
        else:
            found = _unpickled(file)
    except CheckpointError:
        raise
    except Exception as error:  # whatever a damaged or hostile file provokes
        kind = "whole .safetensors" if safe else "weights-only"
        raise CheckpointError(
            f"cannot read {str(path)!r}: it is damaged, or more than weights (only a {kind} file "
            f"is read, nothing is executed; save the state_dict): {_first_line(error)}"
        ) from error
    return found if safe and key is None else _below(found, key, str(path))


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
        raise CheckpointError(f"cannot read {os.fspath(path)!r}: {_first_line(error)}") from error


def fitted(weights: Mapping[str, Tensor], network: nn.Module, what: str) -> Mapping[str, Tensor]:
    """Return weights under the names and types that a network of their architecture has.

    Args:
        weights: Tensors by name, perhaps with a wrapper's prefix before all names.
        network: The network, which may have no weights of its own yet (meta device).
        what: What the weights are called, for the message.

    Returns:
        Tensors by name in the network's order, ties once; each converted when it is asked for.

    Raises:
        TransferError: If a tensor is missing, unknown, of another shape, or of a type that the
            network's does not hold.
    """
    held = state(network)
    names = dict(zip(without_wrappers(list(weights)), weights, strict=True))
    bare = dict(zip(held, without_wrappers(list(held)), strict=True))
    tied = set(without_wrappers(list(network.state_dict()))) - set(bare.values())
    missing = sorted(name for name in held if bare[name] not in names)
    unknown = sorted(set(names) - set(bare.values()) - tied)
    if missing or unknown:
        raise TransferError(
            f"{what!r} is not of this architecture: it lacks {len(missing)} tensors "
            f"[{', '.join(missing[:3])}] and holds {len(unknown)} unknown ones "
            f"[{', '.join(unknown[:3])}]"
        )
    for name, value in held.items():
        given = weights[names[bare[name]]]
        if given.shape != value.shape:
            raise TransferError(
                f"{what!r} holds {name!r} as {tuple(given.shape)}; "
                f"the network has {tuple(value.shape)}"
            )
        check_types(given.dtype, value.dtype, f"{name!r} of {what!r}", Allowed())
    return _Fitted(weights, {name: (names[bare[name]], held[name].dtype) for name in held})


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
    what, held = os.fspath(path), state(network)
    given = fitted(read_weights(path, key), network, what)
    with all_or_nothing(held.values()):
        for name, value in held.items():
            taken = given[name]
            value.copy_(taken)
            check_values(value, taken, f"{name!r} of {what!r}", Allowed())
    return network


def write_weights(
    path: str | os.PathLike[str],
    network: nn.Module,
    metadata: Mapping[str, str],
    weights: Mapping[str, Tensor] | None = None,
) -> None:
    """Write a network's weights as ``.safetensors``: beside first, then renamed.

    Args:
        path: Where; an existing file is replaced only once the new one is whole.
        network: Whose weights; tied tensors are written once, and named under ``"ties"``.
        metadata: Provenance, text by key.
        weights: What to write in place of what the network holds now, tensor by tensor.

    Raises:
        OutputError: If the file cannot be written, or is not called ``.safetensors``.
    """
    if Path(path).suffix != ".safetensors":
        raise OutputError(f"{os.fspath(path)!r} would hold safetensors; end its name so")
    held = state(network)
    first = {id(value): name for name, value in held.items()}
    tied = {
        name: first[id(value)]
        for name, value in network.state_dict(keep_vars=True).items()
        if name not in held
    }
    extra = {"ties": json.dumps(tied)} if tied else {}
    pieces = serialise(held, weights if weights is not None else held, {**metadata, **extra})
    with replacing(path) as beside, beside.open("wb") as file:
        for piece in pieces:
            file.write(piece)


class _Mapped(Mapping[str, Tensor]):
    """Tensors of ``.safetensors`` files, mapped when they are asked for.

    Args:
        files: Each file with the names that are asked of it, ``None`` for all.
    """

    def __init__(self, files: list[tuple[Path, list[str] | None]]):
        self._homes: dict[str, Any] = {}
        for path, names in files:
            file = safe_open(path, framework="pt")
            held = file.keys()
            if missing := set(names or ()) - set(held):
                raise CheckpointError(f"{str(path)!r} lacks {min(missing)!r} of its index")
            self._homes |= dict.fromkeys(held if names is None else names, file)
            for name in held if names is None else names:
                file.get_tensor(name)  # of a type that PyTorch does not know: now, not later

    def __iter__(self) -> Iterator[str]:
        return iter(self._homes)

    def __len__(self) -> int:
        return len(self._homes)

    def __getitem__(self, name: str) -> Tensor:
        return self._homes[name].get_tensor(name)


class _Fitted(Mapping[str, Tensor]):
    """Tensors under other names and types, converted when they are asked for."""

    def __init__(self, weights: Mapping[str, Tensor], fits: dict[str, tuple[str, torch.dtype]]):
        self._weights, self._fits = weights, fits

    def __iter__(self) -> Iterator[str]:
        return iter(self._fits)

    def __len__(self) -> int:
        return len(self._fits)

    def __getitem__(self, name: str) -> Tensor:
        theirs, dtype = self._fits[name]
        return self._weights[theirs].to(dtype)


def _shards(index: Path) -> list[tuple[Path, list[str] | None]]:
    """Return the files that an index speaks of, all beside it, with the names in each."""
    found: dict[Path, list[str]] = {}
    for name, file in json.loads(index.read_text(encoding="utf-8"))["weight_map"].items():
        if Path(file).name != file or not file.endswith(".safetensors"):
            raise CheckpointError(f"{str(index)!r} names {file!r}, which is no file beside it")
        found.setdefault(index.parent / file, []).append(name)
    for file in found:
        if not file.is_file():
            raise CheckpointError(f"{str(index)!r} names {file.name!r}, which is missing")
    return list(found.items())


def _unpickled(file: Path) -> object:
    """Read what ``torch.save`` wrote, refusing everything but tensors and plain containers."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of legacy formats, whose reading then fails or succeeds
        return torch.load(file, map_location="cpu", weights_only=True, mmap=is_zipfile(file))


def _below(found: Any, key: str | None, path: str) -> dict[str, Tensor]:
    """Return the tensors at a key, or where training scripts usually put them."""
    groups = {k: v for k, v in found.items() if _tensors(v)} if isinstance(found, Mapping) else {}
    if key is None:
        key = next((nest for nest in NESTS if isinstance(found, Mapping) and nest in groups), None)
    elif key not in groups:
        raise CheckpointError(
            f"{path!r} holds no tensors under {key!r}"
            + (f"; it does under {', '.join(map(repr, groups))}" if groups else "")
        )
    tensors = _tensors(found if key is None else groups[key])
    if not tensors:
        raise CheckpointError(
            f"{path!r} holds no tensors by name"
            + (f", but some under {' and '.join(map(repr, groups))}: say which" if groups else "")
        )
    for name, value in tensors.items():
        if (kind := _unusual(value)) is not None:
            raise CheckpointError(
                f"{path!r} holds {name!r} as a {kind} tensor; save it dense, with its numbers"
            )
    return tensors


def _unusual(value: Tensor) -> str | None:
    """Say what keeps a tensor from being copied like others."""
    if value.is_meta:
        return "meta"
    if value.is_quantized:
        return "quantized"
    return "sparse" if value.layout != torch.strided else None


def _tensors(tree: object) -> dict[str, Tensor]:
    """Return the tensors that lie directly in a mapping."""
    items = tree.items() if isinstance(tree, Mapping) else ()
    return {str(k): v for k, v in items if isinstance(v, Tensor)}


def _first_line(error: Exception) -> str:
    """Return the cause that an error names, without what colours it on a terminal."""
    plain = re.sub(r"\x1b\[[0-9;]*m", "", str(error)).strip()
    return plain.split("\n")[0][:160] or type(error).__name__
