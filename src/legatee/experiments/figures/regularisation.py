"""Regularisation: do weight decay or L2-SP prevent negative transfer?"""

from legatee.experiments.experiment import Experiment, SweepResult, at_fixed_strength, sweeps
from legatee.experiments.panels import accuracy, gain, gain_panel
from legatee.experiments.verdicts import Claimed, Effect
from legatee.finding import Axis, Curves

PULLS, U_NORMS = [0.0, 1e-3, 3e-3, 1e-2, 3e-2], [0.0, 2.0]
KINDS = {"weight_decay": "weight decay", "l2_sp": "a pull to the initial weights (L2-SP)"}
LOST = 0.5  # a loss that counts as none [points]


def read(*results: SweepResult) -> tuple[tuple[Curves, ...], tuple[Claimed, ...]]:
    """Draw the gain over both pulls; test whether they remove negative transfer."""
    panels, claims = [], []
    by = {f"|u| = {u:g}": {"u_norm": u} for u in U_NORMS}
    for (grid, data), (kind, words) in zip(results, KINDS.items(), strict=True):
        panel = gain_panel(grid, data, Axis(label=f"strength of {words}"), kind, by)
        panels.append(panel.model_copy(update={"title": f"Gain under {words}"}))
        none = data.sel(u_norm=0.0)
        inherited = accuracy(none, "inherited")
        strong, without = {kind: PULLS[-1]}, {kind: 0.0}
        claims += [
            Claimed(
                text=f"With {words}, at most half a point is lost to negative transfer.",
                source="open question: regularisation",
                effects=[
                    Effect(
                        what=f"gain at |u| = 0, strength {PULLS[-1]:g}",
                        values=gain(none).sel(strong).values,
                        at_least=-LOST,
                    )
                ],
            ),
            Claimed(
                text=f"Without a universal signal, {words} makes inheriting less harmful.",
                source="open question: regularisation",
                effects=[
                    Effect(
                        what=f"accuracy at |u| = 0, strength {PULLS[-1]:g} over none",
                        values=(inherited.sel(strong) - inherited.sel(without)).values,
                    )
                ],
            ),
        ]
    return tuple(panels), tuple(claims)


EXPERIMENT = Experiment(
    name="regularisation",
    title="Regularisation",
    caption=(
        "Weight decay pulls all weights towards zero, inherited ones too; L2-SP pulls them towards "
        "their values at the start of downstream training: inherited weights to what was "
        "inherited. The gain is over a scratch network that is regularised in the same way."
    ),
    **sweeps(
        *({"u_norm,downstream.v_norm": at_fixed_strength(U_NORMS), kind: PULLS} for kind in KINDS),
        quick=48,
        full=400,
    ),
    read=read,
)
