"""Labelled results on disk, laid out before they exist and filled one unit of work at a time.

A store is a zarr group. Its chunks are exactly its units of work, so two writers never share one;
a unit counts as done only once all of its data is written. Kill the writer at any moment: what was
done is kept, what was not is done again.
"""

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from textwrap import shorten
from typing import Any

import numpy as np
import xarray as xr
import zarr

from legatee.errors import OutputError
from legatee.results.layout import DONE, Layout, Unit, lay_out
from legatee.results.read import check, cut_of, damage, identity_of, load, opened


class Store:
    """A store of one layout at one path.

    Args:
        path: A folder; made if missing, continued if it holds the same identity.
        layout: What it holds.

    Raises:
        OutputError: If the path holds something else, or cannot be written.

    Example:
        >>> import tempfile
        >>> from legatee.results import Variable
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
                lay_out(self.path, layout)
        except OSError as error:
            raise OutputError(f"cannot write {str(path)!r}: {error}") from error
        group = opened(self.path, "r+")
        _check_identity(self.path, layout, identity_of(self.path))
        try:
            with zarr.config.set({"array.write_empty_chunks": True}):  # a missing chunk is damage
                self.arrays = {name: group[name] for name in (*layout.variables, DONE)}
        except Exception as error:  # what zarr raises has many types
            raise OutputError(f"{str(path)!r} is damaged: {error}; delete it") from error
        there = {name: (array.shape, array.chunks) for name, array in self.arrays.items()}
        if there != layout.arrays:
            raise OutputError(f"{str(path)!r} is damaged: its arrays changed; delete it")

    def pending(self) -> list[Unit]:
        """Return the units of work not yet done, in order.

        Raises:
            OutputError: If it cannot be told.
        """
        try:
            done = np.asarray(self.arrays[DONE][...])
        except Exception as error:  # what zarr and its codecs raise has many types
            check(self.path)
            raise OutputError(f"cannot read {str(self.path)!r}: {error}") from error
        return [dict(zip(self.layout.block, at, strict=True)) for at in np.argwhere(~done).tolist()]

    def is_done(self, unit: Unit) -> bool:
        """Tell whether somebody has done a unit of work by now.

        Args:
            unit: The unit.

        Returns:
            Whether all of its data is written.
        """
        return bool(self.arrays[DONE][self._place(unit)])

    def damaged(self) -> Iterator[Unit]:
        """Read everything that is done again, and find what no longer can be read.

        Yields:
            Each damaged unit.
        """
        for unit, _ in damage(self.path):
            yield unit

    def forget(self, unit: Unit) -> None:
        """Count a unit of work as not done, so that it is done again.

        Args:
            unit: The unit.
        """
        self.arrays[DONE][self._place(unit)] = False

    def _place(self, unit: Unit) -> tuple[int, ...]:
        """Return where a unit stands among all of them."""
        return tuple(unit[dim] for dim in self.layout.block)

    def write(self, unit: Unit, values: Mapping[str, Any]) -> None:
        """Write all of a unit's data, then mark it done.

        Args:
            unit: One of :meth:`pending`.
            values: For each variable its array over the unit, divided dimensions of block 1
                dropped or kept.

        Raises:
            OutputError: If the disk is full or the store has become unwritable.
        """
        try:
            for name in self.layout.variables:
                at = cut_of(self.arrays[name], unit)
                shape = [cut.stop - cut.start for cut in at]
                self.arrays[name][at] = np.asarray(values[name]).reshape(shape)
            self.arrays[DONE][self._place(unit)] = True
        except OSError as error:
            raise OutputError(f"cannot write {str(self.path)!r}: {error}") from error

    def load(self) -> xr.Dataset:
        """Return everything written so far, in memory."""
        return load(self.path)


def _check_identity(path: Path, layout: Layout, stored: Mapping[str, Any]) -> None:
    """Refuse to continue another run's work, naming what differs."""
    wanted = json.loads(json.dumps(layout.identity))
    for key in sorted(set(wanted) | set(stored)):
        there, now = stored.get(key), wanted.get(key)
        if there != now:
            raise OutputError(
                f"{str(path)!r} holds the results of another run: {key} is {_brief(there)} there "
                f"and {_brief(now)} now; choose another place, or delete it"
            )


def _brief(value: Any) -> str:
    """Return what a value looks like, in a line."""
    return shorten(repr(value), 100, placeholder=" ...")
