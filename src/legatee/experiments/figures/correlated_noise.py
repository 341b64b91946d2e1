"""Noise that is not orthogonal to the signals: does the boundary move?"""

from legatee.experiments.experiment import Experiment, SweepResult, sweeps
from legatee.experiments.panels import ACCURACY, accuracy, gain, gain_panel, measured
from legatee.experiments.verdicts import Claimed, Effect
from legatee.finding import Axis, Curves

SHARES, U_NORMS = [0.0, 0.5, 1.0], [0.0, 0.7, 1.4, 2.1, 2.8]
X = Axis(label="universal signal |u|")
REACH = 1.0  # a difference that counts as none [points]


def read(result: SweepResult) -> tuple[tuple[Curves, ...], tuple[Claimed, ...]]:
    """Draw accuracy and gain for orthogonal to isotropic noise; claim that they agree."""
    grid, data = result
    name, final = "noise_signal_correlation", accuracy(data, "inherited")
    panels = (
        Curves(
            title="Accuracy of the inheriting network",
            x=X,
            y=ACCURACY,
            series=tuple(
                measured(f"noise keeps {share:.0%}", final.sel({name: share}), "u_norm", colour)
                for colour, share in enumerate(SHARES, 1)
            ),
        ),
        gain_panel(grid, data, X, "u_norm", {f"noise keeps {s:.0%}": {name: s} for s in SHARES}),
    )
    effects = [
        Effect(
            what=f"{what} with isotropic instead of orthogonal noise, |u| = {u:g}",
            values=(values.sel({name: 1.0}) - values.sel({name: 0.0})).sel(u_norm=u).values,
            at_least=-REACH,
            at_most=REACH,
        )
        for what, values in (("inherited accuracy", final), ("gain", gain(data)))
        for u in U_NORMS
    ]
    return panels, (
        Claimed(
            text="Noise that is not orthogonal to the signals changes accuracy and gain by less "
            "than a point.",
            source="open question: correlated noise",
            effects=effects,
        ),
    )


EXPERIMENT = Experiment(
    name="correlated_noise",
    title="Noise along the signals",
    caption=(
        "In the paper the noise has no component along the signals. Here its standard deviation in "
        "their directions is 0, 50 or 100 % of that in the others: the last is isotropic noise."
    ),
    **sweeps({"noise_signal_correlation": SHARES, "u_norm": U_NORMS}, quick=48, full=400),
    read=read,
)
