"""The paper's first figure: accuracy over training steps, for more and more upstream samples."""

from itertools import pairwise

from legatee.experiments.experiment import Experiment, SweepResult, sweeps
from legatee.experiments.panels import (
    ACCURACY,
    accuracies,
    accuracy,
    accuracy_panel,
    gain,
    measured,
)
from legatee.experiments.verdicts import Claimed, Effect
from legatee.finding import Axis, Curves

SAMPLES = [100, 200, 500, 1000]


def read(result: SweepResult) -> tuple[tuple[Curves, ...], tuple[Claimed, ...]]:
    """Draw accuracies over steps and over samples; claim that more samples are better."""
    grid, data = result
    along, steps = "upstream.n", data["step_number"].sel(run="inherited").values
    scratch, inherited = (
        accuracies(data, run).assign_coords(step=steps) for run in ("scratch", "inherited")
    )
    curves = [
        measured(
            f"{n:,} upstream samples",
            inherited.sel({along: n}),
            "step",
            colour,
        )
        for colour, n in enumerate(SAMPLES, 1)
    ]
    final = accuracy(data, "inherited")
    panels = (
        Curves(
            title="During training",
            x=Axis(label="steps of downstream training"),
            y=ACCURACY,
            series=(measured("from scratch", scratch.sel({along: SAMPLES[0]}), "step", 0), *curves),
        ),
        accuracy_panel(grid, data, Axis(label="upstream samples N1", log=True), along),
    )
    rises = [
        Effect(
            what=f"accuracy with {more:,} instead of {fewer:,} upstream samples",
            values=(final.sel({along: more}) - final.sel({along: fewer})).values,
        )
        for fewer, more in pairwise(SAMPLES)
    ]
    gains = [
        Effect(what=f"gain with {n:,}", values=gain(data).sel({along: n}).values) for n in SAMPLES
    ]
    return panels, (
        Claimed(
            text="The more upstream samples, the better the inheriting network.",
            source="paper, section 4 (a)",
            effects=rises,
        ),
        Claimed(
            text="Inheriting beats training from scratch at every number of upstream samples.",
            source="paper, section 4 (a)",
            effects=gains,
        ),
    )


EXPERIMENT = Experiment(
    name="upstream_samples",
    title="More upstream samples",
    caption=(
        "A network that starts with half of its filters from an upstream network is trained on "
        "40 samples of its own. Left: test accuracy during training. Right: test accuracy after "
        "training, by the number of samples that the upstream network was trained on. Dashed "
        "lines are predicted without simulating."
    ),
    **sweeps({"upstream.n": SAMPLES}, quick=16, full=128, record_steps=range(10, 200, 10)),
    read=read,
)
