"""How much to inherit: the gain over alpha under a strong, a medium and no universal signal."""

from legatee.experiments.experiment import Experiment, SweepResult, at_fixed_strength, sweeps
from legatee.experiments.panels import gain, gain_panel
from legatee.experiments.verdicts import Claimed, Effect
from legatee.finding import Axis, Curves

ALPHAS = [0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0]
STRENGTHS = {"no universal signal": 0.0, "medium": 1.26, "strong": 2.53}
MIDDLE = 0.6  # an inheritance ratio in the middle


def read(result: SweepResult) -> tuple[tuple[Curves, ...], tuple[Claimed, ...]]:
    """Draw the gain over alpha; test where it rises and where it is negative."""
    grid, data = result
    gains = gain(data)
    x = Axis(label="inheritance ratio alpha: share of the filters that is inherited")
    by = {name: {"u_norm": u} for name, u in STRENGTHS.items()}
    panel = gain_panel(grid, data, x, "alpha", by)
    none, strong = gains.sel(u_norm=0.0), gains.sel(u_norm=STRENGTHS["strong"])
    return (panel,), (
        Claimed(
            text="Under a strong universal signal, more inheritance helps more.",
            source="paper, section 4 (d)",
            effects=[
                Effect(
                    what=f"gain of alpha = {more:g} over {less:g}",
                    values=(strong.sel(alpha=more) - strong.sel(alpha=less)).values,
                )
                for less, more in ((0.0, 0.3), (0.3, 0.6), (0.6, 1.0))
            ],
        ),
        Claimed(
            text="Without a universal signal, inheriting a part of the filters hurts.",
            source="paper, Proposition 4.4 (2)",
            effects=[
                Effect(
                    what=f"accuracy lost at alpha = {MIDDLE:g}",
                    values=-none.sel(alpha=MIDDLE).values,
                )
            ],
        ),
        Claimed(
            text="Negative transfer is worst at intermediate alpha, and alpha = 1 avoids it.",
            source="open question",
            effects=[
                Effect(
                    what=f"alpha = 1 over alpha = {MIDDLE:g}",
                    values=(none.sel(alpha=1.0) - none.sel(alpha=MIDDLE)).values,
                ),
                Effect(what="gain at alpha = 1", values=none.sel(alpha=1.0).values),
            ],
        ),
    )


EXPERIMENT = Experiment(
    name="inheritance_ratio",
    title="How much to inherit",
    caption=(
        "From left to right more of the filters are inherited, from none (training from "
        "scratch) to all (what practice calls transferring a whole layer). Each colour is one "
        "strength of the universal signal, at the same difficulty of the downstream task. "
        "Without fresh filters, at the right end, the network cannot memorise its own samples "
        "one by one and learns what they have in common instead."
    ),
    **sweeps(
        {
            "u_norm,downstream.v_norm": at_fixed_strength(list(STRENGTHS.values())),
            "alpha": ALPHAS,
        },
        quick=16,
        full=200,
    ),
    read=read,
)
