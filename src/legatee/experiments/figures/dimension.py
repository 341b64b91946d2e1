"""Does a high dimension make transfer negative, or only keep it from the optimum?"""

from legatee.experiments.experiment import Experiment, SweepResult, sweeps
from legatee.experiments.panels import accuracy, accuracy_panel, gain, gain_panel
from legatee.experiments.verdicts import Claimed, Effect
from legatee.finding import Axis, Curves

DIMENSIONS = [500, 2000, 10_000, 50_000, 250_000, 1_000_000]
X = Axis(label="dimension d", log=True)
GAP = 10.0  # the paper's constant: the test error stays above 0.1 [points]


def read(result: SweepResult) -> tuple[tuple[Curves, ...], tuple[Claimed, ...]]:
    """Draw accuracy and gain over d; test both readings of the theorem."""
    grid, data = result
    gains = gain(data)
    panels = accuracy_panel(grid, data, X, "d"), gain_panel(grid, data, X, "d")
    high = DIMENSIONS[-3:]
    return panels, (
        Claimed(
            text="In high dimension transfer becomes negative.",
            source="a summary of Theorem 4.2",
            effects=[
                Effect(what=f"accuracy lost at d = {d:,}", values=-gains.sel(d=d).values)
                for d in high
            ],
        ),
        Claimed(
            text="In high dimension the inheriting network stays 10 points below the optimum.",
            source="paper, Theorem 4.2",
            effects=[
                Effect(
                    what=f"missing to 100 percent at d = {d:,}",
                    values=100 - accuracy(data, "inherited").sel(d=d).values,
                    at_least=GAP,
                )
                for d in high
            ],
        ),
        Claimed(
            text="In low dimension the inheriting network is near-optimal (error below a percent).",
            source="paper, Theorem 4.2",
            effects=[
                Effect(
                    what=f"accuracy at d = {DIMENSIONS[0]:,}",
                    values=accuracy(data, "inherited").sel(d=DIMENSIONS[0]).values,
                    at_least=99.0,
                    unit="percent",
                )
            ],
        ),
    )


EXPERIMENT = Experiment(
    name="dimension",
    title="High dimension",
    caption=(
        "The more dimensions, the more noise a sample carries for the same signal, and the "
        "harder both tasks. One summary of the paper says that transfer then turns negative, "
        "the theorem only that it is no longer near the optimum. The figure shows which of the "
        "two it is here."
    ),
    **sweeps({"d": DIMENSIONS}, quick=48, full=400),
    read=read,
)
