"""From a setting to its reduced model, where there is one."""

from math import ceil, inf, sqrt

from legatee.theory.growth import margin
from legatee.theory.quantities import growth_rate, signal_squared
from legatee.theory.reduced.table import (
    FEW,
    FILTERS,
    SAMPLES,
    SAMPLES_COUNTED,
    Reduced,
    ReducedWorld,
)
from legatee.world.setting import Setting
from legatee.world.task import ResolvedTask

FEWEST_SAMPLES = 8  # below which classes are too unequal to be reduced [count]
SLOWEST, FASTEST = 1e-6, 1e4  # growth rates between which it was checked [margin per step]
SMALL, LARGE = 1e-6, 10.0  # starts: all smaller ones are alike, larger ones were not checked
BY_CHANCE = 0.01  # of the margin reached, that few followed filters may begin with for many
FARTHEST = 1e6  # from one another that signals and noise levels may be
TINY = 1e-9


def reduced(setting: Setting) -> tuple[Reduced, Reduced, ReducedWorld]:
    """Reduce a setting.

    Args:
        setting: One that :func:`outside` has nothing against.

    Returns:
        Its tasks, upstream first, and what they have in common.

    Source: *Ours*, docs/theory.md, section 4.
    """
    first, second = setting.resolved
    unit = second.sigma_p
    few = setting.inherited_filters == second.m
    return (
        _task(setting, first, _kept(setting, first, first.m <= FEW), unit),
        _task(setting, second, _kept(setting, second, few or second.m <= FEW), unit),
        ReducedWorld(
            u_norm=setting.u_norm / unit,
            v_norms=(first.v_norm / unit, second.v_norm / unit),
            inherited=float(setting.inherited_filters),
        ),
    )


def outside(setting: Setting) -> tuple[str, ...]:
    """Return in which respects the reduced model does not hold.

    Args:
        setting: The setting.

    Returns:
        Reasons in words; none where it holds.

    Source: *Ours*, docs/theory.md, section 4.
    """
    reasons = []
    for name in ("noise_signal_correlation", "label_noise", "weight_decay", "l2_sp"):
        if getattr(setting, name):
            reasons.append(f"{name} is {getattr(setting, name):g}; the theory is for 0")
    if setting.inherit != "random":
        reasons.append(f"inherit is {setting.inherit}; the theory is for random")
    tasks = dict(zip(("upstream", "downstream"), setting.resolved, strict=True))
    if not setting.inherited_filters:
        del tasks["upstream"]
    for name, task in tasks.items():
        reasons += _outside(setting, name, task)
    noises = [task.sigma_p for task in tasks.values()]
    largest = max(*noises, setting.u_norm, *(task.v_norm for task in tasks.values()))
    if (apart := largest / min(noises)) > FARTHEST:
        reasons.append(
            f"the largest signal or noise level is {apart:.3g} times the least noise level; "
            f"the theory is for {FARTHEST:g} at most"
        )
    return tuple(reasons)


def _outside(setting: Setting, name: str, task: ResolvedTask) -> list[str]:
    """Return in which respects the reduced model does not hold for one task."""
    reasons = []
    if task.n < FEWEST_SAMPLES:
        reasons.append(f"{name}.n is {task.n}; the theory is for {FEWEST_SAMPLES} and more")
    least = task.n * (1 + 2 * min(task.m, FILTERS) / min(task.n, SAMPLES_COUNTED))
    if setting.d < least:
        reasons.append(f"d is {setting.d}; with this {name}.n the theory is for {least:.0f} up")
    if not SLOWEST <= (rate := growth_rate(setting, task)) <= FASTEST:
        reasons.append(
            f"eta is {task.eta:g}, with which {name} margins grow by {rate:.3g} a step; the theory "
            f"is for {SLOWEST:g} to {FASTEST:g}"
        )
    start = setting.sigma_0 * _reach(setting, task)
    most = min(LARGE, _largest_start(setting, task))
    if start > most:
        reasons.append(
            f"sigma_0 is {setting.sigma_0:g}, with which {name} filters respond by {start:.4g} "
            f"before they are trained; with this {name}.m the theory is for {most:.4g} at most"
        )
    return reasons


def _largest_start(setting: Setting, task: ResolvedTask) -> float:
    """Return up to which start a few filters can stand for many.

    By chance a network's margins begin as large as a filter's response over the root of m. Those
    of the followed filters are larger than that, which must be little beside what is learned.
    """
    excess = sqrt(max(1 / FILTERS - 1 / task.m, 0))
    return BY_CHANCE * margin(setting, task, task.steps) / excess if excess else inf


def _reach(setting: Setting, task: ResolvedTask) -> float:
    """Return the norm of a sample, to which a fresh filter responds by sigma_0 times as much."""
    return sqrt(task.sigma_p**2 * setting.d + signal_squared(setting, task))


def _task(setting: Setting, task: ResolvedTask, kept: int, unit: float) -> Reduced:
    """Reduce one task."""
    small = SMALL * growth_rate(setting, task) / _reach(setting, task)
    return Reduced(
        n=float(task.n),
        d=float(setting.d),
        kept=kept,
        sigma=task.sigma_p / unit,
        norm=signal_squared(setting, task) / unit**2,
        eta=task.eta * unit**2,
        steps=float(task.steps),
        m=float(task.m),
        sigma_0=max(setting.sigma_0, small) * unit,
    )


def _kept(setting: Setting, task: ResolvedTask, counted: bool) -> int:
    """Return how many samples a task is reduced to, an even number.

    The reduced task's dimension must have room for its samples beside the filters.
    """
    room = 2 * min(task.m, FILTERS) / max(setting.d / task.n - 1, TINY)
    most = SAMPLES_COUNTED if counted else max(SAMPLES, ceil(room))
    return 2 * max(min(task.n, most, SAMPLES_COUNTED) // 2, 1)
