"""Which number predicts accuracy: Gamma, scratch's signal-to-noise ratio, or our prediction?"""

import numpy as np
from sklearn.isotonic import isotonic_regression

from legatee.experiments.experiment import Experiment, SweepResult, sweeps
from legatee.experiments.jackknife import pseudo_values
from legatee.experiments.panels import ACCURACY, accuracy, predictions
from legatee.experiments.verdicts import Claimed, Effect
from legatee.finding import Axis, Curves, Series
from legatee.theory.quantities import gamma, scratch_strength

COLLAPSED = 2.0  # scatter around one curve that counts as none [points]
AXES = {
    "d": [1000, 4000, 16_000],
    "u_norm": [0.5, 1.0, 2.0, 3.0],
    "upstream.n": [50, 200],
    "upstream.sigma_p": [0.7, 1.4],
    "alpha": [0.25, 0.75],
}


def read(result: SweepResult) -> tuple[tuple[Curves, ...], tuple[Claimed, ...]]:
    """Draw accuracy against each number; test how far settings scatter around one curve."""
    grid, data = result
    final = accuracy(data, "inherited").transpose(*grid.dims, "seed").values
    final = final.reshape(len(grid), -1)
    mean = final.mean(1)
    numbers = {
        "Gamma": np.array([gamma(setting) for setting in grid]),
        "Gamma without d": np.array([gamma(s) * s.d for s in grid]),
        "scratch's own signal-to-noise ratio": np.array([scratch_strength(s) for s in grid]),
        "predicted accuracy": predictions(grid, "inherited").values.ravel(),
    }
    panels = tuple(
        Curves(
            title=f"Against {name}",
            x=Axis(label=name, log=name != "predicted accuracy"),
            y=ACCURACY,
            series=(
                Series(name="settings", x=tuple(x), y=tuple(mean), kind="scatter", colour=1),
                Series(name="best curve", x=tuple(np.sort(x)), y=_curve(x, mean), kind="theory"),
            ),
        )
        for name, x in numbers.items()
    )
    scatter = {name: _scatter(x, final) for name, x in numbers.items()}
    return panels, (
        Claimed(
            text="Gamma determines the accuracy of an inheriting network: settings of equal Gamma "
            f"agree to {COLLAPSED:g} points.",
            source="paper, Theorem 4.2",
            effects=[_less("scatter around Gamma", scatter["Gamma"])],
        ),
        Claimed(
            text="Gamma predicts accuracy better than the same number without the dimension.",
            source="a summary of Theorem 4.2",
            effects=[
                Effect(
                    what="scatter without d, more than with it",
                    values=scatter["Gamma without d"] - scatter["Gamma"],
                )
            ],
        ),
        Claimed(
            text="Predicted accuracy determines simulated accuracy: settings of equal prediction "
            f"agree to {COLLAPSED:g} points.",
            source="ours",
            effects=[_less("scatter around the prediction", scatter["predicted accuracy"])],
        ),
    )


def _less(what: str, values: np.ndarray) -> Effect:
    """Return the effect that scatter counts as none."""
    return Effect(what=what, values=values, at_least=None, at_most=COLLAPSED)


def _curve(x: np.ndarray, y: np.ndarray) -> tuple[float, ...]:
    """Return the non-decreasing curve nearest to the points, at each x in order."""
    return tuple(isotonic_regression(y[np.argsort(x, kind="stable")]))


def _scatter(x: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Return how far settings lie from one curve, root mean square, a value for each seed.

    These are pseudo-values: the noise of a single seed must not count as scatter.
    """
    order = np.argsort(x, kind="stable")

    def scatter(mean: np.ndarray) -> float:
        return float(np.sqrt(((mean[order] - _curve(x, mean)) ** 2).mean()))

    return pseudo_values(values, scatter)


EXPERIMENT = Experiment(
    name="gamma_collapse",
    title="Which number predicts accuracy",
    caption=(
        "Each point is one of 96 settings that differ in dimension, signal, samples, noise and "
        "the share of filters that is inherited. If one number determined the accuracy of the "
        "network, the points would lie on one curve when drawn against it. Gamma = alpha^2 N1 "
        "|u|^4 / (sigma_1^2 sigma_2^2 d) is the paper's number. The line is the best "
        "non-decreasing curve."
    ),
    **sweeps(AXES, quick=16, full=100),
    read=read,
)
