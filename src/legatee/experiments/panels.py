"""The curves of a figure: what a sweep measured, with predictions beside it."""

from collections.abc import Mapping
from math import isfinite, nan
from typing import Any

import numpy as np
import xarray as xr

from legatee.finding import Axis, Curves, Series
from legatee.intervals import Interval, mean_interval
from legatee.theory.predict import predict
from legatee.world.grid import Grid

ACCURACY = Axis(label="test accuracy (percent)")
GAIN = Axis(label="accuracy over scratch (points)")
RUNS = {"scratch": "from scratch", "inherited": "inherited"}
DIVERGED = ("diverged", "not_finite")  # statuses of runs whose accuracy means nothing
MISSES = 0.05  # chance that a drawn interval misses [fraction]


def accuracy(data: xr.Dataset, run: str, step: int = -1) -> xr.DataArray:
    """Return the test accuracy of a run, in percent.

    Args:
        data: What a sweep measured.
        run: ``scratch``, ``inherited`` or ``upstream``.
        step: Which of the recorded steps.

    Returns:
        Accuracies [axes..., seed] [percent]; NaN where training diverged.
    """
    return accuracies(data, run).isel(step=step)


def accuracies(data: xr.Dataset, run: str) -> xr.DataArray:
    """Return the test accuracy of a run at every recorded step, in percent.

    Args:
        data: What a sweep measured.
        run: ``scratch``, ``inherited`` or ``upstream``.

    Returns:
        Accuracies [axes..., seed, step] [percent]; NaN where training diverged.
    """
    chosen = data[["test_accuracy", "status"]].sel(run=run)
    return 100 * chosen["test_accuracy"].where(~chosen["status"].isin(DIVERGED))


def gain(data: xr.Dataset) -> xr.DataArray:
    """Return the gain: the inheriting network's final test accuracy minus that of scratch.

    Args:
        data: What a sweep measured.

    Returns:
        Paired differences [axes..., seed] [points]; NaN where either training diverged.
    """
    return accuracy(data, "inherited") - accuracy(data, "scratch")


def accuracy_panel(grid: Grid, data: xr.Dataset, x: Axis, along: str) -> Curves:
    """Return a panel of the final accuracies of both networks, measured and predicted.

    Args:
        grid: The settings.
        data: What was measured of them, along one axis.
        x: The horizontal axis.
        along: The field that runs along it.

    Returns:
        The panel.
    """
    series = [
        curve
        for colour, (run, name) in enumerate(RUNS.items())
        for curve in (
            measured(name, accuracy(data, run), along, colour),
            theory(f"{name}, predicted", predictions(grid, run), along, colour),
        )
    ]
    return Curves(title="Accuracy", x=x, y=ACCURACY, series=tuple(series))


def gain_panel(
    grid: Grid,
    data: xr.Dataset,
    x: Axis,
    along: str,
    by: Mapping[str, Mapping[str, Any]] | None = None,
) -> Curves:
    """Return a panel of the gain, measured, and predicted where the theory applies.

    Args:
        grid: The settings.
        data: What was measured of them.
        x: The horizontal axis.
        along: The field that runs along it.
        by: For each curve's name, the labels it selects along the other axes; one curve if
            ``None``.

    Returns:
        The panel.
    """
    gains, predicted = gain(data), predictions(grid, "gain")
    series = []
    for colour, (name, labels) in enumerate((by or {"simulated": {}}).items(), 1):
        series.append(measured(name, gains.sel(labels), along, colour))
        line = predicted.sel(labels)
        if np.isfinite(line).any():
            words = f"{name}, predicted" if by else "predicted"
            series.append(theory(words, line, along, colour))
    return Curves(title="Gain of inheriting", x=x, y=GAIN, series=tuple(series), level=0.0)


def measured(name: str, values: xr.DataArray, along: str, colour: int = 0) -> Series:
    """Return the mean over seeds as a curve, with 95 % intervals; NaN where a seed diverged.

    Args:
        name: For the legend.
        values: ``[along, seed]`` in any order.
        along: The dimension, or a coordinate of it, that runs along the horizontal axis.
        colour: Of the curve.

    Returns:
        The series.
    """
    rows = values.transpose(..., "seed")
    intervals = [mean_interval(row, MISSES) for row in rows.values]
    return Series(
        name=name,
        x=_floats(rows[along]),
        y=tuple(interval.estimate for interval in intervals),
        error=tuple(map(_half_width, intervals)),
        colour=colour,
    )


def theory(name: str, values: xr.DataArray, along: str, colour: int = 0) -> Series:
    """Return a predicted curve.

    Args:
        name: For the legend.
        values: ``[along]``.
        along: As in :func:`measured`.
        colour: Of what it predicts.

    Returns:
        The series.
    """
    x, y = _floats(values[along]), _floats(values)
    return Series(name=name, x=x, y=y, kind="theory", colour=colour)


def predictions(grid: Grid, what: str) -> xr.DataArray:
    """Return the prediction for every setting of a grid.

    Args:
        grid: The settings.
        what: A field of a prediction, such as ``"inherited"`` or ``"gain"``.

    Returns:
        Predictions [axes...] [percent or points]; NaN where the theory does not apply.
    """
    values = [100 * getattr(prediction, what) for prediction in predict(grid)]
    coords = {name: (dim, list(column)) for name, (dim, column) in grid.coords.items()}
    return xr.DataArray(np.reshape(values, grid.shape), coords, grid.dims)


def _half_width(interval: Interval) -> float:
    """Return half the width of an interval; NaN if there is none."""
    width = interval.upper - interval.estimate
    return width if isfinite(width) else nan


def _floats(values: object) -> tuple[float, ...]:
    """Return numbers as a plain tuple."""
    return tuple(float(value) for value in np.asarray(values, float).ravel())
