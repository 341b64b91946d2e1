"""The paper's second figure: what both tasks share is varied, at the same total signal."""

from legatee.experiments.experiment import Experiment, Found, at_fixed_strength, sweeps
from legatee.experiments.panels import accuracy_panel, gain, gain_panel
from legatee.experiments.verdicts import Claimed, Effect
from legatee.finding import Axis, Curves

U_NORMS = [0.0, 0.4, 0.8, 1.2, 1.6, 2.0, 2.4, 2.8]
X = Axis(label="universal signal |u|, at fixed |u + v2|")


def read(found: Found) -> tuple[tuple[Curves, ...], tuple[Claimed, ...]]:
    """Draw accuracy and gain over |u|, and judge that inheriting hurts without, and helps with."""
    grid, data = found
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
                Effect(what=f"gain at |u| = {u:g} over the one before", values=values)
                for u, values in zip(
                    U_NORMS[1:], rises.transpose("u_norm", "seed").values, strict=True
                )
            ],
        ),
    )


EXPERIMENT = Experiment(
    name="universal_signal",
    title="What the tasks have in common",
    caption=(
        "From left to right more of the downstream signal is universal, that is, shared with "
        "the upstream task, while the downstream task as such stays equally easy: scratch, "
        "which knows nothing of the upstream task, is a flat line. Where the gain is below "
        "zero, starting with the upstream network's filters is worse than starting with none."
    ),
    **sweeps({"u_norm,downstream.v_norm": at_fixed_strength(U_NORMS)}, quick=48, full=400),
    read=read,
)
