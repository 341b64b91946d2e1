"""How labelled results lie on disk: chunks that are exactly the units of work."""

import json
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from math import ceil
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from zarr.codecs import ZstdCodec

from legatee.disk import folder_beside

DONE = "done"
DIGESTS = "digests"  # attribute of a store: of all that it says about itself beside its chunks
BLOCK = "_block"  # ends the names of its dimensions
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

    def __post_init__(self) -> None:
        for name, variable in self.variables.items():  # or several units would share a chunk
            assert set(self.block) <= set(variable.dims), f"{name} must vary along {self.block}"

    @property
    def arrays(self) -> dict[str, tuple[tuple[int, ...], tuple[int, ...]]]:
        """Shape and chunks of every variable, and of the marks of what is done."""
        found = {}
        for name, variable in self.variables.items():
            shape = tuple(len(self.coords[dim]) for dim in variable.dims)
            chunk = (self.block.get(dim, n) for dim, n in zip(variable.dims, shape, strict=True))
            found[name] = (shape, tuple(max(n, 1) for n in chunk))
        blocks = tuple(ceil(len(self.coords[dim]) / n) for dim, n in self.block.items())
        return {**found, DONE: (blocks, (1,) * len(blocks))}


def lay_out(path: Path, layout: Layout) -> None:
    """Lay a store out beside its place, then move it there whole.

    Args:
        path: Its place; whoever is first there wins.
        layout: What it will hold.

    Raises:
        OSError: If it cannot be written.
    """
    with folder_beside(path) as temporary:
        identity = json.dumps(layout.identity, sort_keys=True)
        attributes = {"identity": identity, **layout.provenance}
        group: Any = zarr.open_group(temporary, mode="w", attributes=attributes)
        for dim, labels in layout.coords.items():
            values = np.array(labels) if labels else np.zeros(0, int)
            if values.dtype.kind == "U":
                values = values.astype(np.dtypes.StringDType())
            chunks = tuple(max(n, 1) for n in values.shape)
            _add(group, dim, values.dtype, (dim,), (values.shape, chunks))[...] = values
        for name, v in layout.variables.items():
            array = _add(group, name, v.dtype, v.dims, layout.arrays[name])
            array.attrs.update({"units": v.units, "long_name": v.about})
        _add(group, DONE, "bool", [f"{dim}{BLOCK}" for dim in layout.block], layout.arrays[DONE])
        group.attrs[DIGESTS] = digests(temporary, group.attrs)
        try:
            temporary.rename(path)
        except OSError:  # another process was first, with the same layout or it will be refused
            if not path.exists():
                raise


def digests(path: Path, attributes: Mapping[str, Any]) -> dict[str, str]:
    """Digest what a store says about itself: chunks have checksums, and this has none.

    Args:
        path: Folder of the store.
        attributes: Its attributes; its digests among them are left out.

    Returns:
        A digest of the attributes under ``""``, and one of each array's description under its name.

    Raises:
        OSError: If a description cannot be read.
    """
    own = json.dumps({k: v for k, v in attributes.items() if k != DIGESTS}, sort_keys=True)
    files = sorted(path.glob("*/zarr.json"))
    texts = {"": own.encode()} | {file.parent.name: file.read_bytes() for file in files}
    return {name: sha256(text).hexdigest() for name, text in texts.items()}


def _add(group: zarr.Group, name: str, dtype: Any, dims: Iterable[str], sizes: tuple) -> Any:
    """Add one array: checksummed, because a flipped bit must not pass for a result."""
    shape, chunks = sizes
    floating = np.dtype(dtype).kind == "f" if isinstance(dtype, str) else False
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # zarr's, about text labels being new in format 3
        return group.create_array(
            name,
            shape=shape,
            chunks=chunks,
            dtype=dtype,
            compressors=ZstdCodec(level=3, checksum=True),
            fill_value=float("nan") if floating else None,
            dimension_names=tuple(dims),
        )
