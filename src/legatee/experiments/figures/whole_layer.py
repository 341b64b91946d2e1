"""Whole layers: everything is inherited, as the authors' layer transfer does."""

from legatee.experiments.experiment import Experiment, SweepResult, at_fixed_strength, sweeps
from legatee.experiments.panels import gain, gain_panel
from legatee.experiments.verdicts import Claimed, Effect
from legatee.finding import Axis, Curves

U_NORMS = [0.0, 0.7, 1.4, 2.1, 2.8]
ALPHAS = {0.5: "half of the layer", 1.0: "the whole layer"}


def read(result: SweepResult) -> tuple[tuple[Curves, ...], tuple[Claimed, ...]]:
    """Draw the gain of a half and of the whole; test which is better."""
    grid, data = result
    gains, by = gain(data), {name: {"alpha": alpha} for alpha, name in ALPHAS.items()}
    x = Axis(label="universal signal |u|, at fixed |u + v2|")
    panel = gain_panel(grid, data, x, "u_norm", by)
    whole, half = gains.sel(alpha=1.0), gains.sel(alpha=0.5)
    return (panel,), (
        Claimed(
            text="Inheriting the whole layer helps wherever there is a universal signal.",
            source="paper, section 4: layer transfer is alpha = 1",
            effects=[
                Effect(
                    what=f"gain of the whole layer at |u| = {u:g}",
                    values=whole.sel(u_norm=u).values,
                )
                for u in U_NORMS[1:]
            ],
        ),
        Claimed(
            text="The whole layer is never worse than half of it.",
            source="open question",
            effects=[
                Effect(
                    what=f"whole over half at |u| = {u:g}",
                    values=(whole.sel(u_norm=u) - half.sel(u_norm=u)).values,
                )
                for u in U_NORMS
            ],
        ),
    )


EXPERIMENT = Experiment(
    name="whole_layer",
    title="Whole layers",
    caption=(
        "In practice whole layers are transferred; the theory is about a random share of the "
        "filters of one layer. Both are compared here for universal signals of different strength."
    ),
    **sweeps(
        {"u_norm,downstream.v_norm": at_fixed_strength(U_NORMS), "alpha": list(ALPHAS)},
        quick=32,
        full=300,
    ),
    read=read,
)
