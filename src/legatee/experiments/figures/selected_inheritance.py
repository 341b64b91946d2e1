"""Selected instead of random filters: does selection remove negative transfer?"""

from legatee.experiments.experiment import Experiment, SweepResult, at_fixed_strength, sweeps
from legatee.experiments.panels import gain, gain_panel
from legatee.experiments.verdicts import Claimed, Effect
from legatee.finding import Axis, Curves

U_NORMS, ALPHAS = [0.0, 0.7, 1.4, 2.1], [0.25, 0.5, 0.75]
RULES = ["random", "selected"]
LOST = 0.5  # a loss that counts as none [points]
X = Axis(label="universal signal |u|, at fixed |u + v2|")


def read(result: SweepResult) -> tuple[tuple[Curves, ...], tuple[Claimed, ...]]:
    """Draw the gains of both rules; test which is better and whether losses remain."""
    grid, data = result
    panels = tuple(
        gain_panel(
            grid,
            data,
            X,
            "u_norm",
            {f"{rule} filters": {"inherit": rule, "alpha": alpha} for rule in RULES},
        ).model_copy(update={"title": f"{alpha:.0%} inherited"})
        for alpha in ALPHAS
    )
    gains = gain(data)
    better = gains.sel(inherit="selected") - gains.sel(inherit="random")
    return panels, (
        Claimed(
            text="Selected filters are better than random ones, over all settings here.",
            source="open question: selective inheritance",
            effects=[
                Effect(
                    what="selected over random, mean over |u| and alpha",
                    values=better.mean(["u_norm", "alpha"]).values,
                )
            ],
        ),
        Claimed(
            text="In no setting is selecting worse by more than half a point.",
            source="open question: selective inheritance",
            effects=[
                Effect(
                    what=f"selected over random at |u| = {u:g}, alpha = {alpha:g}",
                    values=better.sel(u_norm=u, alpha=alpha).values,
                    at_least=-LOST,
                )
                for u in U_NORMS
                for alpha in ALPHAS
            ],
        ),
        Claimed(
            text="Selecting filters removes negative transfer.",
            source="open question: selective inheritance",
            effects=[
                Effect(
                    what=f"gain of selected filters at |u| = 0, alpha = {alpha:g}",
                    values=gains.sel(inherit="selected", u_norm=0.0, alpha=alpha).values,
                    at_least=-LOST,
                )
                for alpha in ALPHAS
            ],
        ),
    )


EXPERIMENT = Experiment(
    name="selected_inheritance",
    title="Selected filters",
    caption=(
        "The paper inherits filters at random. Here the filters with the highest ratio of "
        "downstream signal to the noise they would add are inherited. This ratio is not known in "
        "practice: it shows the best that a rule that scores single filters could do."
    ),
    **sweeps(
        {
            "u_norm,downstream.v_norm": at_fixed_strength(U_NORMS),
            "alpha": ALPHAS,
            "inherit": RULES,
        },
        quick=24,
        full=300,
    ),
    read=read,
)
