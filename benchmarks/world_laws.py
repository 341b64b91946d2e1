"""The settings that predictions are measured on: random, from a law fixed beforehand."""

import numpy as np

from legatee import Setting, Task
from legatee.theory.quantities import growth_rate

COUNT = 300
ALPHAS = (0.1, 0.25, 0.5, 0.75, 0.9, 1.0)


def random_setting(source: np.random.Generator, *, weak: bool) -> Setting:
    """Draw a setting.

    Args:
        source: Where from.
        weak: Whether the universal signal is at most a twentieth of the downstream one.

    Returns:
        The setting.
    """
    d, m = int(10 ** source.uniform(3.3, 5)), 20
    first, second = int(source.choice([100, 200, 400])), int(source.choice([20, 40, 80]))
    sigma_1, sigma_2 = (float(sigma) for sigma in source.choice([0.5, 1, 2], 2))
    signal = source.uniform(0.2, 1.2) * sigma_2**2 * np.sqrt(d / second)
    universal = signal * source.uniform(0, 0.05 if weak else 1)
    v1 = sigma_1 * (d / first) ** 0.25 * source.uniform(0.3, 1.2)
    alpha, kappa = float(source.choice(ALPHAS)), 10 ** source.uniform(-1, 1)
    start = 10 ** source.uniform(-6, -2) / (max(sigma_1, sigma_2) * np.sqrt(d))
    setting = Setting(
        d=d,
        m=m,
        u_norm=float(np.sqrt(universal)),
        upstream=Task(n=first, v_norm=float(v1), sigma_p=sigma_1),
        downstream=Task(n=second, v_norm=float(np.sqrt(signal - universal)), sigma_p=sigma_2),
        alpha=alpha,
        eta=1.0,
        sigma_0=float(start),
        steps=round(10 ** source.uniform(np.log10(50), 3)),
    )
    return with_kappa(setting, kappa)


def with_kappa(setting: Setting, kappa: float) -> Setting:
    """Return a setting whose larger growth rate is ``kappa`` a step."""
    fields = {name: getattr(setting, name) for name in setting.__dataclass_fields__}
    return Setting(**fields | {"eta": setting.eta * kappa / kappa_of(setting)})


def kappa_of(setting: Setting) -> float:
    """Return the larger growth rate of the two tasks, a step."""
    return max(growth_rate(setting, task) for task in setting.resolved)


def settings(seed: int = 2026, count: int = COUNT) -> list[Setting]:
    """Return the random settings, two in five of them with a weak universal signal."""
    source = np.random.default_rng(seed)
    return [random_setting(source, weak=i % 5 < 2) for i in range(count)]
