"""Accuracies in closed form (ours): what the derivation gives, with nothing fitted.

They are right where steps are large, and say what matters everywhere; for numbers use
:func:`legatee.theory.predict.predict`. docs/theory.md, section 3, derives them, section 5 measures
them.
"""

from math import hypot, sqrt

from scipy.special import ndtr

from legatee.theory.growth import margin
from legatee.theory.quantities import scratch_strength, signal_squared
from legatee.world.setting import Setting
from legatee.world.task import ResolvedTask


def scratch_accuracy(setting: Setting) -> float:
    """Return the test accuracy of a network trained from scratch on the downstream task.

    Args:
        setting: The setting.

    Returns:
        ``Phi(sqrt(N_2 / d) |u + v_2|^2 / sigma_2^2)`` [fraction, 0..1].

    Source: *Ours*, docs/theory.md, section 3.
    Valid: Small starts, many filters, kappa of 30 a step and above: the first step decides which
        half of the filters is active. For smaller steps it is too low: 2 points at 10, 5 at 1.

    Example:
        >>> from legatee.world.setting import EXAMPLE
        >>> round(scratch_accuracy(EXAMPLE), 3)
        0.871
    """
    return float(ndtr(sqrt(scratch_strength(setting))))


def zero_shot_accuracy(setting: Setting) -> float:
    """Return the test accuracy right after inheriting, before the downstream training.

    Args:
        setting: The setting.

    Returns:
        Accuracy on the downstream task [fraction, 0..1].

    Source: *Ours*, docs/theory.md, section 3.
    Valid: As :func:`scratch_accuracy`, for the upstream task; many inherited filters.

    Example:
        >>> from legatee.world.setting import EXAMPLE
        >>> round(zero_shot_accuracy(EXAMPLE), 3)
        0.886
    """
    signal, noise = _inherited(setting)
    return float(ndtr(signal / noise)) if noise > 0 else 0.5


def inherited_accuracy(setting: Setting) -> float:
    """Return the test accuracy of the inheriting network after the downstream training.

    Args:
        setting: The setting.

    Returns:
        Accuracy on the downstream task [fraction, 0..1].

    Source: *Ours*, docs/theory.md, section 3.
    Valid: As :func:`scratch_accuracy`, for both tasks, and alpha below 3/4: it does not know that
        samples on which no fresh filter is active cannot be memorised. Too high by a few points
        where kappa is above 100.

    Example:
        >>> from legatee.world.setting import EXAMPLE
        >>> round(inherited_accuracy(EXAMPLE), 3)
        0.947
    """
    second = setting.resolved[1]
    signal, noise = _inherited(setting)
    push = _push(setting, second)
    signal += push * second.n * signal_squared(setting, second) / 2
    own = push * second.sigma_p**2 * sqrt(second.n * setting.d) / 2
    return float(ndtr(signal / hypot(noise, own)))


def _inherited(setting: Setting) -> tuple[float, float]:
    """Return what the inherited filters say of the downstream signal, and its spread on noise."""
    first, second = setting.resolved
    push = setting.alpha * _push(setting, first)
    memorised = first.n * (first.sigma_p**2 * setting.d + first.n * first.v_norm**2)
    return push * first.n * setting.u_norm**2 / 2, push * second.sigma_p * sqrt(memorised) / 2


def _push(setting: Setting, task: ResolvedTask) -> float:
    """Return how far a sample has pushed the filters that are active on it, on its patches."""
    own = task.sigma_p**2 * setting.d + task.n * signal_squared(setting, task)
    return 2 * margin(setting, task, task.steps) / own
