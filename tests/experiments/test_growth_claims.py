"""The figure of growth: coefficients that grow as x_t do, and others, set by hand."""

from dataclasses import replace

import numpy as np
import pytest
import xarray as xr
from scipy.optimize import brentq
from synthetic_results import drawn, effects, outcomes

from legatee.experiments.experiment import SweepResult
from legatee.experiments.reproduce import experiment

STEPS = np.arange(0, 1001, 50)
SAMPLES = [100, 400]
# kappa = eta (sigma^2 d / N + |u + v|^2) / 2m with eta = 0.25, d = 2000, |u + v|^2 = 8, m = 20
KAPPA = {100: 0.25 * (20 + 8) / 40, 400: 0.25 * (5 + 8) / 40}
MARGINS = {
    n: np.array([brentq(lambda x, t=t, k=k: x + np.exp(x) - 1 - k * t, 0, 50) for t in STEPS])
    for n, k in KAPPA.items()
}
RHO = {n: 2 * MARGINS[n] * 2000 / (2000 + n * 8) for n in SAMPLES}  # 2 x s^2 d / (s^2 d + N |s|^2)
SIGNAL = {n: RHO[n] * n / (2 * 2000) * 4 for n in SAMPLES}  # times N |u|^2 / (2 s^2 d), |u|^2 = 4


def read(universal, noise, v_norm=2.0):
    """The figure, of coefficients as functions of samples and place in time."""
    (sweep,) = experiment("growth").quick
    base = replace(sweep.grid.base, upstream=replace(sweep.grid.base.upstream, v_norm=v_norm))
    grid = replace(sweep.grid, base=base)
    seeds = np.array([0.99, 1.0, 1.01, 1.0])
    decoy = 7.0  # what stands at other runs, tasks, signs and statistics
    both = np.full((2, 4, 3, 21, 2, 2), decoy)  # upstream.n, seed, run, step, sign, statistic
    of_tasks = np.full((2, 4, 3, 21, 2, 2, 2), decoy)  # ..., task, sign, statistic
    for i, n in enumerate(SAMPLES):
        both[i, :, 0, :, 0, 0] = seeds[:, None] * universal[n]
        of_tasks[i, :, 0, :, 0, 0, 0] = seeds[:, None] * noise[n]
    cell, sides = ("upstream.n", "seed", "run", "step"), ("sign", "statistic")
    data = xr.Dataset(
        {"universal": ((*cell, *sides), both), "noise": ((*cell, "task", *sides), of_tasks)},
        {
            "upstream.n": SAMPLES,
            "run": ["upstream", "scratch", "inherited"],
            "task": ["upstream", "downstream"],
            "sign": [1, -1],
            "statistic": ["mean", "spread"],
            "step_number": (("run", "step"), np.stack([STEPS, STEPS * 2, STEPS * 3])),
        },
    )
    return experiment("growth").read(SweepResult(grid, data))


def test_coefficients_that_grow_as_x_do_confirm_it():
    panels, claims = read({n: 3 * MARGINS[n] for n in SAMPLES}, {n: 0.5 * RHO[n] for n in SAMPLES})
    assert effects(claims[0]) == [(1, 0.75, 1.25)] * 4
    assert [e.what for e in claims[0].effects] == [
        "universal signal, growth over that of x_t, 100 samples",
        "universal signal, growth over that of x_t, 400 samples",
        "noise of own samples, growth over that of x_t, 100 samples",
        "noise of own samples, growth over that of x_t, 400 samples",
    ]
    assert outcomes(claims) == ["confirmed"]
    for panel, measured, theory in zip(
        panels,
        ({n: 3 * MARGINS[n] for n in SAMPLES}, {n: 0.5 * RHO[n] for n in SAMPLES}),
        (SIGNAL, {n: RHO[n] / 2 for n in SAMPLES}),
        strict=True,
    ):
        lines = drawn(panel)
        assert [line[:3] for line in lines] == [
            ("100 samples", "measured", 1),
            ("100 samples, x_t", "theory", 1),
            ("400 samples", "measured", 2),
            ("400 samples, x_t", "theory", 2),
        ]
        for n, own, curve in zip(SAMPLES, lines[::2], lines[1::2], strict=True):
            assert own[3] == curve[3] == STEPS.tolist()
            assert own[4] == pytest.approx(measured[n], abs=1e-3)
            assert curve[4] == pytest.approx(theory[n], abs=1e-3)


def test_the_curve_of_the_universal_signal_is_not_that_of_the_upstream_tasks_own():
    """They are the same where |u| = |v|; here |v| = 1, a quarter of the square of |u| = 2."""
    panels, _ = read(MARGINS, RHO, v_norm=1.0)
    for n, curve in zip(SAMPLES, drawn(panels[0])[1::2], strict=True):
        kappa = 0.25 * (2000 / n + 5) / 40
        x = brentq(lambda x, k=kappa: x + np.exp(x) - 1 - k * 1000, 0, 50)
        rho = 2 * x * 2000 / (2000 + n * 5)
        assert curve[4][-1] == pytest.approx(rho * n / (2 * 2000) * 4, abs=1e-3)


@pytest.mark.parametrize("power", [2, 0.2])
def test_coefficients_that_grow_otherwise_refute_it(power):
    # between steps 250 and 1000 x_t grows by some 1.4
    panels_, claims = read(
        {n: MARGINS[n] for n in SAMPLES}, {n: MARGINS[n] ** power for n in SAMPLES}
    )
    ratios = [(MARGINS[n][20] / MARGINS[n][5]) ** (power - 1) for n in SAMPLES]
    assert effects(claims[0]) == [
        (1, 0.75, 1.25),
        (1, 0.75, 1.25),
        *((round(float(ratio), 3), 0.75, 1.25) for ratio in ratios),
    ]
    assert outcomes(claims) == ["refuted"]
    assert panels_
