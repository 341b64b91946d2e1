"""How fast signal and noise are learned: measured coefficients against the paper's x_t."""

from dataclasses import replace

import numpy as np

from legatee.experiments.experiment import PAPER, Experiment, SweepResult, sweeps
from legatee.experiments.panels import measured
from legatee.experiments.verdicts import Claimed, Effect
from legatee.finding import Axis, Curves, Series
from legatee.theory.growth import margin, noise_growth, signal_growth

BASE = replace(PAPER, eta=0.25, steps=1000)
RECORDED = range(50, 1000, 50)  # steps, beside the first and the last
CLOSE = 0.25  # how far a ratio may be from 1 [fraction]
SAMPLES = [100, 400]


def read(result: SweepResult) -> tuple[tuple[Curves, ...], tuple[Claimed, ...]]:
    """Draw the coefficients over steps; claim that they grow as x_t does."""
    grid, data = result
    named = data.assign_coords(step=data["step_number"].sel(run="upstream").values)
    up = named.sel(run="upstream", sign=1, statistic="mean")
    panels: list[Curves] = []
    effects: list[Effect] = []
    for name, values, predicted in (
        ("universal signal", up["universal"], lambda s, t: signal_growth(s, s.resolved[0], t)[0]),
        (
            "noise of own samples",
            up["noise"].sel(task="upstream"),
            # half of the filters are active on a sample: the mean over filters is half of a rho
            lambda s, t: noise_growth(s, s.resolved[0], t) / 2,
        ),
    ):
        series = []
        for colour, setting in enumerate(grid, 1):
            own = values.sel({"upstream.n": setting.upstream.n})
            steps = own["step"].values
            curve = np.array([predicted(setting, step) for step in steps])
            label = f"{setting.upstream.n} samples"
            series += [
                measured(label, own, "step", colour),
                Series(
                    name=f"{label}, x_t",
                    x=tuple(map(float, steps)),
                    y=tuple(curve),
                    kind="theory",
                    colour=colour,
                ),
            ]
            late = own.isel(step=[5, -1]).transpose("seed", "step").values
            x = [margin(setting, setting.resolved[0], step) for step in steps[[5, -1]]]
            ratio = (late[:, 1] / late[:, 0]) / (x[1] / x[0])
            effects.append(
                Effect(
                    what=f"{name}, growth over that of x_t, {label}",
                    values=ratio,
                    at_least=1 - CLOSE,
                    at_most=1 + CLOSE,
                    unit="",
                )
            )
        panels.append(
            Curves(
                title=f"Coefficient of the {name}",
                x=Axis(label="steps of upstream training"),
                y=Axis(label="mean over filters"),
                series=tuple(series),
            )
        )
    return tuple(panels), (
        Claimed(
            text="Coefficients of signal and noise both grow as x_t, like the logarithm of time.",
            source="paper, Lemmas A.1 and A.2 (reconstructed)",
            effects=effects,
        ),
    )


EXPERIMENT = Experiment(
    name="growth",
    title="How fast signal and noise are learned",
    caption=(
        "How much the filters of the upstream network have learned of the universal signal, and "
        "memorised of the noise of their samples, during training. Dashed: the paper's curve x_t "
        "(the training margin after t steps) with our constants. Both rise quickly at first and "
        "then ever more slowly, like a logarithm: longer training changes little."
    ),
    **sweeps({"upstream.n": SAMPLES}, quick=16, full=100, base=BASE, record_steps=RECORDED),
    read=read,
)
