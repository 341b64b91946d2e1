"""What a figure would read if accuracies were as a test says: datasets laid out as sweeps are."""

from itertools import product
from types import SimpleNamespace

import numpy as np
import xarray as xr

from legatee.experiments.experiment import SweepResult
from legatee.experiments.reproduce import experiment
from legatee.experiments.verdicts import judged

RUNS = ["upstream", "scratch", "inherited"]
NOISE = {"scratch": [0.0, 0.02, -0.02, 0.0], "inherited": [0.03, -0.01, -0.01, -0.01]}  # mean 0
SEEDS = 4


def cells(grid):
    """Every cell of a grid: its place, and its labels by field with underscores for dots."""
    for at in np.ndindex(grid.shape):
        yield (
            at,
            {
                field.replace(".", "_"): values[at[grid.dims.index(dim)]]
                for field, (dim, values) in grid.coords.items()
            },
        )


def dataset(grid, inherited, scratch, *, noise=NOISE, steps=(0, 1), diverged=()):
    """Accuracies [percent] after training as two functions of a cell's labels.

    Each earlier step is 10 points lower. ``diverged`` names places (..., seed, run) whose training
    diverged: their accuracy is there, and is high.
    """
    shape = (*grid.shape, SEEDS, len(RUNS))
    accuracy = np.full((*shape, len(steps)), np.nan)
    for at, labels in cells(grid):
        for run, function in (("scratch", scratch), ("inherited", inherited)):
            for seed, back in product(range(SEEDS), range(len(steps))):
                value = function(**labels) + noise[run][seed] - 10 * back
                accuracy[(*at, seed, RUNS.index(run), len(steps) - 1 - back)] = value / 100
    status = np.full(shape, "done", "<U20")
    for place in diverged:
        status[place] = "diverged"
    dims = (*grid.dims, "seed", "run")
    coords = {field: (dim, list(values)) for field, (dim, values) in grid.coords.items()}
    coords |= {"run": RUNS, "seed": list(range(SEEDS))}
    coords["step_number"] = (("run", "step"), np.tile(steps, (3, 1)))
    return xr.Dataset(
        {"test_accuracy": ((*dims, "step"), accuracy), "status": (dims, status)}, coords
    )


def results(name, *inherited, scratch=lambda **_: 70.0, **options):
    """The results of a figure's sweeps, a function of labels for each of them."""
    sweeps = experiment(name).quick
    assert len(sweeps) == len(inherited)
    return [
        SweepResult(sweep.grid, dataset(sweep.grid, function, scratch, **options))
        for sweep, function in zip(sweeps, inherited, strict=True)
    ]


def panels_and_claims(name, *inherited, **options):
    return experiment(name).read(*results(name, *inherited, **options))


def claims_of(name, *inherited, **options):
    return panels_and_claims(name, *inherited, **options)[1]


def effects(claim):
    """The mean over seeds, to a thousandth, and the claimed range of each of a claim's effects."""
    return [
        (round(float(np.mean(effect.values)), 3), effect.at_least, effect.at_most)
        for effect in claim.effects
    ]


def more_than(bound, *means):
    return [(mean, bound, None) for mean in means]


def outcomes(claims):
    return [claim.outcome.value for claim in judged(claims)]


def drawn(panel):
    """Name, kind, colour, x and y of everything that a panel draws."""
    return [
        (s.name, s.kind, s.colour, [*map(float, s.x)], [round(float(y), 3) for y in s.y])
        for s in panel.series
    ]


def predicted_by_place(grid):
    """A prediction that tells where in the grid it stands: 1, 2, 3, ... percent for scratch."""
    return [
        SimpleNamespace(scratch=i / 100, inherited=(i + 0.5) / 100, gain=(100 + i) / 100)
        for i, _ in enumerate(grid, 1)
    ]
