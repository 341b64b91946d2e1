"""Theory and simulator are two witnesses of one experiment: neither knows the other's program."""

import math
from dataclasses import replace

import numpy as np
import pytest

from legatee import Setting, Task, predict, simulate
from legatee.world.setting import EXAMPLE

SEEDS = 64
DRAWS = 2000
TYPICAL = {"d": 3000, "m": 20, "n": (80, 20), "sigma": (1, 1), "v": (2, 2), "sigma_0": 1e-5}


def a_setting(u_norm, alpha, kappa, **more):
    """A setting by the speed of its trainings, kappa = eta (sigma^2 d / n + |s|^2) / (2 m)."""
    world = TYPICAL | more
    d, m, tasks = world["d"], world["m"], []
    for n, sigma, v in zip(world["n"], world["sigma"], world["v"], strict=True):
        speed = (sigma**2 * d / n + u_norm**2 + v**2) / (2 * m)
        tasks.append(Task(n=n, v_norm=v, sigma_p=sigma, eta=kappa / speed))
    names = {"u_norm": u_norm, "alpha": alpha, "sigma_0": world["sigma_0"], "steps": 100}
    return Setting(d=d, m=m, upstream=tasks[0], downstream=tasks[1], eta=1.0, **names)


SETTINGS = {
    "weak u": a_setting(u_norm=0.5, alpha=0.5, kappa=1, v=(3, 2.5)),
    "weak u, everything inherited": a_setting(u_norm=0.5, alpha=1, kappa=1, v=(3, 2.5)),
    "no u, fast": a_setting(u_norm=0, alpha=0.5, kappa=10, v=(3, 3)),
    "medium u, slow": a_setting(u_norm=1.5, alpha=0.25, kappa=0.1),
    "medium u, noise upstream": a_setting(u_norm=1.5, alpha=0.9, kappa=1, sigma=(2, 1)),
    "medium u, three filters": a_setting(u_norm=1.5, alpha=0.5, kappa=1, m=3),
    "medium u, many filters": a_setting(u_norm=1.5, alpha=0.25, kappa=3, m=60, v=(1, 2.5)),
    "strong u, fast": a_setting(u_norm=2.5, alpha=0.5, kappa=10, v=(1, 1)),
    "strong u, noise downstream": a_setting(u_norm=3, alpha=0.9, kappa=0.5, sigma=(1, 2)),
    "strong u, everything inherited": a_setting(u_norm=2, alpha=1, kappa=0.1, m=3, v=(0, 2)),
    "strong u, many dimensions": a_setting(u_norm=4, alpha=0.25, kappa=5, d=10**6, v=(4, 4)),
    "lazy, filters respond by 1": a_setting(u_norm=2, alpha=0.5, kappa=1, sigma_0=0.018),
    "as slow as it is checked": a_setting(u_norm=1.5, alpha=0.5, kappa=2e-6, sigma_0=1e-11),
    "as fast as it is checked": a_setting(u_norm=1.5, alpha=1, kappa=9e3),
    "noise levels far apart": a_setting(u_norm=1.5, alpha=0.5, kappa=1, sigma=(900, 1)),
    "few samples": a_setting(u_norm=2, alpha=0.5, kappa=2, m=60, d=2000, n=(20, 8)),
}
VERDICTS = {  # of all other settings it is "inherit"
    "weak u": "scratch",
    "no u, fast": "scratch",
    "as fast as it is checked": "either",
    "noise levels far apart": "either",
}
RUNS = {"scratch": ("scratch", -1), "zero_shot": ("inherited", 0), "inherited": ("inherited", -1)}


def witnesses(setting):
    """The prediction, and what a simulation measures by the prediction's names [seed]."""
    found = simulate(setting, SEEDS, test_draws=DRAWS).isel(setting=0)
    return predict(setting), {
        name: found.sel(run=run).isel(step=step) for name, (run, step) in RUNS.items()
    }


def gains_of(simulated):
    inherited, scratch = (simulated[run]["test_accuracy"] for run in ("inherited", "scratch"))
    return inherited.values - scratch.values


def error(values):
    """Standard error of the mean."""
    return np.std(values, ddof=1) / math.sqrt(len(values))


def spread(cell):
    """Standard deviation over seeds, less what comes of finitely many test points."""
    variance = np.var(cell["test_accuracy"].values, ddof=1)
    return math.sqrt(variance - np.mean(cell["test_accuracy_error"].values ** 2))


@pytest.mark.parametrize("name", SETTINGS)
def test_theory_and_simulator_agree(name):
    prediction, simulated = witnesses(SETTINGS[name])
    for run, cell in simulated.items():
        values = cell["test_accuracy"].values
        distance = abs(getattr(prediction, run) - values.mean())
        assert distance < 0.01 + 3 * error(values)
        ratio = getattr(prediction, f"{run}_spread") / spread(cell)
        assert abs(math.log(ratio)) < math.log(2) + 2 / math.sqrt(2 * SEEDS)
    gains, verdict = gains_of(simulated), VERDICTS.get(name, "inherit")
    assert prediction.verdict == verdict
    if verdict == "either":
        assert abs(gains.mean()) < 0.005 + 3 * error(gains)
    else:
        assert gains.mean() * (1 if verdict == "inherit" else -1) > max(0.015, 3 * error(gains))


@pytest.mark.parametrize("alpha", [0.5, 1])
def test_a_harmful_upstream_network_hurts_unless_everything_is_inherited(alpha):
    setting = replace(EXAMPLE, u_norm=0, alpha=alpha, upstream=replace(EXAMPLE.upstream, n=400))
    prediction, simulated = witnesses(setting)
    gains = gains_of(simulated)
    assert abs(prediction.gain - gains.mean()) < 0.01 + 3 * error(gains)
    sign = 1 if alpha == 1 else -1
    assert gains.mean() * sign > 0.03
    assert prediction.verdict == ("inherit" if alpha == 1 else "scratch")
