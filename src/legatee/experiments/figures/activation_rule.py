"""The authors' suggestion: inherit filters that are active on downstream samples."""

from legatee.experiments.experiment import Experiment, SweepResult, at_fixed_strength, sweeps
from legatee.experiments.panels import gain, gain_panel
from legatee.experiments.verdicts import Claimed, Effect
from legatee.finding import Axis, Curves

U_NORMS, THRESHOLDS = [0.0, 0.7, 1.4, 2.1], [0.4, 0.6]
X = Axis(label="universal signal |u|, at fixed |u + v2|")


def read(result: SweepResult) -> tuple[tuple[Curves, ...], tuple[Claimed, ...]]:
    """Draw the gains of the rule and of random filters; test which is better."""
    grid, data = result
    least = THRESHOLDS[0]
    by = {"random filters": {"inherit": "random", "active_threshold": least}} | {
        f"active on {threshold:.0%}": {"inherit": "active", "active_threshold": threshold}
        for threshold in THRESHOLDS
    }
    gains = gain(data)
    alone = gains.sel(inherit="active", u_norm=0.0)
    better = gains.sel(inherit="active") - gains.sel(inherit="random")
    return (gain_panel(grid, data, X, "u_norm", by),), (
        Claimed(
            text="Filters that are active on downstream samples are better than random ones.",
            source="the authors' answer to a reviewer, hint (i)",
            effects=[
                Effect(
                    what=f"active on {threshold:.0%} over random, mean over |u|",
                    values=better.mean("u_norm").sel(active_threshold=threshold).values,
                )
                for threshold in THRESHOLDS
            ],
        ),
        Claimed(
            text="The rule protects from negative transfer: no loss without a universal signal.",
            source="the authors' answer to a reviewer, hint (i)",
            effects=[
                Effect(
                    what=f"gain of active on {threshold:.0%} at |u| = 0",
                    values=alone.sel(active_threshold=threshold).values,
                    at_least=-0.5,
                )
                for threshold in THRESHOLDS
            ],
        ),
    )


EXPERIMENT = Experiment(
    name="activation_rule",
    title="Filters that are active downstream",
    caption=(
        "A practitioner can run the upstream network on downstream samples and inherit the "
        "filters that are active on many of them, as the authors suggest. Half of the filters "
        "are inherited, fewer where too few are active."
    ),
    **sweeps(
        {
            "u_norm,downstream.v_norm": at_fixed_strength(U_NORMS),
            "inherit": ["random", "active"],
            "active_threshold": THRESHOLDS,
        },
        quick=32,
        full=300,
    ),
    read=read,
)
