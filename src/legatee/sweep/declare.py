"""A sweep: settings, seeds, how they are simulated, and how the results are laid out on disk."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib.metadata import version
from math import ceil, prod
from typing import Any

import numpy as np

from legatee.errors import SettingError
from legatee.results import Layout, Variable
from legatee.simulator.batch import seconds_of
from legatee.simulator.deep import LAYERS, MEASURED_DEEP
from legatee.simulator.label import MEASURED, RUNS, STATUSES
from legatee.simulator.request import how_of, seeds_of
from legatee.world.grid import Grid
from legatee.world.setting import TASKS, Setting, fields

BLOCK_SECONDS = 10.0  # that a unit of work takes at most, about: little is lost with it [s]
SAMPLE = 256  # settings that a cell's time is estimated from [count]
MOST = 10**6  # seeds: more are a mistake [count]
DEEP = 5  # times as long for each layer without a compiled kernel [ratio]
BLOCKS = 32  # that work is divided into at least, where these take a second or more [count]
SIDES: dict[str, list] = {
    "task": list(TASKS),
    "sign": [1, -1],
    "statistic": ["mean", "spread"],
}
OPTIONS = ("record_steps", "test_draws", "dtype", "layers")
CODES = {status: code for code, status in enumerate(("missing", *STATUSES))}  # on disk
Box = dict[str, tuple]  # for each axis, and for "seed", some of its values


@dataclass(frozen=True, kw_only=True)
class Sweep:
    """What to simulate.

    Attributes:
        grid: The settings.
        seeds: Which seeds; runs of settings under the same one are paired.
        record_steps: Steps at which networks are measured, beside the first and the last; a step
            beyond the end of a training is its end [count].
        test_draws: Test points of each seed and task [count, >= 2].
        dtype: What to compute in, ``float32`` or ``float64``.
        layers: Layers of the networks, the fixed outputs among them; of more than two, the
            paper's, only loss and accuracy are measured, before training and after it
            [count, >= 2].

    Raises:
        SettingError: If a number is out of its range.
        UnknownNameError: If there is no such ``dtype``.

    Example:
        >>> from legatee.world.setting import EXAMPLE
        >>> sweep = Sweep(grid=Grid(base=EXAMPLE, axes={"alpha": [0, 0.5, 1]}), seeds=(0, 1))
        >>> sweep.cells
        6
    """

    grid: Grid
    seeds: tuple[int, ...]
    record_steps: tuple[int, ...] = ()
    test_draws: int = 500
    dtype: str = "float32"
    layers: int = 2

    def __post_init__(self) -> None:
        LAYERS.check("layers", self.layers)
        if len(self.seeds) > MOST:
            raise SettingError(f"there are {len(self.seeds):,} seeds; expected {MOST:,} at most")
        object.__setattr__(self, "seeds", tuple(seeds_of(self.seeds)))
        how = how_of(
            [self.grid[0]],
            device="cpu",
            dtype=self.dtype,
            record_steps=self.record_steps,
            test_draws=self.test_draws,
            coefficients=False,
        )
        object.__setattr__(self, "record_steps", how.record_steps)
        if self.layers > 2 and self.record_steps:
            raise SettingError(
                f"record_steps is {list(self.record_steps)}; networks of {self.layers} layers are "
                "measured only before and after training, so leave it out"
            )

    @property
    def box(self) -> Box:
        """The values of every axis, seeds included."""
        return {**self.grid.axes, "seed": self.seeds}

    @property
    def records(self) -> int:
        """Steps at which every network is measured [count]."""
        return len(self.record_steps) + 2

    @property
    def cells(self) -> int:
        """Settings times seeds [count]."""
        return prod(len(values) for values in self.box.values())

    def seconds(self, number: int) -> float:
        """Return about how long one cell of a setting takes [s]."""
        two = seconds_of(self.grid[number], self.records, self.test_draws)
        return two if self.layers == 2 else DEEP * (self.layers - 1) * two

    def within(self, box: Box) -> "Sweep":
        """Return the part of this sweep that lies in a box."""
        axes = {name: values for name, values in box.items() if name != "seed"}
        return replace(self, grid=Grid(base=self.grid.base, axes=axes), seeds=box["seed"])


def block_of(part: Sweep) -> dict[str, int]:
    """Return the labels that a unit of work spans along each dimension, last dimensions first."""
    sample = range(len(part.grid))
    if len(sample) > SAMPLE:  # by chance: every n-th would see one value of some axis only
        sample = np.random.default_rng(0).integers(len(part.grid), size=SAMPLE).tolist()
    each = float(np.mean([part.seconds(number) for number in sample]))
    seconds = min(BLOCK_SECONDS, max(1.0, each * part.cells / BLOCKS))
    room, block = max(1, int(seconds / each)), {}
    for dim, values in reversed(list(zip(dims_of(part), part.box.values(), strict=True))):
        pieces = ceil(len(values) / min(room, len(values)))
        block[dim] = ceil(len(values) / pieces)
        room = max(1, room // block[dim]) if pieces == 1 else 1
    return dict(reversed(block.items()))


def layout_of(part: Sweep, block: Mapping[str, int]) -> Layout:
    """Return how a part lies on disk."""
    coords: dict[str, list] = {d: list(c) for d, (_, c) in part.grid.coords.items()}
    coords = {dim: coords[dim] for dim in part.grid.dims} | {"seed": list(part.seeds)}
    coords |= {"run": list(RUNS), "step": list(range(part.records)), **SIDES}
    common = {
        f"setting {name}": value
        for name, value in fields(part.grid.base).items()
        if name not in part.grid.coords
    }
    return Layout(
        coords=coords,
        variables={
            name: Variable(
                dims=dims,
                dtype="int8" if name == "status" else "int32" if units == "count" else part.dtype,
                units=units,
                about=about,
            )
            for name, (dims, units, about) in variables_of(part).items()
        },
        block=block,
        identity={
            **common,
            "axes": [[name, list(values)] for name, values in part.grid.axes.items()],  # in order
            "seeds": list(part.seeds),
            **options_of(part),
            "version": version("legatee"),
            "block": dict(block),
        },
    )


def variables_of(part: Sweep) -> dict[str, tuple[tuple[str, ...], str, str]]:
    """Return dimensions, units and meaning of everything that is kept."""
    cell = dims_of(part)
    kept = {
        name: ((*cell, *dims[2:]), units, about)
        for name, (dims, units, about) in MEASURED.items()
        if "filter" not in dims and (part.layers == 2 or name in MEASURED_DEEP)
    }
    return {
        **kept,
        "status": (
            (*cell, "run"),
            "code",
            ", ".join(f"{code} {status}" for status, code in CODES.items()),
        ),
    }


def dims_of(part: Sweep) -> tuple[str, ...]:
    """Return the dimensions of cells."""
    return (*part.grid.dims, "seed")


def options_of(sweep: Sweep) -> dict[str, Any]:
    """Return how the cells of a sweep are simulated, as JSON holds it."""
    return {name: getattr(sweep, name) for name in OPTIONS} | {
        "record_steps": list(sweep.record_steps)
    }


def sweep_of(identity: Mapping[str, Any], box: Box) -> Sweep:
    """Return the sweep that a part belongs to."""
    own = {k.removeprefix("setting "): v for k, v in identity.items() if k.startswith("setting ")}
    axes = {name: values for name, values in box.items() if name != "seed"}
    first = {
        field: value
        for name, values in axes.items()
        for field, value in zip(
            name.split(","), values[0] if "," in name else values[:1], strict=True
        )
    }
    base = Setting.of({name: value for name, value in (own | first).items() if value is not None})
    options = {name: identity[name] for name in OPTIONS}
    return Sweep(grid=Grid(base=base, axes=axes), seeds=box["seed"], **options)
