"""The paper's first figure: accuracy over training steps, for more and more upstream samples."""

from itertools import pairwise

from legatee.experiments.experiment import Experiment, Found, sweeps
from legatee.experiments.panels import ACCURACY, accuracy, accuracy_panel, gain, measured
from legatee.experiments.verdicts import Claimed, Effect
from legatee.finding import Axis, Curves

SAMPLES = [100, 200, 500, 1000]


def read(found: Found) -> tuple[tuple[Curves, ...], tuple[Claimed, ...]]:
    """Draw accuracies over steps and over samples, and judge that more samples are better."""
    grid, data = found
    named = data.assign_coords(step=data["step_number"].sel(run="inherited").values)
    curves = [
        measured(
            f"{n:,} upstream samples",
            100 * named["test_accuracy"].sel({"run": "inherited", "upstream.n": n}),
            "step",
            colour,
        )
        for colour, n in enumerate(SAMPLES, 1)
    ]
    scratch = 100 * named["test_accuracy"].sel({"run": "scratch", "upstream.n": SAMPLES[0]})
    final, along = accuracy(data, "inherited"), "upstream.n"
    panels = (
        Curves(
            title="While it learns",
            x=Axis(label="steps of downstream training"),
            y=ACCURACY,
            series=(measured("from scratch", scratch, "step", 0), *curves),
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
        "40 samples of its own. Left: how well it does on new samples while it is trained. "
        "Right: how well in the end, over the number of samples that the upstream network had "
        "learned from. Dashed lines are predicted without simulating."
    ),
    **sweeps({"upstream.n": SAMPLES}, quick=16, full=128, log_steps=21),
    read=read,
)
