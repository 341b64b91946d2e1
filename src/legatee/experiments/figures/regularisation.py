"""Weight decay: does it take the harm out of inherited filters?"""

import xarray as xr

from legatee.experiments.experiment import Experiment, at_fixed_strength, sweeps
from legatee.experiments.judge import Claimed, Effect
from legatee.experiments.panels import accuracy, gain, gain_panel
from legatee.finding import Axis, Curves
from legatee.grid import Grid

DECAYS, U_NORMS = [0.0, 1e-3, 3e-3, 1e-2, 3e-2], [0.0, 2.0]
X = Axis(label="weight decay in both trainings")


def read(grid: Grid, data: xr.Dataset) -> tuple[tuple[Curves, ...], tuple[Claimed, ...]]:
    """Draw the gain over weight decay, and judge whether it removes negative transfer."""
    by = {f"|u| = {u:g}": {"u_norm": u} for u in U_NORMS}
    none = data.sel(u_norm=0.0)
    inherited, strongest = accuracy(none, "inherited"), DECAYS[-1]
    return (gain_panel(grid, data, X, "weight_decay", by),), (
        Claimed(
            text="Weight decay removes negative transfer: half a point at most is lost.",
            source="open question: regularisation",
            effects=[
                Effect(
                    what=f"gain at |u| = 0 with weight decay {strongest:g}",
                    values=gain(none).sel(weight_decay=strongest).values,
                    at_least=-0.5,
                )
            ],
        ),
        Claimed(
            text="Weight decay makes the harmfully inheriting network better.",
            source="open question: regularisation",
            effects=[
                Effect(
                    what=f"accuracy at |u| = 0 with weight decay {strongest:g} over none",
                    values=(
                        inherited.sel(weight_decay=strongest) - inherited.sel(weight_decay=0.0)
                    ).values,
                )
            ],
        ),
    )


EXPERIMENT = Experiment(
    name="regularisation",
    title="Regularisation",
    caption=(
        "Weight decay pulls all weights towards zero, inherited ones too. The gain is over a "
        "scratch network that is regularised alike."
    ),
    **sweeps(
        {"u_norm,downstream.v_norm": at_fixed_strength(U_NORMS), "weight_decay": DECAYS}, 48, 400
    ),
    read=read,
)
