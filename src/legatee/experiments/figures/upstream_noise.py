"""The paper's third figure: the upstream task's noise is varied."""

from itertools import pairwise

from legatee.experiments.experiment import PAPER, Experiment, SweepResult, sweeps
from legatee.experiments.panels import gain, gain_panel
from legatee.experiments.verdicts import Claimed, Effect
from legatee.finding import Axis, Curves

NOISES = [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0]
VANISHED = 1.0  # a gain that counts as none [points]


def read(result: SweepResult) -> tuple[tuple[Curves, ...], tuple[Claimed, ...]]:
    """Draw the gain over upstream noise; claim that it falls and vanishes."""
    grid, data = result
    gains, along = gain(data), "upstream.sigma_p"
    panel = gain_panel(grid, data, Axis(label="upstream noise level sigma_1", log=True), along)
    little, much = gains.sel({along: NOISES[0]}).values, gains.sel({along: NOISES[-1]}).values
    return (panel,), (
        Claimed(
            text="The noisier the upstream task, the less inheriting gains.",
            source="paper, section 4 (c)",
            effects=[
                Effect(what=f"gain lost from sigma_1 = {low:g} to {high:g}", values=-step)
                for (low, high), step in zip(
                    pairwise(NOISES), gains.diff(along).transpose(along, "seed").values, strict=True
                )
            ],
        ),
        Claimed(
            text="With little upstream noise inheriting helps.",
            source="paper, section 4 (c)",
            effects=[Effect(what=f"gain at sigma_1 = {NOISES[0]:g}", values=little)],
        ),
        Claimed(
            text=f"With much upstream noise the gain vanishes (below {VANISHED:g} point).",
            source="paper, section 4 (c)",
            effects=[
                Effect(
                    what=f"gain at sigma_1 = {NOISES[-1]:g}",
                    values=much,
                    at_least=None,
                    at_most=VANISHED,
                )
            ],
        ),
    )


def _rate(sigma: float) -> float:
    """Return the upstream learning rate at which all noise levels are learned equally fast."""
    up = PAPER.upstream
    signal = PAPER.u_norm**2 + up.v_norm**2
    speeds = [s**2 * PAPER.d / up.n + signal for s in (1.0, sigma)]
    return PAPER.eta * speeds[0] / speeds[1]


EXPERIMENT = Experiment(
    name="upstream_noise",
    title="Noise in the upstream task",
    caption=(
        "The noisier the upstream samples, the more noise and the less signal the upstream "
        "network has learned, and the less its filters help. The noise of the downstream task "
        "stays the same."
    ),
    **sweeps(
        {"upstream.sigma_p,upstream.eta": [(s, _rate(s)) for s in NOISES]},
        quick=48,
        full=400,
    ),
    read=read,
)
