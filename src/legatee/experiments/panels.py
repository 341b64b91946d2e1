"""From what a sweep measured to the curves of a figure, predictions beside them."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr
from scipy.stats import t as student

from legatee.finding import Axis, Curves, Series
from legatee.theory.predict import predict
from legatee.world.grid import Grid

ACCURACY = Axis(label="test accuracy (percent)")
GAIN = Axis(label="accuracy over scratch (points)")
RUNS = {"scratch": "from scratch", "inherited": "inherited"}


def accuracy(data: xr.Dataset, run: str, step: int = -1) -> xr.DataArray:
    """Return the test accuracy of a run, in percent.

    Args:
        data: What a sweep measured.
        run: ``scratch``, ``inherited`` or ``upstream``.
        step: Which of the steps looked at.

    Returns:
        Accuracies [axes..., seed] [percent].
    """
    return 100 * data["test_accuracy"].sel(run=run).isel(step=step)


def gain(data: xr.Dataset) -> xr.DataArray:
    """Return what inheriting adds to scratch's final test accuracy.

    Args:
        data: What a sweep measured.

    Returns:
        Paired differences [axes..., seed] [points].
    """
    return accuracy(data, "inherited") - accuracy(data, "scratch")


def accuracy_panel(grid: Grid, data: xr.Dataset, x: Axis, along: str) -> Curves:
    """Return the final accuracies of scratch and inherited networks, and what is predicted.

    Args:
        grid: The settings.
        data: What was measured of them, along one axis.
        x: The horizontal axis.
        along: The field that runs along it.

    Returns:
        The panel.
    """
    series = [
        one
        for colour, (run, name) in enumerate(RUNS.items())
        for one in (
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
    """Return what inheriting adds to scratch, and what is predicted where something is.

    Args:
        grid: The settings.
        data: What was measured of them.
        x: The horizontal axis.
        along: The field that runs along it.
        by: For each curve's name what it selects of the other axes; one curve if ``None``.

    Returns:
        The panel.
    """
    gains, predicted = gain(data), predictions(grid, "gain")
    series = []
    for colour, (name, which) in enumerate((by or {"simulated": {}}).items(), 1):
        series.append(measured(name, gains.sel(which), along, colour))
        line = predicted.sel(which)
        if np.isfinite(line).any():
            label = f"{name}, predicted" if by else "predicted"
            series.append(theory(label, line, along, colour))
    return Curves(title="Gain of inheriting", x=x, y=GAIN, series=tuple(series), level=0.0)


def measured(name: str, values: xr.DataArray, along: str, colour: int = 0) -> Series:
    """Return a curve with its 95 % intervals over seeds.

    Args:
        name: For the legend.
        values: ``[along, seed]`` in any order.
        along: The dimension, or a coordinate of it, that runs along the horizontal axis.
        colour: Of the curve.

    Returns:
        The series.
    """
    rows = values.transpose(..., "seed")
    n = rows.sizes["seed"]
    reach = student.ppf(0.975, n - 1) * rows.std("seed", ddof=1) / np.sqrt(n)
    return Series(
        name=name,
        x=_floats(rows[along]),
        y=_floats(rows.mean("seed")),
        error=_floats(reach),
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
    """Return what is predicted of every setting of a grid.

    Args:
        grid: The settings.
        what: Such as ``"inherited"`` or ``"gain"``.

    Returns:
        Predictions [axes...] [percent or points]; NaN where the theory does not reach.
    """
    values = [100 * getattr(prediction, what) for prediction in predict(grid)]
    coords = {name: (dim, list(column)) for name, (dim, column) in grid.coords.items()}
    return xr.DataArray(np.reshape(values, grid.shape), coords, grid.dims)


def _floats(values: object) -> tuple[float, ...]:
    """Return numbers as a plain tuple."""
    return tuple(float(value) for value in np.asarray(values, float).ravel())
