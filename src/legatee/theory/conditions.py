"""The assumptions of the theorems, each an inequality with its margin; none is enforced."""

from dataclasses import dataclass
from enum import StrEnum
from math import log, log10, sqrt

from legatee.theory.growth import noise_growth
from legatee.theory.quantities import signal_squared
from legatee.world.setting import TASKS, Setting
from legatee.world.task import ResolvedTask

FEATURE_LEARNING = 10.0  # movement above which filters learn features [ratio]
LAZY = 0.1  # movement below which they hardly move [ratio]


@dataclass(frozen=True, kw_only=True)
class Condition:
    """One assumption.

    Attributes:
        name: What is assumed, as an inequality.
        task: ``upstream`` or ``downstream``.
        value: The quantity in question.
        bound: What it is compared with.
        margin: Factors of ten by which it holds, negative by which it fails [decades].
    """

    name: str
    task: str
    value: float
    bound: float
    margin: float

    @property
    def holds(self) -> bool:
        """Whether it holds."""
        return self.margin >= 0


def condition_4_1(
    setting: Setting, *, constant: float = 1.0, delta: float = 0.01
) -> tuple[Condition, ...]:
    """Return Condition 4.1 line by line, for both tasks.

    Args:
        setting: The setting.
        constant: The unnamed constant C; 1 because the paper names none [> 0].
        delta: Probability with which the theorems may fail; 0.01 by custom [fraction, above 0 and
            below 1].

    Returns:
        Five inequalities for each task, upstream first.

    Source: Condition 4.1, from Kou et al. 2023, arXiv 2303.04145, as we remember it
        (*reconstructed*). Its log T bounds what is learned, so it counts as 1 for less than three
        steps.
    Valid: As reported. Most settings that are simulated in practice violate its first line with
        C = 1, and reach the accuracies that it is meant to ensure nevertheless.

    Example:
        >>> from legatee.world.setting import EXAMPLE
        >>> line = condition_4_1(EXAMPLE)[0]
        >>> line.name, line.holds, round(line.margin, 1)
        ('d is large enough', False, -5.3)
    """
    return tuple(
        line
        for name, task in zip(TASKS, setting.resolved, strict=True)
        for line in _lines(setting, name, task, constant, delta)
    )


def _lines(
    setting: Setting, name: str, task: ResolvedTask, constant: float, delta: float
) -> list[Condition]:
    """Return the lines for one task."""
    noise, signal = task.sigma_p**2, signal_squared(setting, task)
    d, m, n, growth = setting.d, task.m, task.n, max(log(task.steps), 1)
    many = log(m / delta)
    d_floor = max(n * signal / noise * growth, n**2 * log(n * m / delta) * growth**2)
    start = max(task.sigma_p * d / sqrt(n), sqrt(many * signal))
    step = max(noise * d**1.5 / (n**2 * sqrt(many)), noise * d / n)
    return [
        _at_least("d is large enough", name, d, constant * d_floor),
        _at_least("m is large enough", name, m, constant * log(n / delta)),
        _at_least("N is large enough", name, n, constant * many),
        _at_most("sigma_0 is small enough", name, setting.sigma_0, 1 / (constant * start)),
        _at_most("eta is small enough", name, task.eta, 1 / (constant * step)),
    ]


def _at_least(name: str, task: str, value: float, bound: float) -> Condition:
    """Return a condition that asks for a large value."""
    return Condition(name=name, task=task, value=value, bound=bound, margin=log10(value / bound))


def _at_most(name: str, task: str, value: float, bound: float) -> Condition:
    """Return a condition that asks for a small value."""
    return Condition(name=name, task=task, value=value, bound=bound, margin=log10(bound / value))


def movement(setting: Setting, task: ResolvedTask) -> float:
    """Return how far filters move in training, relative to their initial norm.

    Args:
        setting: The setting.
        task: One of ``setting.resolved``.

    Returns:
        Norm of the noise that a filter memorises over its initial norm. Above 10 is feature
        learning, what the paper is about; below 0.1 the lazy regime, where filters hardly move.

    Source: *Ours*: ``rho sqrt(N / 2) / (sigma_p sqrt(d))`` over ``sigma_0 sqrt(d)``.
    Valid: To a factor of two, where :func:`legatee.theory.growth.noise_growth` holds.

    Example:
        >>> from legatee.world.setting import EXAMPLE
        >>> movement(EXAMPLE, EXAMPLE.resolved[1]) > 10  # feature learning
        True
    """
    start = setting.sigma_0 * sqrt(setting.d)
    rho = noise_growth(setting, task, task.steps)
    learned = rho * sqrt(task.n / 2) / (task.sigma_p * sqrt(setting.d))
    return learned / start


class Regime(StrEnum):
    """How far filters move in training."""

    FEATURE_LEARNING = "feature learning"
    INTERMEDIATE = "in between"
    LAZY = "lazy"


def regime(setting: Setting) -> Regime:
    """Return whether the networks of a setting learn features or are lazy.

    Args:
        setting: The setting.

    Returns:
        That of the task in which filters move less.

    Source: *Ours*: movement above 10 is feature learning, below 0.1 lazy.
    Valid: As :func:`movement`.

    Example:
        >>> from legatee.world.setting import EXAMPLE
        >>> regime(EXAMPLE).value
        'feature learning'
    """
    moved = min(movement(setting, task) for task in setting.resolved)
    if moved > FEATURE_LEARNING:
        return Regime.FEATURE_LEARNING
    return Regime.LAZY if moved < LAZY else Regime.INTERMEDIATE
