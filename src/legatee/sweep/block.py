"""A unit of work: a block of cells, simulated wherever it is sent, and written from there."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from math import prod
from pathlib import Path
from platform import node
from typing import Any

import numpy as np

from legatee.errors import LegateeError, OutputError
from legatee.results import Store, Unit
from legatee.simulator.deep import simulate_deep
from legatee.simulator.run import simulate
from legatee.sweep.declare import CODES, Sweep, dims_of, layout_of


@dataclass(frozen=True, kw_only=True)
class Block:
    """A unit of work, as it is sent to whoever does it.

    Attributes:
        path: Of the store that it belongs into, absolute.
        part: The sweep that this store holds.
        block: Labels that a unit spans along each dimension [count].
        unit: Which one.
        device: Where to compute.
    """

    path: str
    part: Sweep
    block: Mapping[str, int]
    unit: Unit
    device: str

    @property
    def spans(self) -> dict[str, range]:
        """Along each divided dimension, the positions that this unit holds."""
        sizes = dict(zip(dims_of(self.part), map(len, self.part.box.values()), strict=True))
        return {
            dim: range(at * self.block[dim], min((at + 1) * self.block[dim], sizes[dim]))
            for dim, at in self.unit.items()
        }

    @property
    def cells(self) -> int:
        """Settings times seeds [count]."""
        return prod(len(span) for span in self.spans.values())

    @property
    def first(self) -> str:
        """The first cell, in words."""
        labels = layout_of(self.part, self.block).coords
        return ", ".join(f"{dim} = {labels[dim][span[0]]}" for dim, span in self.spans.items())


def compute(block: Block) -> int:
    """Simulate one block and write it, unless somebody else has.

    Args:
        block: What to compute.

    Returns:
        Runs that did not end well [count].

    Raises:
        OutputError: If it cannot be written.
        LegateeError: If it cannot be computed.
    """
    try:
        store = _opened(block.path, block.part, tuple(block.block.items()))
        return 0 if store.is_done(block.unit) else _compute(block, store)
    except OutputError:
        raise
    except Exception as error:  # in words: not every error survives the way back
        kind = "" if isinstance(error, LegateeError) else f"{type(error).__name__}: "
        raise LegateeError(f"{kind}{error}") from error


def _compute(block: Block, store: Store) -> int:
    """Simulate one block and write it; return how many runs did not end well."""
    part = block.part
    *axes, seeds = block.spans.values()  # in the dimensions' order
    places = [np.ravel_multi_index(at, part.grid.shape) for at in product(*axes)]
    runs = [part.grid[int(place)] for place in places], [part.seeds[i] for i in seeds]
    how: dict[str, Any] = {
        "device": block.device,
        "dtype": part.dtype,
        "test_draws": part.test_draws,
    }
    if part.layers == 2:
        found = simulate(*runs, record_steps=part.record_steps, **how)
    else:
        found = simulate_deep(*runs, layers=part.layers, **how)
    bad = int((found["status"] != "done").sum())
    found["status"] = found["status"].copy(data=np.vectorize(CODES.get)(found["status"].values))
    shape, values = tuple(len(span) for span in axes), {}
    with np.errstate(over="ignore"):  # what diverges may go beyond float32, to infinity
        for name, variable in store.layout.variables.items():
            kept = found[name].values.astype(variable.dtype)
            values[name] = kept.reshape(*shape, *kept.shape[1:])
    store.write(block.unit, values)
    return bad


@lru_cache(maxsize=4)
def _opened(path: str, part: Sweep, block: tuple[tuple[str, int], ...]) -> Store:
    """Return a store in a worker, where several of its units are computed."""
    if not Path(path).exists():
        raise OutputError(
            f"{path!r} is not there at the worker on {node()}; workers must see the same files"
        )
    return Store(path, layout_of(part, dict(block)))
