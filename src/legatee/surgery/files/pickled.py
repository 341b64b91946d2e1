"""Files that ``torch.save`` wrote: checked, read without executing anything, and searched."""

import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from legatee.errors import CheckpointError, listed

USUAL_KEYS = ("state_dict", "model_state_dict", "model")  # where training scripts put the weights
CHUNK = 2**20  # bytes that are read at once
REPEATED = 2**28  # bytes that tensors may take beyond those in the file
SMALL = 2**24  # bytes of a record that is checked even where weights are not


def unpickled(file: Path, *, check: bool) -> object:
    """Read what ``torch.save`` wrote, refusing everything but tensors and plain containers.

    Args:
        file: The file.
        check: Whether all of its weights are compared with the checksums in it; otherwise only
            its small records are, such as that of names and shapes.

    Returns:
        What was saved, with tensors that are mapped into memory when they are read.

    Raises:
        CheckpointError: If a part of it does not have the checksum that the file names.
        Exception: Whatever a damaged or hostile file provokes.
    """
    modern = zipfile.is_zipfile(file)  # older ones have no checksums
    if modern:
        _check_records(file, check=check)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of older formats, whose reading then fails or succeeds
        return torch.load(file, map_location="cpu", weights_only=True, mmap=modern)


def tensors_at(content: object, key: str | None, path: str) -> dict[str, Tensor]:
    """Return the tensors under a key, or where training scripts usually put them.

    Args:
        content: What was saved.
        key: The key, or what stands before the names of one of several networks; ``None`` to look
            at the top and under the usual keys.
        path: Of the file, for messages.

    Returns:
        Tensors by name.

    Raises:
        CheckpointError: If there are none, there are several networks and no key, or a tensor is
            not a plain array.
    """
    groups = _groups(content)
    if key is None or key in groups:
        tensors = groups[key] if key is not None else _usual(content, groups, path)
    else:
        tensors = _below(key, content, groups)
        if not tensors:
            raise CheckpointError(
                f"{path!r} holds no tensors under {key!r}"
                + (f"; it does under {listed(map(repr, groups))}" if groups else "")
            )
    beyond = 0
    for name, value in tensors.items():
        if (kind := _unusual(value)) is not None:
            raise CheckpointError(
                f"{path!r} holds {name!r} as a {kind} tensor; expected a dense one with its values"
            )
        beyond += max(0, value.nbytes - value.untyped_storage().nbytes())
        if beyond > REPEATED:
            raise CheckpointError(
                f"{path!r} holds {name!r} as a tensor of shape {tuple(value.shape)} that repeats "
                f"{value.untyped_storage().nbytes():,} bytes; save a copy of it: tensor.clone()"
            )
    return tensors


def _check_records(file: Path, *, check: bool) -> None:
    """Compare the records of a zip archive with their checksums, one part at a time."""
    with zipfile.ZipFile(file) as archive:
        records = archive.infolist()
        compressed = any(record.compress_type != zipfile.ZIP_STORED for record in records)
        if compressed or sum(r.file_size for r in records) > file.stat().st_size:
            raise CheckpointError(
                f"{str(file)!r} holds compressed data, which torch.save never writes; save the "
                "state_dict again"
            )
        for record in records:
            # A checksum of 0 says that none was computed: torch.serialization.set_crc32_options.
            if not record.CRC or not (check or record.file_size <= SMALL):
                continue
            try:
                with archive.open(record) as content:
                    while content.read(CHUNK):
                        pass
            except zipfile.BadZipFile as error:
                raise CheckpointError(
                    f"{str(file)!r} is damaged: its part {record.filename!r} does not have the "
                    "checksum that the file names; copy or save it again"
                ) from error


def _usual(content: object, groups: dict[str, dict[str, Tensor]], path: str) -> dict[str, Tensor]:
    """Return the tensors that nobody has to give a key for."""
    usual = next((key for key in USUAL_KEYS if key in groups), None)
    if usual is not None:
        names = _bare(groups[usual])
        keys = [key for key in groups if key == usual or _bare(groups[key]) & names]
        if len(keys) == 1:
            return groups[usual]
    elif tensors := _tensors(content):
        return tensors
    else:
        keys = list(groups)
    if not keys:
        raise CheckpointError(f"{path!r} holds no tensors by name")
    raise CheckpointError(
        f"{path!r} holds weights under {' and '.join(map(repr, keys))}: say which, as "
        f"{' or '.join(f'{path}#{key}' for key in keys)} (in Python key={keys[0]!r})"
    )


def _below(key: str, content: object, groups: dict[str, dict[str, Tensor]]) -> dict[str, Tensor]:
    """Return the tensors whose names begin with a key, where the weights usually are."""
    usual = next((groups[other] for other in USUAL_KEYS if other in groups), _tensors(content))
    start = f"{key}."
    return {n.removeprefix(start): value for n, value in usual.items() if n.startswith(start)}


def _bare(tensors: dict[str, Tensor]) -> set[str]:
    """Return names without the prefix of a wrapper, such as that of an average of networks."""
    return {name.removeprefix("module.") for name in tensors}


def _unusual(value: Tensor) -> str | None:
    """Say what keeps a tensor from being copied like others."""
    if value.is_meta:
        return "meta"
    if value.is_quantized:
        return "quantized"
    return "sparse" if value.layout != torch.strided else None


def _groups(content: object) -> dict[str, dict[str, Tensor]]:
    """Return the tensors that are in each mapping of a mapping."""
    items = content.items() if isinstance(content, Mapping) else ()
    return {str(key): tensors for key, value in items if (tensors := _tensors(value))}


def _tensors(tree: object) -> dict[str, Tensor]:
    """Return the tensors that are directly in a mapping."""
    items = tree.items() if isinstance(tree, Mapping) else ()
    return {str(key): value for key, value in items if isinstance(value, Tensor)}
