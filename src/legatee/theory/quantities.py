"""The numbers that several results share."""

from legatee.world.setting import Setting
from legatee.world.task import ResolvedTask


def signal_squared(setting: Setting, task: ResolvedTask) -> float:
    """Return the squared norm of a task's signal, |u + v_k|^2 = |u|^2 + |v_k|^2.

    Args:
        setting: The setting.
        task: One of ``setting.resolved``.

    Returns:
        Squared norm [signal^2].

    Source: Definitions 3.1 and 3.2 (*paper*): u and v_k are orthogonal.
    Valid: Always.

    Example:
        >>> from legatee.world.setting import EXAMPLE
        >>> signal_squared(EXAMPLE, EXAMPLE.resolved[0])
        13.0
    """
    return setting.u_norm**2 + task.v_norm**2


def growth_rate(setting: Setting, task: ResolvedTask) -> float:
    """Return kappa, how fast the training margins of a task grow at first.

    Args:
        setting: The setting.
        task: One of ``setting.resolved``.

    Returns:
        ``eta (sigma_p^2 d / n + |u + v_k|^2) / (2 m)`` [margin per step].

    Source: Lemmas A.1 and A.2 up to constants (*reconstructed*); the constants are *ours*:
        half of the filters are active, docs/theory.md section 3.
    Valid: Small starts. Filters that cross terms switch on make it larger, up to 1.5 times.

    Example:
        >>> from legatee.world.setting import EXAMPLE
        >>> growth_rate(EXAMPLE, EXAMPLE.resolved[0])
        0.375
    """
    per_sample = task.sigma_p**2 * setting.d / task.n + signal_squared(setting, task)
    return task.eta * per_sample / (2 * task.m)


def gamma(setting: Setting) -> float:
    """Return the paper's scalar Gamma: what the inherited filters bring, squared signal to noise.

    Args:
        setting: The setting.

    Returns:
        ``alpha^2 N_1 |u|^4 / (sigma_1^2 sigma_2^2 d)``.

    Source: Theorem 4.2 (*paper*). One summary prints |u|^2; that changes when signal and noise are
        scaled together, |u|^4 does not (*reconstructed*).
    Valid: Compared up to a constant, under Condition 4.1.

    Example:
        >>> from legatee.world.setting import EXAMPLE
        >>> gamma(EXAMPLE)
        2.0
    """
    first, second = setting.resolved
    scale = (first.sigma_p * second.sigma_p) ** 2 * setting.d
    return setting.alpha**2 * first.n * setting.u_norm**4 / scale


def scratch_strength(setting: Setting) -> float:
    """Return scratch's own scalar, the squared signal-to-noise ratio of the downstream task.

    Args:
        setting: The setting.

    Returns:
        ``N_2 |u + v_2|^4 / (sigma_2^4 d)``.

    Source: Theorem 4.3 (*paper*).
    Valid: Compared up to a constant, under Condition 4.1.

    Example:
        >>> from legatee.world.setting import EXAMPLE
        >>> scratch_strength(EXAMPLE)
        1.28
    """
    second = setting.resolved[1]
    return second.n * signal_squared(setting, second) ** 2 / (second.sigma_p**4 * setting.d)
