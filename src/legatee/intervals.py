"""Intervals for the paired gain of one arm over another, over seeds and held-out examples at once.

Every seed trains both arms from the same fresh start, and every example is scored under every
seed: a table of paired differences with seeds as rows and examples as columns, both drawn from
populations that the verdict speaks about. Its mean varies with both, so both count.
"""

from math import sqrt

import numpy as np
from scipy.stats import t as student

from legatee.document import Record


class Interval(Record):
    """An estimate and the bounds that hold for all arms at once.

    Attributes:
        estimate: The mean [score, as the metric's].
        lower: Simultaneous lower bound [score].
        upper: Simultaneous upper bound [score].
    """

    estimate: float
    lower: float
    upper: float


def gain_interval(arm: np.ndarray, scratch: np.ndarray, error_rate: float) -> Interval:
    """Estimate an arm's gain over scratch, with a two-sided interval.

    The mean of a crossed two-way table with both factors random varies with seeds and with
    examples; the half-widths that either would give alone, each with its own degrees of freedom,
    are added in quadrature. (One common number of degrees of freedom, as Satterthwaite's, misses
    twice as often as it says when there are three seeds.) Two pseudo-examples, one in favour of
    each arm, keep a small table without a single difference from claiming certainty.

    Args:
        arm: Scores of the arm [seeds, examples] [score].
        scratch: Scores of scratch, same seeds and examples [seeds, examples] [score].
        error_rate: Chance that the interval misses [fraction, 0..1].

    Returns:
        Mean difference with lower and upper bound.

    Source:
        *ours*: Cornfield and Tukey's (1956) mean squares, half-widths combined after Howe (1974),
        pseudo-examples after Agresti and Min (2005).

    Example:
        >>> rng = np.random.default_rng(0)
        >>> scratch = rng.random((5, 200)) < 0.6
        >>> arm = rng.random((5, 200)) < 0.8
        >>> found = gain_interval(arm, scratch, 0.05)
        >>> found.lower > 0.1, found.upper < 0.3
        (True, True)
    """
    difference = np.asarray(arm, float) - np.asarray(scratch, float)
    seeds, examples = _variances_of_mean(_with_pseudo_examples(difference, arm, scratch))
    quantiles = student.ppf(1 - error_rate / 2, np.array(difference.shape) - 1)
    reach = sqrt(quantiles[0] ** 2 * seeds + quantiles[1] ** 2 * examples)
    mean = float(difference.mean())
    most = 1.0 if _is_share(arm, scratch) else np.inf  # no gain of a share goes beyond 1
    return Interval(estimate=mean, lower=max(mean - reach, -most), upper=min(mean + reach, most))


def mean_error(scores: np.ndarray) -> float:
    """Return the standard error of a mean score over seeds and examples.

    Args:
        scores: Scores [seeds, examples] [score].

    Returns:
        Standard error, both seeds and examples being random [score].

    Example:
        >>> round(mean_error(np.tile([0.0, 1.0], (3, 50))), 3)
        0.05
    """
    return sqrt(sum(_variances_of_mean(np.asarray(scores, float))))


def _with_pseudo_examples(
    difference: np.ndarray, arm: np.ndarray, scratch: np.ndarray
) -> np.ndarray:
    """Add one example won and one lost, by as much as an example can be."""
    most = 1.0 if _is_share(arm, scratch) else float(np.abs(difference).max())
    pseudo = np.broadcast_to([most, -most], (difference.shape[0], 2))
    return np.concatenate([difference, pseudo], axis=1)


def _is_share(*tables: np.ndarray) -> bool:
    """Tell whether all scores lie in 0..1."""
    return all(table.min() >= 0 and table.max() <= 1 for table in tables)


def _variances_of_mean(table: np.ndarray) -> tuple[float, float]:
    """Return what seeds with the rest, and what examples, add to the variance of the mean."""
    rows, columns = table.shape
    by_row, by_column = table.mean(1, keepdims=True), table.mean(0, keepdims=True)
    rest = table - by_row - by_column + table.mean()
    square_rows = columns * float(by_row.var(ddof=1))
    square_columns = rows * float(by_column.var(ddof=1))
    square_rest = float((rest**2).sum()) / ((rows - 1) * (columns - 1))
    return square_rows / table.size, max(square_columns - square_rest, 0.0) / table.size


def mean_interval(values: np.ndarray, error_rate: float) -> Interval:
    """Estimate the mean of independent values, with Student's two-sided t interval.

    Args:
        values: One for each seed, at least one [seeds].
        error_rate: Chance that the interval misses [fraction, 0..1].

    Returns:
        The mean with lower and upper bound: infinite bounds for a single value, and for values of
        which one is not finite, whose mean is NaN.

    Example:
        >>> interval = mean_interval(np.array([1.0, 2.0, 3.0]), 0.05)
        >>> interval.estimate, round(interval.lower, 2), round(interval.upper, 2)
        (2.0, -0.48, 4.48)
    """
    values, reach = np.asarray(values, float), np.inf
    if not np.isfinite(values).all():
        return Interval(estimate=np.nan, lower=-np.inf, upper=np.inf)
    if (n := len(values)) > 1:
        reach = float(student.ppf(1 - error_rate / 2, n - 1) * values.std(ddof=1) / sqrt(n))
    mean = float(values.mean())
    return Interval(estimate=mean, lower=mean - reach, upper=mean + reach)
