"""Reading a sweep: all of its parts as one."""

import os
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from legatee.errors import DamageError, OutputError, UnknownNameError
from legatee.results import check
from legatee.results import load as load_store
from legatee.simulator.batch import recorded
from legatee.simulator.label import RUNS, TASK_OF_RUN
from legatee.sweep.declare import CODES, SIDES, Box, Sweep, sweep_of, variables_of
from legatee.sweep.parts import part_of, paths_of
from legatee.world.quantity import QUANTITIES
from legatee.world.setting import fields

STEPS = ("steps", "upstream.steps", "downstream.steps")


def load(folder: str | os.PathLike[str], names: Iterable[str] | None = None) -> xr.Dataset:
    """Read a sweep, or what there is of it so far.

    Args:
        folder: What ``legatee sweep`` or :func:`~legatee.sweep.run.run` fills.
        names: Variables to read, such as ``["test_accuracy"]``; all if ``None``.

    Returns:
        What was measured, as :func:`~legatee.simulator.run.simulate` names it, with a dimension for
        each axis instead of ``setting``, numbers in order. Cells that are not there yet have the
        status ``missing`` and NaN, or 0 where all numbers are whole.

    Raises:
        OutputError: If there is no sweep, or a chunk of it is damaged, which is named.
        UnknownNameError: If there is no variable of some name.
    """
    paths = _some(folder)
    boxes, identities = zip(*map(part_of, paths), strict=True)
    try:
        whole = {name: _ordered(v for box in boxes for v in box[name]) for name in boxes[0]}
        sweep = sweep_of(identities[0], whole)
    except (KeyError, ValueError) as error:
        raise OutputError(f"{os.fspath(folder)!r} holds no sweep: {error}") from error
    known = variables_of(sweep)
    wanted = list(known if names is None else names)
    for name in wanted:
        if name not in known:
            raise UnknownNameError("variable", name, known)
    loaded = [_loaded(path, {*wanted, "status"}) for path in paths]
    data: dict[str, Any] = {}
    for name in wanted:
        dims, units, about = known[name]
        values = [part[name].transpose(*dims).values for part in loaded]
        parts = list(zip(boxes, values, strict=True))
        data[name] = (dims, _assembled(whole, parts), {"units": units, "long_name": about})
    if "status" in data:
        dims, codes, _ = data["status"]
        data["status"] = (dims, np.array(list(CODES))[codes], {"long_name": "how training ended"})
    keys = dict.fromkeys(key for part in loaded for key in part.attrs if key != "identity")
    made = {k: "; ".join(dict.fromkeys(str(part.attrs.get(k)) for part in loaded)) for k in keys}
    return xr.Dataset(data, _coords(sweep), made)


def tally(folder: str | os.PathLike[str]) -> dict[str, int]:
    """Read a sweep block by block, and count how its runs ended.

    Args:
        folder: What holds it.

    Returns:
        Runs by status, the most frequent first [count].

    Raises:
        OutputError: If there is no sweep, or a chunk of it is damaged, which is named.
    """
    found: Counter[str] = Counter()
    for path in _some(folder):
        with mending():
            check(path)
        codes = load_store(path, ["status"])["status"].values
        for status, runs in zip(CODES, np.bincount(codes.ravel()).tolist(), strict=False):
            found[status] += runs
    return {status: runs for status, runs in found.most_common() if runs}


@contextmanager
def mending() -> Iterator[None]:
    """Say of damage how it is mended.

    Yields:
        Nothing.

    Raises:
        DamageError: If the block does.
    """
    try:
        yield
    except DamageError as error:
        hint = "legatee sweep --repair computes again what is damaged"
        raise DamageError(f"{error}; {hint}") from error


def _some(folder: str | os.PathLike[str]) -> list[Path]:
    """Return the stores of a sweep, one at least."""
    if paths := paths_of(folder):
        return paths
    raise OutputError(f"{os.fspath(folder)!r} holds no sweep; run legatee sweep first")


def _loaded(path: Path, names: set[str]) -> xr.Dataset:
    """Read a part; what a block left that was not finished is not shown."""
    with mending():
        found = load_store(path, names)
    there = found["status"].isel(run=0) > 0  # it is written last
    if not there.all():
        floating = [name for name in names if found[name].dtype.kind == "f"]
        found = found.assign({name: found[name].where(there) for name in floating})
    return found


def _ordered(values: Iterable) -> tuple:
    """Return values without doubles, numbers in order."""
    every = list(dict.fromkeys(values))
    return tuple(every) if any(isinstance(value, str) for value in every) else tuple(sorted(every))


def _assembled(whole: Box, parts: list[tuple[Box, np.ndarray]]) -> np.ndarray:
    """Put the parts' values of a variable into one array."""
    first = parts[0][1]
    if len(parts) == 1 and parts[0][0] == whole:
        return first
    shape = (*(len(values) for values in whole.values()), *first.shape[len(whole) :])
    result = np.full(shape, np.nan if first.dtype.kind == "f" else 0, first.dtype)
    places = {name: {value: i for i, value in enumerate(values)} for name, values in whole.items()}
    for box, values in parts:
        at = [[places[name][value] for value in box[name]] for name in whole]
        result[np.ix_(*at)] = values
    return result


def _coords(sweep: Sweep) -> dict[str, Any]:
    """Return every field of the settings, and the numbers of the steps looked at."""
    grid = sweep.grid
    coords: dict[str, Any] = {name: ((), value) for name, value in fields(grid.base).items()}
    coords |= grid.coords | {"seed": ("seed", list(sweep.seeds)), "run": ("run", list(RUNS))}
    coords |= {name: (name, labels) for name, labels in SIDES.items()}
    for name, quantity in QUANTITIES.items():
        dims, values = coords[name]
        if not dims and values is None:  # a task that does not override takes the setting's
            dims, values = coords[name.rpartition(".")[2]][:2]
        about = {"units": quantity.units, "long_name": quantity.about}
        coords[name] = (dims, list(values) if dims else values, about)
    coords["inherit"] = (coords["inherit"][0], np.array(coords["inherit"][1]))
    return coords | {"step_number": _steps(sweep)}


def _steps(sweep: Sweep) -> tuple[tuple[str, ...], np.ndarray, dict[str, str]]:
    """Return the numbers of the steps looked at, along the axes that change them."""
    grid = sweep.grid
    along = [i for i, name in enumerate(grid.axes) if set(name.split(",")) & set(STEPS)]
    sizes = [grid.shape[i] for i in along]
    looked = np.empty((*sizes, len(RUNS), sweep.records), int)
    for at in np.ndindex(*sizes):
        place = np.zeros(len(grid.shape), int)
        place[along] = at
        tasks = grid[int(np.ravel_multi_index(tuple(place), grid.shape))].resolved
        looked[at] = [recorded(sweep.record_steps, tasks[TASK_OF_RUN[run]].steps) for run in RUNS]
    dims = (*(grid.dims[i] for i in along), "run", "step")
    return dims, looked, {"units": "count", "long_name": "steps taken"}
