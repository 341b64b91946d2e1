"""How fast things are learned: margins grow like the logarithm of time."""

from math import exp, expm1, log1p

from legatee.theory.quantities import growth_rate, signal_squared
from legatee.world.setting import Setting
from legatee.world.task import ResolvedTask

NEWTON_STEPS = 5  # to the last digit of a float, for any push up to 1e125


def margin(setting: Setting, task: ResolvedTask, step: float) -> float:
    """Return x_t, the training margin that a task has reached.

    Args:
        setting: The setting.
        task: One of ``setting.resolved``.
        step: Steps of gradient descent taken [count, >= 0].

    Returns:
        The solution of ``x + e^x - 1 = kappa t`` [margin].

    Source: Lemmas A.1 and A.2 (*reconstructed*), with kappa from :func:`growth_rate`.
    Valid: Small starts. It smooths the first step, which overshoots where kappa is above 1.

    Example:
        >>> from math import exp
        >>> from legatee.world.setting import EXAMPLE
        >>> x = margin(EXAMPLE, EXAMPLE.resolved[0], 200)
        >>> round(x, 4), round(x + exp(x) - 1, 9)  # kappa is 0.375
        (4.2729, 75.0)
    """
    push = growth_rate(setting, task) * step
    x = log1p(push)  # above the root of a convex function, from where Newton's method comes down
    for _ in range(NEWTON_STEPS):
        x -= (x + expm1(x) - push) / (1 + exp(x))
    return x


def noise_growth(setting: Setting, task: ResolvedTask, step: float) -> float:
    """Return how much a filter has memorised of a training sample that it is active on.

    Args:
        setting: The setting.
        task: One of ``setting.resolved``.
        step: Steps of gradient descent taken [count, >= 0].

    Returns:
        The noise coefficient rho of a sample of the filter's own sign, zero on the other half.

    Source: Lemmas A.1 and A.2, of order x_t (*reconstructed*); the constant is *ours*,
        docs/theory.md section 3: a sample's margin is half a rho for its noise, and N |s|^2 /
        (sigma^2 d) of that for the signal.
    Valid: Small starts, half of the filters active; more of them end up active and each
        memorises less, down to two thirds of this.

    Example:
        >>> from legatee.world.setting import EXAMPLE
        >>> round(noise_growth(EXAMPLE, EXAMPLE.resolved[0], 200), 3)
        1.139
    """
    noise = task.sigma_p**2 * setting.d
    x = margin(setting, task, step)
    return 2 * x * noise / (noise + task.n * signal_squared(setting, task))


def signal_growth(setting: Setting, task: ResolvedTask, step: float) -> tuple[float, float]:
    """Return how much a filter has learned of the universal and of the task-specific signal.

    Args:
        setting: The setting.
        task: One of ``setting.resolved``.
        step: Steps of gradient descent taken [count, >= 0].

    Returns:
        Coefficients gamma on u and gamma_k on v_k.

    Source: Lemmas A.1 and A.2, of order ``N |u|^2 / (sigma^2 d) x_t`` (*reconstructed*); the
        constant is *ours*, docs/theory.md section 3.
    Valid: As :func:`noise_growth`.

    Example:
        >>> from legatee.world.setting import EXAMPLE
        >>> universal, specific = signal_growth(EXAMPLE, EXAMPLE.resolved[0], 200)
        >>> round(universal, 3), round(specific / universal, 3)  # |v1|^2 / |u|^2
        (1.139, 2.25)
    """
    per_signal = noise_growth(setting, task, step) * task.n / (2 * task.sigma_p**2 * setting.d)
    return per_signal * setting.u_norm**2, per_signal * task.v_norm**2
