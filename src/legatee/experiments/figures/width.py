"""Does the number of filters matter?"""

from legatee.experiments.experiment import Experiment, SweepResult, sweeps
from legatee.experiments.panels import accuracy, accuracy_panel
from legatee.experiments.verdicts import Claimed, Effect
from legatee.finding import Axis, Curves

FILTERS = [2, 4, 10, 20, 40, 100]
REACH = 1.0  # a difference that counts as none [points]


def read(result: SweepResult) -> tuple[tuple[Curves, ...], tuple[Claimed, ...]]:
    """Draw accuracies over m; claim that wide networks are all alike."""
    grid, data = result
    panel = accuracy_panel(grid, data, Axis(label="filters per sign m", log=True), "m")
    final = accuracy(data, "inherited")
    effects = [
        Effect(
            what=f"inherited accuracy with m = {FILTERS[-1]} instead of {m}",
            values=(final.sel(m=FILTERS[-1]) - final.sel(m=m)).values,
            at_least=-REACH,
            at_most=REACH,
        )
        for m in FILTERS[2:-1]
    ]
    return (panel,), (
        Claimed(
            text="From ten filters on, the width changes inherited accuracy by less than a point.",
            source="open question",
            effects=effects,
        ),
    )


EXPERIMENT = Experiment(
    name="width",
    title="The width of the networks",
    caption=(
        "Networks with few filters on the left and many on the right; half of the filters are "
        "inherited. The learning rate grows with the width, so that all learn equally fast."
    ),
    **sweeps({"m,eta": [(m, m / 20) for m in FILTERS]}, quick=48, full=400),
    read=read,
)
