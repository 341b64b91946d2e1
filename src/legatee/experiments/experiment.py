"""What an experiment is: a grid to simulate, and how its results become a figure and verdicts."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import xarray as xr

from legatee.experiments.verdicts import Claimed
from legatee.finding import Curves, Heatmap
from legatee.sweep.declare import Sweep
from legatee.world.grid import Grid
from legatee.world.setting import Setting
from legatee.world.task import Task

PAPER = Setting(  # of every figure, but for what the figure varies; ours: the paper's is not public
    d=2000,
    m=20,
    u_norm=2.0,
    upstream=Task(n=200, v_norm=2.0, sigma_p=1.0),
    downstream=Task(n=40, v_norm=2.0, sigma_p=1.0),
    alpha=0.5,
    eta=1.0,
    sigma_0=1e-4,
    steps=200,
)
DOWNSTREAM = 8.0  # |u + v2|^2 where it is held while |u| changes [signal^2]


class SweepResult(NamedTuple):
    """What a sweep measured.

    Attributes:
        grid: Its settings.
        data: What was measured of them.
    """

    grid: Grid
    data: xr.Dataset


Read = Callable[..., tuple[tuple[Curves | Heatmap, ...], tuple[Claimed, ...]]]


@dataclass(frozen=True, kw_only=True)
class Experiment:
    """A figure as a declaration.

    Attributes:
        name: On the command line.
        title: What it is about.
        caption: What is shown and how to read it, for a reader who is not an expert.
        quick: What is simulated in less than a minute: a sweep, or several.
        full: What is simulated for publication, likewise.
        read: Turns the result of each sweep into panels and claims.
    """

    name: str
    title: str
    caption: str
    quick: tuple[Sweep, ...]
    full: tuple[Sweep, ...]
    read: Read


def sweeps(
    *axes: dict[str, Any],
    quick: int,
    full: int,
    base: Setting = PAPER,
    record_steps: Sequence[int] = (),
) -> dict[str, tuple[Sweep, ...]]:
    """Return the quick and the full sweeps of grids that are the same for both.

    Args:
        *axes: Those of each grid.
        quick: Seeds of the quick sweeps [count].
        full: Seeds of the full ones [count].
        base: What the settings have in common.
        record_steps: Steps at which networks are measured, beside the first and the last [count].

    Returns:
        ``quick`` and ``full``.
    """
    grids = [Grid(base=base, axes=each) for each in axes]
    return {
        size: tuple(
            Sweep(grid=grid, seeds=tuple(range(seeds)), record_steps=tuple(record_steps))
            for grid in grids
        )
        for size, seeds in (("quick", quick), ("full", full))
    }


def at_fixed_strength(u_norms: list[float], strength: float = DOWNSTREAM) -> list[tuple]:
    """Return norms of u and v2 that keep the strength of the downstream signal.

    Args:
        u_norms: Norms of u [signal].
        strength: |u + v2|^2 [signal^2].

    Returns:
        Pairs for the axis ``u_norm,downstream.v_norm``.
    """
    return [(u, float(np.sqrt(max(strength - u**2, 0.0)))) for u in u_norms]
