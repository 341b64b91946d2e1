"""The paper's second figure: the universal signal is varied at a fixed total signal."""

from legatee.experiments.experiment import Experiment, SweepResult, at_fixed_strength, sweeps
from legatee.experiments.panels import accuracy_panel, gain, gain_panel
from legatee.experiments.verdicts import Claimed, Effect
from legatee.finding import Axis, Curves

U_NORMS = [0.0, 0.4, 0.8, 1.2, 1.6, 2.0, 2.4, 2.8]
X = Axis(label="universal signal |u|, at fixed |u + v2|")


def read(result: SweepResult) -> tuple[tuple[Curves, ...], tuple[Claimed, ...]]:
    """Draw accuracy and gain over |u|; claim that inheriting hurts without, and helps with."""
    grid, data = result
    gains = gain(data)
    panels = (
        accuracy_panel(grid, data, X, "u_norm"),
        gain_panel(grid, data, X, "u_norm"),
    )
    none, most = gains.sel(u_norm=U_NORMS[0]).values, gains.sel(u_norm=U_NORMS[-1]).values
    rises = gains.diff("u_norm")
    return panels, (
        Claimed(
            text="Without a universal signal inheriting hurts: negative transfer.",
            source="paper, section 4 (b); Proposition 4.4 (2)",
            effects=[Effect(what="accuracy lost at |u| = 0", values=-none)],
        ),
        Claimed(
            text="With a strong universal signal inheriting helps.",
            source="paper, section 4 (b); Proposition 4.4 (1)",
            effects=[Effect(what=f"gain at |u| = {U_NORMS[-1]:g}", values=most)],
        ),
        Claimed(
            text="The gain rises with the universal signal, step by step.",
            source="paper, section 4 (b)",
            effects=[
                Effect(what=f"gain at |u| = {u:g} minus that at the previous |u|", values=values)
                for u, values in zip(
                    U_NORMS[1:], rises.transpose("u_norm", "seed").values, strict=True
                )
            ],
        ),
    )


EXPERIMENT = Experiment(
    name="universal_signal",
    title="How much signal the tasks share",
    caption=(
        "From left to right more of the downstream signal is universal, that is, shared with "
        "the upstream task. The downstream task itself stays equally hard, so training from "
        "scratch is a flat line. Where the gain is below zero, inheriting filters is worse than "
        "training from scratch (negative transfer)."
    ),
    **sweeps({"u_norm,downstream.v_norm": at_fixed_strength(U_NORMS)}, quick=48, full=400),
    read=read,
)
