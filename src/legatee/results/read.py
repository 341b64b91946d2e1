"""Reading results from disk, and naming what no longer can be read."""

import json
import os
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import numpy as np
import xarray as xr
import zarr

from legatee.errors import DamageError, OutputError
from legatee.results.layout import BLOCK, DIGESTS, DONE, Unit, digests

UNREADABLE = (OSError, MemoryError)  # of the machine, which says nothing about what is stored


def load(path: str | os.PathLike[str], names: Iterable[str] | None = None) -> xr.Dataset:
    """Read a store.

    Args:
        path: Its folder.
        names: Variables to read; all if ``None``.

    Returns:
        Its variables with their labels, in memory.

    Raises:
        OutputError: If there is no store, or a chunk of it is damaged, which is named.
    """
    with _naming(path):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # zarr's, about text labels being new in format 3
                every = xr.open_zarr(path, consolidated=False, chunks=None)
                found = (every if names is None else every[list(names)]).load()
        except Exception:
            check(path)
            raise
    check(path, whole=False)
    return found


def check(path: str | os.PathLike[str], *, whole: bool = True) -> None:
    """Refuse a store that is damaged, naming the first damage; one unit at a time is in memory.

    Args:
        path: Its folder.
        whole: Whether to read everything; else it is only seen to that no file is missing.

    Raises:
        DamageError: If something of it that is done is damaged.
        OutputError: If there is no store, or it cannot be read for another reason.
    """
    for _, reason in damage(path, whole=whole):
        raise DamageError(f"cannot read the results at {os.fspath(path)!r}: {reason}")


def identity_of(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Return what a store is the work of.

    Args:
        path: Its folder.

    Returns:
        What its layout said.

    Raises:
        OutputError: If there is no store, or what it says about itself is damaged.
    """
    try:
        return dict(json.loads(opened(path).attrs["identity"]))
    except (ValueError, TypeError, KeyError) as error:
        raise OutputError(f"{os.fspath(path)!r} is not a store of results") from error


def opened(path: str | os.PathLike[str], mode: Literal["r", "r+"] = "r") -> Any:
    """Open a store.

    Args:
        path: Its folder.
        mode: For reading, or for writing too.

    Returns:
        Its zarr group.

    Raises:
        OutputError: If there is no store, or what it says about itself is damaged.
    """
    try:
        group: Any = zarr.open_group(path, mode=mode)
        expected = dict(group.attrs[DIGESTS])
        now = digests(Path(path), group.attrs)
    except Exception as error:  # what zarr raises has many types
        if isinstance(error, UNREADABLE) and not isinstance(error, FileNotFoundError):
            raise OutputError(f"cannot read {os.fspath(path)!r}: {_line(error)}") from error
        raise OutputError(f"{os.fspath(path)!r} is not a store of results") from error
    if changed := [
        name for name in sorted({*expected, *now}) if expected.get(name) != now.get(name)
    ]:
        file = Path(path, changed[0], "zarr.json")
        raise OutputError(
            f"{os.fspath(path)!r} is damaged: {str(file)!r} is not what was written; delete this "
            "folder, and the same command computes it again"
        )
    return group


def damage(path: str | os.PathLike[str], *, whole: bool = True) -> Iterator[tuple[Unit, str]]:
    """Look for units that are marked done and cannot be read.

    Args:
        path: Folder of a store.
        whole: Whether to read everything; else it is only seen to that no file is missing.

    Yields:
        Each such unit, with what is damaged, where and why.

    Raises:
        OutputError: If there is no store, its layout is damaged, or something cannot be read for
            a reason that may pass, such as too many open files.
    """
    with _naming(path):
        group = opened(path)
        marks, divided = group[DONE], [dim.removesuffix(BLOCK) for dim in dims_of(group[DONE])]
        labels = {dim: group[dim][...] for dim in divided}
        arrays = {
            name: array
            for name, array in group.arrays()
            if set(divided) <= set(dims_of(array)) - {name} and array.size
        }
        example = next(iter(arrays.values()))
    for at in np.ndindex(marks.shape):
        name, unit = DONE, dict(zip(divided, at, strict=True))
        try:
            for name, array in arrays.items() if marks[at] else ():
                chunk = tuple(unit.get(dim, 0) for dim in dims_of(array))
                if not Path(path, name, array.metadata.encode_chunk_key(chunk)).exists():
                    raise OutputError("its file is missing")
                if whole:
                    array[cut_of(array, unit)]
        except UNREADABLE as error:
            raise OutputError(f"cannot read {os.fspath(path)!r}: {_line(error)}") from error
        except Exception as error:  # what zarr and its codecs raise has many types
            cuts = dict(zip(dims_of(example), cut_of(example, unit), strict=True))
            where = ", ".join(f"{dim} = {_span(labels[dim][cuts[dim]])}" for dim in divided)
            yield unit, f"{name!r} is damaged at {where}: {_line(error)}"


def dims_of(array: Any) -> tuple[str, ...]:
    """Return an array's dimensions.

    Args:
        array: Of a store.

    Returns:
        Their names.
    """
    return tuple(array.metadata.dimension_names)


def cut_of(array: Any, unit: Unit) -> tuple[slice, ...]:
    """Return the part of an array that a unit holds: one chunk.

    Args:
        array: Of a store.
        unit: The unit.

    Returns:
        A slice along each dimension.
    """
    starts = [unit.get(dim, 0) * n for dim, n in zip(dims_of(array), array.chunks, strict=True)]
    return tuple(
        slice(start, min(start + n, size))
        for start, n, size in zip(starts, array.chunks, array.shape, strict=True)
    )


@contextmanager
def _naming(path: str | os.PathLike[str]) -> Iterator[None]:
    """Say what could not be read; what zarr and its codecs raise has many types."""
    try:
        yield
    except OutputError:
        raise
    except Exception as error:
        raise OutputError(
            f"cannot read the results at {os.fspath(path)!r}: {_line(error)}"
        ) from error


def _line(error: Exception) -> str:
    """Return what an error says, in a line."""
    return (str(error).splitlines() or [type(error).__name__])[0]


def _span(labels: Any) -> str:
    """Return labels that stand side by side, in words."""
    first, last = str(labels[0]), str(labels[-1])
    return first if len(labels) == 1 else f"{first} to {last}"
