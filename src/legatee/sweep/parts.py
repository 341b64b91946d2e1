"""The parts of a sweep on disk: what each of them holds, what is missing, and all of them as one.

A part is a store of its own that holds a box of cells: some values of every axis. The first part
holds the first grid; when an axis becomes longer, what is new is a box or several, each a new part.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from legatee.errors import UnusableOutput
from legatee.quantity import QUANTITIES
from legatee.results import Store, identity_of
from legatee.results import load as load_store
from legatee.setting import fields
from legatee.simulator.batch import evenly
from legatee.simulator.label import RUNS
from legatee.sweep.declare import (
    CODES,
    SIDES,
    Box,
    Sweep,
    block_of,
    layout_of,
    sweep_of,
    variables_of,
)

STEPS = ("steps", "upstream.steps", "downstream.steps")


def parts_of(
    sweep: Sweep, folder: Path, provenance: Mapping[str, Any]
) -> list[tuple[Path, Sweep, dict[str, int]]]:
    """Return the parts of a sweep with their blocks; those that are missing are laid out."""
    parts, rest = [], [sweep.box]
    for path in sorted(folder.glob("part-*.zarr")):
        identity = identity_of(path)
        box = _box(identity)
        _check_box(path, box, sweep)
        parts.append((path, sweep.within(box), identity["block"]))
        rest = [piece for one in rest for piece in _without(one, box)]
    for number, box in enumerate(rest, len(parts)):
        part = sweep.within(box)
        path, block = folder / f"part-{number:03d}.zarr", block_of(part)
        Store(path, replace(layout_of(part, block), provenance=provenance))
        parts.append((path, part, block))
    return parts


def load(folder: Path) -> xr.Dataset:
    """Read a sweep.

    Args:
        folder: What :func:`run` filled, or has begun to fill.

    Returns:
        What was measured, as :func:`~legatee.simulator.run.simulate` names it, with a dimension for
        each axis instead of ``setting``; cells that are missing have the status ``missing`` and
        NaN.

    Raises:
        UnusableOutput: If there is no sweep, or a chunk of it is damaged.
    """
    paths = sorted(folder.glob("part-*.zarr"))
    if not paths:
        raise UnusableOutput(f"{str(folder)!r} holds no sweep; run legatee sweep first")
    identities = [identity_of(path) for path in paths]
    boxes = [_box(identity) for identity in identities]
    whole = {name: _ordered(value for box in boxes for value in box[name]) for name in boxes[0]}
    sweep = sweep_of(identities[0], whole)
    loaded = [load_store(path) for path in paths]
    data = {}
    for name, (dims, units, about) in variables_of(sweep).items():
        values = [(box, part[name].values) for box, part in zip(boxes, loaded, strict=True)]
        data[name] = (dims, _assembled(whole, values), {"units": units, "long_name": about})
    dims, codes, _ = data["status"]
    data["status"] = (dims, np.array(list(CODES))[codes], {"long_name": "how training ended"})
    return xr.Dataset(data, _coords(sweep), dict(loaded[0].attrs))


def _check_box(path: Path, box: Box, sweep: Sweep) -> None:
    """Refuse a part that does not lie in the sweep, naming the difference."""
    for name in [*box, *sweep.box]:
        there, now = box.get(name), sweep.box.get(name)
        if there is None or now is None:
            where = "now, but not there" if there is None else "there, but not now"
            raise UnusableOutput(
                f"{str(path.parent)!r} holds another sweep: {name} is an axis {where}; choose "
                "another place"
            )
        if gone := [value for value in there if value not in now]:
            raise UnusableOutput(
                f"{str(path.parent)!r} holds another sweep: {name} = {gone[0]} is there and not "
                "in the grid now; axes may become longer, not shorter; choose another place"
            )


def _without(box: Box, other: Box) -> list[Box]:
    """Return what is left of a box without another one, as boxes."""
    if any(not set(box[name]) & set(other[name]) for name in box):
        return [box]
    left = []
    for name in box:
        if outside := tuple(value for value in box[name] if value not in other[name]):
            left.append({**box, name: outside})
        box = {**box, name: tuple(value for value in box[name] if value in other[name])}
    return left


def _box(identity: Mapping[str, Any]) -> Box:
    """Return the box that a part holds."""
    axes = {
        name: tuple(tuple(value) if isinstance(value, list) else value for value in values)
        for name, values in identity["axes"]
    }
    return {**axes, "seed": tuple(identity["seeds"])}


def _ordered(values: Iterable) -> tuple:
    """Return values without doubles, numbers in order."""
    every = list(dict.fromkeys(values))
    return tuple(sorted(every)) if not any(isinstance(v, str) for v in every) else tuple(every)


def _assembled(whole: Box, parts: list[tuple[Box, np.ndarray]]) -> np.ndarray:
    """Put the parts' values of a variable into one array."""
    first = parts[0][1]
    shape = (*(len(values) for values in whole.values()), *first.shape[len(whole) :])
    filler = np.nan if first.dtype.kind == "f" else 0
    result = np.full(shape, filler, first.dtype)
    for box, values in parts:
        at = [[whole[name].index(value) for value in box[name]] for name in whole]
        result[np.ix_(*at)] = values
    return result


def _coords(sweep: Sweep) -> dict[str, Any]:
    """Return every field of the settings, and the numbers of the steps looked at."""
    grid = sweep.grid
    coords: dict[str, Any] = {name: value for name, value in fields(grid.base).items()}
    coords |= grid.coords | {"seed": list(sweep.seeds), "run": list(RUNS), **SIDES}
    for name, quantity in QUANTITIES.items():
        along, values = coords[name] if isinstance(coords[name], tuple) else ((), coords[name])
        about = {"units": quantity.units, "long_name": quantity.about}
        coords[name] = (
            along,
            np.nan if values is None else list(values) if along else values,
            about,
        )
    along = [i for i, name in enumerate(grid.axes) if set(name.split(",")) & set(STEPS)]
    looked = np.empty((*(grid.shape[i] for i in along), len(RUNS), sweep.log_steps), int)
    for at in np.ndindex(*(grid.shape[i] for i in along)):
        place = np.zeros(len(grid.shape), int)
        place[along] = at
        tasks = grid[int(np.ravel_multi_index(tuple(place), grid.shape))].resolved
        looked[at] = [evenly(sweep.log_steps, tasks[k].steps) for k in (0, 1, 1)]
    dims = (*(grid.dims[i] for i in along), "run", "step")
    coords["step_number"] = (dims, looked, {"units": "count", "long_name": "steps taken"})
    return coords
