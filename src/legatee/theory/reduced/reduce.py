"""From a setting to its reduced model, where there is one."""

from math import ceil

from legatee.setting import ResolvedTask, Setting
from legatee.theory.quantities import signal_squared
from legatee.theory.reduced.table import (
    FEW,
    FILTERS,
    SAMPLES,
    SAMPLES_COUNTED,
    Reduced,
    World,
)

FEWEST_SAMPLES = 8  # below which classes are too unequal to be reduced [count]
TINY = 1e-9


def reduced(setting: Setting) -> tuple[Reduced, Reduced, World]:
    """Reduce a setting.

    Args:
        setting: One that :func:`outside` has nothing against.

    Returns:
        Its tasks, upstream first, and what they have in common.
    """
    first, second = setting.resolved
    few = setting.inherited_filters == second.m
    return (
        _task(setting, first, _kept(setting, first, first.m <= FEW)),
        _task(setting, second, _kept(setting, second, few or second.m <= FEW)),
        World(
            u_norm=setting.u_norm,
            v_norms=(first.v_norm, second.v_norm),
            sigma_0=setting.sigma_0,
            inherited=float(setting.inherited_filters),
        ),
    )


def outside(setting: Setting) -> tuple[str, ...]:
    """Return in which respects the reduced model does not hold.

    Args:
        setting: The setting.

    Returns:
        Reasons in words; none where it holds.
    """
    reasons = []
    for name in ("noise_signal_correlation", "label_noise", "weight_decay", "l2_sp"):
        if getattr(setting, name):
            reasons.append(f"{name} is {getattr(setting, name):g}; the theory is for 0")
    if setting.inherit != "random":
        reasons.append(f"inherit is {setting.inherit}; the theory is for random")
    names = ("upstream", "downstream") if setting.inherited_filters else ("", "downstream")
    for name, task in zip(names, setting.resolved, strict=True):
        if name and task.n < FEWEST_SAMPLES:
            reasons.append(f"{name}.n is {task.n}; the theory is for {FEWEST_SAMPLES} and more")
        least = task.n * (1 + 2 * min(task.m, FILTERS) / min(task.n, SAMPLES_COUNTED))
        if name and setting.d < least:
            reasons.append(f"d is {setting.d}; with this {name}.n the theory is for {least:.0f} up")
    return tuple(reasons)


def _task(setting: Setting, task: ResolvedTask, kept: int) -> Reduced:
    """Reduce one task."""
    return Reduced(
        n=float(task.n),
        d=float(setting.d),
        kept=kept,
        sigma=task.sigma_p,
        norm=signal_squared(setting, task),
        eta=task.eta,
        steps=float(task.steps),
        m=float(task.m),
    )


def _kept(setting: Setting, task: ResolvedTask, counted: bool) -> int:
    """Return how many samples a task is reduced to, an even number.

    The reduced task's dimension must have room for its samples beside the filters.
    """
    room = 2 * min(task.m, FILTERS) / max(setting.d / task.n - 1, TINY)
    most = SAMPLES_COUNTED if counted else max(SAMPLES, ceil(room))
    return 2 * max(min(task.n, most, SAMPLES_COUNTED) // 2, 1)
