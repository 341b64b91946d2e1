"""Statistics of a mean over seeds, such as where a curve crosses a level, as a value per seed."""

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike


def pseudo_values(values: np.ndarray, statistic: Callable[[np.ndarray], ArrayLike]) -> np.ndarray:
    """Return the jackknife's pseudo-values of a statistic of the mean over seeds.

    A single seed is too noisy for such a statistic: each seed is left out in turn instead. The
    mean of the pseudo-values estimates the statistic, their spread its standard error (Tukey 1958).

    Args:
        values: Measurements ``[..., seed]``.
        statistic: Maps their mean over seeds ``[...]`` to one number or several.

    Returns:
        Pseudo-values ``[seed, ...]``; NaN for seeds of which a measurement is not finite, which are
        left out of all means, and for all seeds if fewer than two others are left.

    Example:
        >>> pseudo_values(np.array([[1.0, 2.0, 6.0]]), lambda mean: mean[0]).tolist()
        [1.0, 2.0, 6.0]
    """
    seeds = values.shape[-1]
    kept = np.flatnonzero(np.isfinite(values.reshape(-1, seeds)).all(0))
    if (n := len(kept)) < 2:
        return np.full((seeds, *np.shape(statistic(np.zeros(values.shape[:-1])))), np.nan)
    whole = np.asarray(statistic(values[..., kept].mean(-1)))
    result = np.full((seeds, *whole.shape), np.nan)
    for seed in kept:
        others = values[..., kept[kept != seed]].mean(-1)
        result[seed] = n * whole - (n - 1) * np.asarray(statistic(others))
    return result
