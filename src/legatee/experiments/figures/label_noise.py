"""Wrong labels in both tasks: does transfer stay above scratch?"""

from legatee.experiments.experiment import Experiment, SweepResult, at_fixed_strength, sweeps
from legatee.experiments.panels import ACCURACY, accuracy, gain, gain_panel, measured
from legatee.experiments.verdicts import Claimed, Effect
from legatee.finding import Axis, Curves

SHARES, U_NORMS = [0.0, 0.05, 0.1, 0.2, 0.3], [0.0, 2.0]
X = Axis(label="share of training labels that are wrong")


def read(result: SweepResult) -> tuple[tuple[Curves, ...], tuple[Claimed, ...]]:
    """Draw accuracy and gain over label noise; claim that transfer stays above scratch."""
    grid, data = result
    along, strong = "label_noise", data.sel(u_norm=2.0)
    panels = (
        Curves(
            title="Accuracy, |u| = 2",
            x=X,
            y=ACCURACY,
            series=(
                measured("from scratch", accuracy(strong, "scratch"), along, 0),
                measured("inherited", accuracy(strong, "inherited"), along, 1),
            ),
        ),
        gain_panel(grid, data, X, along, {f"|u| = {u:g}": {"u_norm": u} for u in U_NORMS}),
    )
    gains = gain(data).sel(u_norm=2.0)
    return panels, (
        Claimed(
            text="With a universal signal, transfer stays above scratch at every noise level.",
            source="paper, section 4, of noise in its real target tasks",
            effects=[
                Effect(
                    what=f"gain at {share:.0%} wrong", values=gains.sel(label_noise=share).values
                )
                for share in SHARES
            ],
        ),
        Claimed(
            text="Wrong labels reduce the gain of inheriting.",
            source="open question",
            effects=[
                Effect(
                    what=f"gain lost with {SHARES[-1]:.0%} wrong labels",
                    values=(gains.sel(label_noise=0.0) - gains.sel(label_noise=SHARES[-1])).values,
                )
            ],
        ),
    )


EXPERIMENT = Experiment(
    name="label_noise",
    title="Wrong labels",
    caption=(
        "A share of the training labels of both tasks is flipped, so that both networks learn from "
        "wrong labels too. Test labels are correct."
    ),
    **sweeps(
        {"u_norm,downstream.v_norm": at_fixed_strength(U_NORMS), "label_noise": SHARES},
        quick=48,
        full=400,
    ),
    read=read,
)
