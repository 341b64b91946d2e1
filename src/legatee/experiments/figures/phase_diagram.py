"""The paper's heat map: accuracy and gain over |u| and d, and where theory draws the boundary."""

from dataclasses import replace
from typing import Literal

import numpy as np
import xarray as xr
from sklearn.isotonic import isotonic_regression

from legatee.experiments.experiment import PAPER, Experiment, SweepResult
from legatee.experiments.jackknife import pseudo_values
from legatee.experiments.panels import accuracy, gain, predictions
from legatee.experiments.verdicts import Claimed, Effect
from legatee.finding import Axis, Heatmap, Series
from legatee.sweep.declare import Sweep
from legatee.world.grid import Grid

BASE = replace(  # own signals are weak, so that without a universal one both networks fail
    PAPER,
    steps=400,
    upstream=replace(PAPER.upstream, n=100, v_norm=1.0),
    downstream=replace(PAPER.downstream, v_norm=1.0),
)
GOOD = 80.0  # an accuracy where the map is cut [percent]
LOW, HIGH = 65.0, 90.0  # accuracies between which the transition lies [percent]
SHARP = 1.5  # factor of |u| within which a transition is sharp
CLOSE = 5  # how far a boundary may be off [percent of |u|]
EXPONENTS = 0.2, 0.3  # around the fourth root: of d that |u| may grow with
NO_BOUNDARY = "diverged or do not reach these accuracies"
Scale = Literal["sequential", "diverging", "cut"]
X, Y = Axis(label="universal signal |u|"), Axis(label="dimension d", log=True)


def read(result: SweepResult) -> tuple[tuple[Heatmap, ...], tuple[Claimed, ...]]:
    """Draw the maps; test how sharp the boundary is and whether it is predicted."""
    grid, data = result
    final, gains = accuracy(data, "inherited"), gain(data)
    predicted, predicted_gains = predictions(grid, "inherited"), predictions(grid, "gain")
    line = _line(f"predicted: {GOOD:g} percent", predicted, GOOD)
    none = _line("predicted: no gain", predicted_gains, 0.0)
    mean, percent = final.mean("seed", skipna=False), "test accuracy (percent)"
    good = (mean > GOOD).where(mean.notnull())
    panels = (
        _map("Accuracy of the inheriting network", mean, percent, "sequential", line),
        _map(
            "Gain over scratch",
            gains.mean("seed", skipna=False),
            "gain (points)",
            "diverging",
            none,
        ),
        _map("Where it is accurate", good, f"above {GOOD:g} percent", "cut", line),
    )
    return panels, _claims(final, predicted)


def _claims(final: xr.DataArray, predicted: xr.DataArray) -> tuple[Claimed, ...]:
    """Return claims about the boundary of accuracy, over all dimensions."""
    maps = final.transpose("d", "u_norm", "seed")
    one_map = maps.isel(seed=0, drop=True)
    boundaries = pseudo_values(
        maps.values, lambda mean: _boundary(one_map.copy(data=mean), predicted)
    )
    width, off, slope = boundaries.T
    return (
        Claimed(
            text=f"The boundary is sharp: accuracy rises from {LOW:g} to {HIGH:g} percent within a "
            f"factor {SHARP:g} of |u|.",
            source="paper, section 4 (d)",
            effects=[
                Effect(
                    what="factor",
                    values=width,
                    at_least=None,
                    at_most=SHARP,
                    unit="",
                    without_value=NO_BOUNDARY,
                )
            ],
        ),
        Claimed(
            text=f"The predicted boundary lies within {CLOSE} percent of the simulated one.",
            source="ours",
            effects=[
                Effect(
                    what="distance in |u|, in percent",
                    values=100 * off,
                    at_least=-CLOSE,
                    at_most=CLOSE,
                    unit="",
                    without_value=NO_BOUNDARY,
                )
            ],
        ),
        Claimed(
            text="Along the boundary |u| grows as the fourth root of d: Gamma stays the same.",
            source="paper, Theorem 4.2",
            effects=[
                Effect(
                    what="exponent of d",
                    values=slope,
                    at_least=EXPONENTS[0],
                    at_most=EXPONENTS[1],
                    unit="",
                    without_value=NO_BOUNDARY,
                )
            ],
        ),
    )


def _boundary(final: xr.DataArray, predicted: xr.DataArray) -> np.ndarray:
    """Return width, distance from the predicted boundary, and exponent of a map's boundary."""
    low, good, high = (_crossings(final, level) for level in (LOW, GOOD, HIGH))
    theory, d, known = _crossings(predicted, GOOD), final["d"].values, np.isfinite(good)
    slope = np.nan
    if known.sum() > 1:
        slope = np.polyfit(np.log(d[known]), np.log(good[known]), 1)[0]
    return np.array([np.exp(_mean(np.log(high / low))), _mean(good / theory - 1), slope])


def _mean(values: np.ndarray) -> float:
    """Return the mean of those dimensions that have a boundary; NaN if none has."""
    known = values[np.isfinite(values)]
    return float(known.mean()) if known.size else np.nan


def _crossings(values: xr.DataArray, level: float) -> np.ndarray:
    """Return for each d the |u| at which a map crosses a level upwards; NaN where it does not.

    Noise does not make two crossings of one: the best rising curve is what counts.
    """
    u, crossings = values["u_norm"].values, []
    for row in values.transpose("d", "u_norm").values:
        rising = isotonic_regression(row)
        crosses = rising[0] < level < rising[-1]
        crossings.append(np.interp(level, rising, u) if crosses else np.nan)
    return np.array(crossings)


def _line(name: str, values: xr.DataArray, level: float) -> Series:
    """Return the line along which a map crosses a level."""
    x = _crossings(values, level)
    known = np.isfinite(x)
    return Series(name=name, x=tuple(x[known]), y=tuple(values["d"].values[known]), kind="theory")


def _map(title: str, values: xr.DataArray, label: str, scale: Scale, line: Series) -> Heatmap:
    """Return a map over |u| and d."""
    rows = values.transpose("d", "u_norm")
    return Heatmap(
        title=title,
        x=X,
        y=Y,
        columns=tuple(rows["u_norm"].values),
        rows=tuple(rows["d"].values),
        values=tuple(map(tuple, rows.values.astype(float))),
        label=label,
        scale=scale,
        lines=(line,),
    )


def _grid(cells: int) -> Grid:
    """Return a square map of so many cells a side."""
    d = np.geomspace(300, 30_000, cells).round().astype(int)
    u = np.linspace(0, 4, cells).tolist()
    return Grid(base=BASE, axes={"u_norm": tuple(u), "d": tuple(d.tolist())})


EXPERIMENT = Experiment(
    name="phase_diagram",
    title="The map of when transfer works",
    caption=(
        "Every cell is a setting: the universal signal grows to the right, the dimension (and with "
        "it the noise in a sample) upwards. First map: test accuracy of the inheriting network. "
        "Second: its gain over training from scratch. Third: the first map cut at a threshold. The "
        "lines are predicted without simulating."
    ),
    quick=(Sweep(grid=_grid(14), seeds=tuple(range(8))),),
    full=(Sweep(grid=_grid(40), seeds=tuple(range(10))),),
    read=read,
)
