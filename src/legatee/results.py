"""Labelled results on disk, laid out before they exist and filled one unit of work at a time.

A store is a zarr group. Its chunks are exactly its units of work, so two writers never share one;
a unit counts as done only once all of its data is written. Kill the writer at any moment: what was
done is kept, what was not is done again.
"""

import json
import os
import shutil
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
import zarr
from zarr.codecs import ZstdCodec

from legatee.errors import UnusableOutput

DONE = "done"
Unit = dict[str, int]  # dimension -> number of the block along it


@dataclass(frozen=True, kw_only=True)
class Variable:
    """One quantity of a store.

    Attributes:
        dims: The dimensions it varies along.
        dtype: Its numpy type; floats start as NaN.
        units: What one is one of.
        about: What it is, in a sentence.
    """

    dims: tuple[str, ...]
    dtype: str
    units: str
    about: str


@dataclass(frozen=True, kw_only=True)
class Layout:
    """What a store will hold.

    Attributes:
        coords: For each dimension the labels along it, numbers or text.
        variables: The quantities, by name.
        block: Labels that one unit of work spans, for the dimensions that work is divided along;
            the others are never divided [count].
        identity: What must be equal for work to be continued, by name.
        provenance: What may differ: who made it, when, how.
    """

    coords: Mapping[str, list[Any]]
    variables: Mapping[str, Variable]
    block: Mapping[str, int]
    identity: Mapping[str, Any]
    provenance: Mapping[str, Any] = field(default_factory=dict)

    def chunk(self, dims: tuple[str, ...]) -> tuple[int, ...]:
        """Return the shape of one unit's part of a variable along these dimensions."""
        return tuple(self.block.get(dim, max(len(self.coords[dim]), 1)) for dim in dims)


class Store:
    """A store of one layout at one path.

    Args:
        path: A folder; made if missing, continued if it holds the same identity.
        layout: What it holds.

    Raises:
        UnusableOutput: If the path holds something else, or cannot be written.

    Example:
        >>> import tempfile
        >>> layout = Layout(coords={"seed": [0, 1], "item": [0, 1, 2]}, block={"seed": 1},
        ...                 variables={"score": Variable(dims=("seed", "item"), dtype="float32",
        ...                                              units="1", about="held-out score")},
        ...                 identity={"what": "example"})
        >>> store = Store(Path(tempfile.mkdtemp()) / "runs.zarr", layout)
        >>> store.write({"seed": 1}, {"score": np.ones(3)})
        >>> store.pending()
        [{'seed': 0}]
    """

    def __init__(self, path: str | os.PathLike[str], layout: Layout):
        self.path, self.layout = Path(path), layout
        try:
            if not self.path.exists():
                _create(self.path, layout)
            self.group: Any = zarr.open_group(self.path, mode="r+")
        except OSError as error:
            raise UnusableOutput(f"cannot write {str(path)!r}: {error}") from error
        except (ValueError, KeyError) as error:
            raise UnusableOutput(f"{str(path)!r} exists and is not a store of results") from error
        _check_identity(self.path, layout, self.group.attrs.get("identity"))

    def pending(self) -> list[Unit]:
        """Return the units of work not yet done, in order."""
        dims = tuple(self.layout.block)
        done = np.asarray(self.group[DONE][...])
        return [dict(zip(dims, map(int, at), strict=True)) for at in np.argwhere(~done)]

    def is_done(self, unit: Unit) -> bool:
        """Tell whether somebody has done a unit of work by now.

        Args:
            unit: The unit.

        Returns:
            Whether all of its data is written.
        """
        return bool(self.group[DONE][self._place(unit)])

    def damaged(self) -> dict[str, Unit]:
        """Read everything that is done again, and find what no longer can be read.

        Returns:
            Damaged units by a name for each, which says where the damage is.
        """
        found = {}
        for at in np.argwhere(np.asarray(self.group[DONE][...])):
            unit = dict(zip(self.layout.block, map(int, at), strict=True))
            for name, variable in self.layout.variables.items():
                try:
                    self.group[name][self._cut(unit, variable)]
                except (ValueError, RuntimeError, OSError) as error:
                    found[f"{self.path.name}/{name} at {unit}: {error}"] = unit
        return found

    def forget(self, unit: Unit) -> None:
        """Count a unit of work as not done, so that it is done again.

        Args:
            unit: The unit.
        """
        self.group[DONE][self._place(unit)] = False

    def _place(self, unit: Unit) -> tuple[int, ...]:
        """Return where a unit stands among all of them."""
        return tuple(unit[dim] for dim in self.layout.block)

    def _cut(self, unit: Unit, variable: Variable) -> tuple[slice, ...]:
        """Return the part of a variable that a unit holds."""
        chunk = self.layout.chunk(variable.dims)
        sizes = [len(self.layout.coords[dim]) for dim in variable.dims]
        return tuple(
            slice(unit[d] * n, min((unit[d] + 1) * n, size)) if d in unit else slice(0, size)
            for d, n, size in zip(variable.dims, chunk, sizes, strict=True)
        )

    def write(self, unit: Unit, values: Mapping[str, Any]) -> None:
        """Write all of a unit's data, then mark it done.

        Args:
            unit: One of :meth:`pending`.
            values: For each variable its array over the unit, divided dimensions of block 1
                dropped or kept.

        Raises:
            UnusableOutput: If the disk is full or the store has become unwritable.
        """
        try:
            for name, variable in self.layout.variables.items():
                at = self._cut(unit, variable)
                shape = [cut.stop - cut.start for cut in at]
                self.group[name][at] = np.asarray(values[name]).reshape(shape)
            self.group[DONE][self._place(unit)] = True
        except OSError as error:
            raise UnusableOutput(f"cannot write {str(self.path)!r}: {error}") from error

    def load(self) -> xr.Dataset:
        """Return everything written so far, in memory."""
        return load(self.path)


def load(path: str | os.PathLike[str]) -> xr.Dataset:
    """Read a store.

    Args:
        path: Its folder.

    Returns:
        Its variables with their labels, in memory.

    Raises:
        UnusableOutput: If there is no store, or a chunk of it is damaged.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # zarr's, about text labels being new in format 3
            return xr.open_zarr(path, consolidated=False, chunks=None).load()
    except Exception as error:
        raise UnusableOutput(f"cannot read the results at {os.fspath(path)!r}: {error}") from error


def identity_of(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Return what a store is the work of.

    Args:
        path: Its folder.

    Returns:
        What its layout said.

    Raises:
        UnusableOutput: If there is no store.
    """
    try:
        return dict(json.loads(zarr.open_group(path, mode="r").attrs["identity"]))  # type: ignore[arg-type]
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise UnusableOutput(f"{os.fspath(path)!r} is not a store of results") from error


def _create(path: Path, layout: Layout) -> None:
    """Lay the store out beside its place, then move it there whole."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    beside.parent.mkdir(parents=True, exist_ok=True)
    try:
        group: Any = zarr.open_group(
            beside,
            mode="w",
            attributes={
                "identity": json.dumps(layout.identity, sort_keys=True),
                **layout.provenance,
            },
        )
        for dim, labels in layout.coords.items():
            values = np.array(labels) if labels else np.zeros(0, int)
            if values.dtype.kind == "U":
                values = values.astype(np.dtypes.StringDType())
            _add(group, dim, values.shape, values.shape or (1,), values.dtype, (dim,))
            group[dim][...] = values
        for name, v in layout.variables.items():
            shape = tuple(len(layout.coords[dim]) for dim in v.dims)
            array = _add(group, name, shape, layout.chunk(v.dims), v.dtype, v.dims)
            array.attrs.update({"units": v.units, "long_name": v.about})
        blocks = tuple(-(-len(layout.coords[dim]) // n) for dim, n in layout.block.items())
        dims = tuple(f"{dim}_block" for dim in layout.block)
        _add(group, DONE, blocks, (1,) * len(blocks), "bool", dims)
        try:
            beside.rename(path)
        except OSError:  # another process was first, with the same layout or it will be refused
            if not path.exists():
                raise
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def _add(group: zarr.Group, name: str, shape: tuple, chunks: tuple, dtype: Any, dims: tuple) -> Any:
    """Add one array: checksummed, because a flipped bit must not pass for a result."""
    floating = np.dtype(dtype).kind == "f" if isinstance(dtype, str) else False
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # as in load()
        return group.create_array(
            name,
            shape=shape,
            chunks=tuple(max(n, 1) for n in chunks),
            dtype=dtype,
            compressors=ZstdCodec(level=3, checksum=True),
            fill_value=float("nan") if floating else None,
            dimension_names=dims,
        )


def _check_identity(path: Path, layout: Layout, found: Any) -> None:
    """Refuse to continue another run's work, naming what differs."""
    try:
        theirs = json.loads(found)
    except (TypeError, ValueError):
        raise UnusableOutput(f"{str(path)!r} exists and is not a store of results") from None
    ours = json.loads(json.dumps(layout.identity))
    for key in sorted(set(ours) | set(theirs)):
        if ours.get(key) != theirs.get(key):
            raise UnusableOutput(
                f"{str(path)!r} holds the results of another run: {key} is {theirs.get(key)!r} "
                f"there and {ours.get(key)!r} now; choose another place, or delete it"
            )
