import math
from types import SimpleNamespace

import numpy as np
import pytest
import xarray as xr
from synthetic_results import dataset, drawn

from legatee import Grid
from legatee.experiments import panels
from legatee.experiments.panels import accuracy, gain, gain_panel, measured, predictions
from legatee.finding import Axis
from legatee.world.setting import EXAMPLE

GRID = Grid(base=EXAMPLE, axes={"alpha": [0.25, 0.75]})


def a_dataset(**options):
    return dataset(GRID, lambda alpha: 70 + 8 * alpha, lambda alpha: 70 - alpha, **options)


def test_accuracy_is_percent_after_training_and_gain_is_paired():
    found = accuracy(a_dataset(), "inherited")
    np.testing.assert_allclose(found.transpose("alpha", "seed")[1], [76.03, 75.99, 75.99, 75.99])
    assert accuracy(a_dataset(), "scratch", step=0).mean("seed").values == pytest.approx(
        [59.75, 59.25]
    )
    np.testing.assert_allclose(
        gain(a_dataset()).transpose("alpha", "seed")[0], [2.28, 2.22, 2.26, 2.24]
    )


@pytest.mark.parametrize("run", [1, 2])
def test_a_training_that_diverged_has_no_accuracy_and_no_gain(run):
    data = a_dataset(diverged=[(1, 3, run)])
    gone = np.isnan(gain(data).transpose("alpha", "seed").values)
    assert np.argwhere(gone).tolist() == [[1, 3]]


def test_a_training_whose_loss_rose_is_still_a_measurement():
    data = a_dataset()
    data["status"][:] = "not_converged"
    assert np.isfinite(gain(data)).all()
    data["status"][:] = "not_finite"
    assert np.isnan(gain(data)).all()


def test_a_curve_has_students_intervals():
    values = xr.DataArray([[1.0, 2.0, 3.0]], {"x": [7.0]}, ("x", "seed"))
    series = measured("three seeds", values, "x")
    assert (series.x, series.y) == ((7.0,), (2.0,))
    # 4.303 is the 97.5 % point of t with two degrees of freedom, the standard deviation is 1
    assert series.error == pytest.approx((4.303 / 3**0.5,), rel=1e-3)


def test_a_curve_has_a_gap_where_a_seed_diverged_and_no_error_from_one_seed():
    values = xr.DataArray([[1.0, math.nan], [2.0, 4.0]], {"x": [7.0, 8.0]}, ("x", "seed"))
    series = measured("two seeds", values, "x")
    assert math.isnan(series.y[0])
    assert math.isnan(series.error[0])
    assert series.y[1] == 3
    alone = measured("one seed", values[:, :1], "x")
    assert alone.y == (1, 2)
    assert all(map(math.isnan, alone.error))


def test_what_is_not_predicted_is_not_drawn(monkeypatch):
    grid = Grid(base=EXAMPLE, axes={"alpha": [0.25, 0.75], "u_norm": [0.5, 2.0]})
    data = dataset(grid, lambda alpha, u_norm: 70 + u_norm, lambda **_: 70)

    def predict(grid):
        return [SimpleNamespace(gain=math.nan if s.u_norm < 1 else s.alpha / 10) for s in grid]

    monkeypatch.setattr(panels, "predict", predict)
    assert predictions(grid, "gain").sel(u_norm=2.0).values == pytest.approx([2.5, 7.5])
    by = {"weak": {"u_norm": 0.5}, "strong": {"u_norm": 2.0}}
    panel = gain_panel(grid, data, Axis(label="alpha"), "alpha", by)
    assert drawn(panel) == [
        ("weak", "measured", 1, [0.25, 0.75], [0.5, 0.5]),
        ("strong", "measured", 2, [0.25, 0.75], [2, 2]),
        ("strong, predicted", "theory", 2, [0.25, 0.75], [2.5, 7.5]),
    ]
