"""More than two layers: does the boundary persist, and how does it move with depth?"""

from dataclasses import replace

import numpy as np
import xarray as xr

from legatee.experiments.experiment import PAPER, Experiment, SweepResult, at_fixed_strength, sweeps
from legatee.experiments.jackknife import pseudo_values
from legatee.experiments.panels import ACCURACY, GAIN, accuracy, gain, measured
from legatee.experiments.verdicts import Claimed, Effect
from legatee.finding import Axis, Curves

LAYERS, U_NORMS = [2, 3, 4], [0.0, 0.4, 0.8, 1.2, 1.6, 2.0]
BASE = replace(  # small, because deep networks are trained by plain automatic differentiation
    PAPER,
    d=500,
    m=10,
    steps=100,
    upstream=replace(PAPER.upstream, n=100),
    downstream=replace(PAPER.downstream, n=20),
)
STRENGTH = 4.0  # |u + v_k|^2 of both tasks [signal^2]
GOOD = 90.0  # an accuracy whose |u| is compared [percent]
MOVED = 0.1  # how far a threshold may move and count as unmoved [share of |u|]
X = Axis(label="universal signal |u|, at fixed |u + v| of both tasks")


def read(*results: SweepResult) -> tuple[tuple[Curves, ...], tuple[Claimed, ...]]:
    """Draw accuracy and gain over |u| by depth; test whether the picture stays."""
    depths = dict(zip(LAYERS, (result.data for result in results), strict=True))
    panels = (
        Curves(
            title="Accuracy of the inheriting network",
            x=X,
            y=ACCURACY,
            series=tuple(
                measured(f"{layers} layers", accuracy(data, "inherited"), "u_norm", colour)
                for colour, (layers, data) in enumerate(depths.items(), 1)
            ),
        ),
        Curves(
            title="Gain of inheriting",
            x=X,
            y=GAIN,
            series=tuple(
                measured(f"{layers} layers", gain(data), "u_norm", colour)
                for colour, (layers, data) in enumerate(depths.items(), 1)
            ),
            level=0.0,
        ),
    )
    gains = {layers: gain(data) for layers, data in depths.items()}
    crossings = {layers: _crossings(accuracy(d, "inherited")) for layers, d in depths.items()}
    return panels, (
        Claimed(
            text="At every depth, inheriting helps under a strong universal signal.",
            source="open question: depth",
            effects=[
                Effect(what=f"gain, {layers} layers", values=values.sel(u_norm=U_NORMS[-1]).values)
                for layers, values in gains.items()
            ],
        ),
        Claimed(
            text="At every depth, inheriting hurts without a universal signal.",
            source="open question: depth",
            effects=[
                Effect(
                    what=f"accuracy lost, {layers} layers", values=-values.sel(u_norm=0.0).values
                )
                for layers, values in gains.items()
            ],
        ),
        Claimed(
            text=f"The |u| that {GOOD:g} percent need moves by less than a tenth with depth.",
            source="open question: depth",
            effects=[
                Effect(
                    what=f"share by which it moves with {layers} layers instead of 2",
                    values=crossings[layers] / crossings[2] - 1,
                    at_least=-MOVED,
                    at_most=MOVED,
                    unit="",
                )
                for layers in LAYERS[1:]
            ],
        ),
    )


def _crossings(final: xr.DataArray) -> np.ndarray:
    """Return the |u| at which accuracy reaches ``GOOD``, a pseudo-value for each seed."""

    def crossing(mean: np.ndarray) -> float:
        rising = np.maximum.accumulate(mean)
        return float(np.interp(GOOD, rising, U_NORMS))

    return pseudo_values(final.transpose("u_norm", "seed").values, crossing)


_PAIRS = [(u, v, v) for u, v in at_fixed_strength(U_NORMS, STRENGTH)]
_TWO = sweeps({"u_norm,upstream.v_norm,downstream.v_norm": _PAIRS}, quick=64, full=480, base=BASE)

EXPERIMENT = Experiment(
    name="depth",
    title="Deeper networks",
    caption=(
        "The theory covers networks of two layers. These networks have one or two layers more and "
        "are trained on the same data; half of every layer is inherited. The first layer is "
        "initialised with small weights, as in the paper, and the layers above it as in He et al. "
        "(2015); otherwise gradients vanish and training does not start. (With half of that "
        "initial scale, negative transfer was not observed.)"
    ),
    quick=tuple(replace(_TWO["quick"][0], layers=layers) for layers in LAYERS),
    full=tuple(replace(_TWO["full"][0], layers=layers) for layers in LAYERS),
    read=read,
)
