import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import solve_ivp
from scipy.optimize import brentq
from theory_cases import DOWNSTREAM, GENERIC, UPSTREAM, changed, in_unit, valid_settings

from legatee import simulate
from legatee.theory.conditions import movement
from legatee.theory.growth import margin, noise_growth, signal_growth

# by hand: eta (sigma^2 d / n + |s|^2) / (2 m)
KAPPA = {UPSTREAM: 0.3, DOWNSTREAM: 1.865}
TASKS = pytest.mark.parametrize("task", [UPSTREAM, DOWNSTREAM], ids=["upstream", "downstream"])


def reached(kappa, step):
    """The root of x + e^x - 1 = kappa t, by bisection."""
    t = kappa * step
    return brentq(lambda x: x + math.exp(x) - 1 - t, 0, math.log(t + 1) + 1, xtol=1e-14)


@TASKS
@pytest.mark.parametrize("step", [0.5, 1, 7, 70, 300, 1e6, 1e12])
def test_margins_are_the_root_of_their_equation(task, step):
    expected = reached(KAPPA[task], step)
    assert margin(GENERIC, task, step) == pytest.approx(expected, rel=1e-9)


@TASKS
def test_margins_are_pushed_by_the_gradient_of_the_logistic_loss(task):
    # dx/dt = kappa / (1 + e^x), integrated
    def push(t, x):
        return KAPPA[task] / (1 + np.exp(x))

    path = solve_ivp(push, (0, 200), [0], rtol=1e-10, atol=1e-12, t_eval=[1, 10, 200])
    expected = [margin(GENERIC, task, t) for t in path.t]
    np.testing.assert_allclose(path.y[0], expected, rtol=1e-7)


@TASKS
def test_margins_start_at_zero_at_a_speed_of_half_kappa(task):
    assert margin(GENERIC, task, 0) == 0
    assert margin(GENERIC, task, 1e-6) == pytest.approx(KAPPA[task] / 2 * 1e-6, rel=1e-4)


@TASKS
def test_small_margins_are_as_precise_as_large_ones(task):
    for step in (1e-9, 1e-12, 1e-18, 1e-100):
        assert margin(GENERIC, task, step) == pytest.approx(KAPPA[task] / 2 * step, rel=1e-8, abs=0)


@TASKS
def test_in_the_end_margins_grow_like_the_logarithm_of_time(task):
    late = margin(GENERIC, task, 1e12) - margin(GENERIC, task, 1e9)
    assert late == pytest.approx(math.log(1e3), rel=1e-6)


def test_coefficients_by_hand():
    # r = 2 x / (sigma^2 d + N |s|^2); rho = r sigma^2 d, gamma = r N |u|^2 / 2
    for task, noise, signal, v2 in ((UPSTREAM, 300, 500, 4), (DOWNSTREAM, 2700, 97.5, 1)):
        r = 2 * reached(KAPPA[task], 40) / (noise + signal)
        assert noise_growth(GENERIC, task, 40) == pytest.approx(r * noise)
        universal, specific = signal_growth(GENERIC, task, 40)
        assert universal == pytest.approx(r * task.n * 2.25 / 2)
        assert specific == pytest.approx(r * task.n * v2 / 2)


@settings(derandomize=True, deadline=None, max_examples=50)
@given(valid_settings(5), st.floats(1, 1e6))
def test_half_a_memory_and_what_is_known_of_the_signal_make_the_margin(setting, step):
    for task in setting.resolved:
        total = noise_growth(setting, task, step) / 2 + sum(signal_growth(setting, task, step))
        assert total == pytest.approx(margin(setting, task, step), rel=1e-9)


@settings(derandomize=True, deadline=None, max_examples=50)
@given(valid_settings(5), st.floats(0.01, 100))
def test_growth_does_not_depend_on_the_unit_of_signal_and_noise(setting, c):
    again = in_unit(setting, c)
    for one, other in zip(setting.resolved, again.resolved, strict=True):
        for grown in (margin, noise_growth, signal_growth):
            expected = grown(setting, one, 30)
            assert grown(again, other, 30) == pytest.approx(expected, rel=1e-6, abs=1e-12)


def test_what_has_no_norm_is_not_learned():
    nothing = changed(GENERIC, u_norm=0, upstream_v_norm=0)
    assert signal_growth(nothing, nothing.resolved[0], 50) == (0, 0)
    assert noise_growth(nothing, nothing.resolved[0], 50) == pytest.approx(
        2 * reached(0.6 * 3.75 / 20, 50)
    )


# --- against simulation ---------------------------------------------------------------------------
# Valid: small starts. More than half of the filters end up active on a sample, and each memorises
# less, down to two thirds; so the signal takes less, too.

MEASURED = {
    "generic": changed(GENERIC, sigma_0=1e-5, downstream_eta=0.05),
    "mostly noise": changed(
        u_norm=1, upstream_v_norm=1, downstream_v_norm=1, upstream_n=50, eta=0.3
    ),
    "mostly signal": changed(
        u_norm=4, upstream_v_norm=4, downstream_v_norm=3, upstream_n=200, d=4000, eta=0.1
    ),
    "many filters": changed(m=60, upstream_n=100, eta=2.0),
}
RUNS = (("upstream", "upstream"), ("scratch", "downstream"))
CASES = pytest.mark.parametrize("case", MEASURED)
SEEDS = 8


def measured(case):
    """Run, task and what was measured of it after ten steps and at the end."""
    setting = MEASURED[case]
    found = simulate(setting, SEEDS, record_steps=[10], coefficients=True).isel(setting=0)
    for (run, name), task in zip(RUNS, setting.resolved, strict=True):
        cell = found.sel(run=run, task=name).isel(filter=slice(task.m), sample=slice(task.n))
        for k in (1, 2):
            yield setting, task, cell.isel(step=k)


def between(low, high, values):
    """Whether the mean over seeds lies there, but for four of its standard errors."""
    error = np.std(values, ddof=1) / math.sqrt(len(values))
    return low - 4 * error <= np.mean(values) <= high + 4 * error


@CASES
def test_signals_are_learned_as_fast_as_a_simulation_measures(case):
    for setting, task, cell in measured(case):
        expected = signal_growth(setting, task, int(cell["step_number"]))
        for name, strength in zip(["universal", "specific"], expected, strict=True):
            learned = abs(cell[name].sel(statistic="mean")).mean("sign").values
            assert between(2 / 3, 1, learned / strength)


@CASES
def test_samples_are_memorised_as_fast_as_a_simulation_measures(case):
    for setting, task, cell in measured(case):
        rho = cell["noise_coefficient"].values  # negative where a filter is of the other sign
        active = [each[each > 0].mean() for each in rho]
        expected = noise_growth(setting, task, int(cell["step_number"]))
        assert between(2 / 3, 1, np.array(active) / expected)


@CASES
def test_half_of_the_filters_are_active_at_first_and_more_later(case):
    first = simulate(changed(MEASURED[case], steps=1, downstream_steps=1), SEEDS, coefficients=True)
    first = first.sel(run="scratch", task="downstream").isel(setting=0, step=-1)
    task = MEASURED[case].resolved[1]
    rho = first["noise_coefficient"].isel(filter=slice(task.m), sample=slice(task.n)).values
    assert between(0.5, 0.5, (rho > 0).mean((1, 2, 3)) * 2)
    for _, _, cell in measured(case):
        rho = cell["noise_coefficient"].values
        assert between(0.5, 1, (rho > 0).mean((1, 2, 3)) * 2)


@CASES
def test_filters_move_as_far_as_a_simulation_measures(case):
    for setting, task, cell in measured(case):
        if int(cell["step_number"]) == task.steps:
            rho = cell["noise_coefficient"].transpose("seed", "sign", "filter", "sample").values
            learned = np.sqrt((rho**2).sum(-1)).mean() / (task.sigma_p * math.sqrt(setting.d))
            start = setting.sigma_0 * math.sqrt(setting.d)
            assert 1 / 2 < learned / start / movement(setting, task) < 2
