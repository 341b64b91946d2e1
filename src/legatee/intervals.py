"""Intervals: for the gain of one arm over another in a table of seeds and examples, and for means.

Every seed trains both arms from the same fresh network, and every held-out example is scored under
every seed. This gives a table of paired differences with seeds as rows and examples as columns,
both drawn from the populations that a verdict is about. The mean of the table varies with both.
"""

from dataclasses import dataclass
from math import inf, sqrt

import numpy as np
from scipy.stats import t as student

from legatee.document import Record


class Interval(Record):
    """An estimate with its lower and upper confidence bound.

    Attributes:
        estimate: The mean [score, as the metric's].
        lower: Lower bound [score].
        upper: Upper bound [score].
    """

    estimate: float
    lower: float
    upper: float


@dataclass(frozen=True, kw_only=True)
class GainSpread:
    """A mean paired difference, and what makes it uncertain.

    Attributes:
        mean: Mean difference over seeds and examples [score].
        seeds: Seeds [count].
        examples: Held-out examples [count].
        between_seeds: Variance of the mean due to seeds and to all that is drawn for each score
            [score^2].
        residual: The part of it that the residual mean square allows for at least [score^2].
        between_examples: Variance of the mean due to the choice of examples [score^2].
        bound: The greatest difference that is possible; infinite for scores without limits [score].
    """

    mean: float
    seeds: int
    examples: int
    between_seeds: float
    residual: float
    between_examples: float
    bound: float

    def half_width(
        self, error_rate: float, *, seeds: int | None = None, examples: int | None = None
    ) -> float:
        """Return half the width of the interval, or what it would be with more data.

        Args:
            error_rate: Chance that the interval misses [fraction, 0..1].
            seeds: As if there were so many seeds; those there are if ``None`` [count].
            examples: As if there were so many examples; those there are if ``None`` [count].

        Returns:
            Half the width [score].
        """
        seeds, examples = seeds or self.seeds, examples or self.examples
        by_seed, by_example = student.ppf(1 - error_rate / 2, np.array([seeds, examples]) - 1)
        seed_ratio, example_ratio = self.seeds / seeds, self.examples / examples
        # What varies with the seed alone does not shrink with more examples; the residual does.
        seed_alone = max(self.between_seeds - self.residual, 0.0)
        with_seed = seed_alone + min(self.between_seeds, self.residual) * example_ratio
        variance = max(
            by_seed**2 * with_seed * seed_ratio,
            by_example**2 * self.residual * seed_ratio * example_ratio,
        )
        return sqrt(variance + by_example**2 * self.between_examples * example_ratio)

    def interval(self, error_rate: float) -> Interval:
        """Return the interval.

        Args:
            error_rate: Chance that it misses [fraction, 0..1].

        Returns:
            Mean difference with lower and upper bound, cut at the greatest possible difference.
        """
        half = self.half_width(error_rate)
        lower, upper = max(self.mean - half, -self.bound), min(self.mean + half, self.bound)
        return Interval(estimate=self.mean, lower=lower, upper=upper)


def gain_spread(arm: np.ndarray, scratch: np.ndarray) -> GainSpread:
    """Measure how much an arm gains over scratch, and how much that varies.

    Two pseudo-examples, one won and one lost by as much as an example can be, keep a small table
    without a single difference from claiming certainty.

    Args:
        arm: Scores of the arm [seeds, examples] [score].
        scratch: Scores of scratch, for the same seeds and examples [seeds, examples] [score].

    Returns:
        The mean difference and the parts of its variance.
    """
    difference = np.asarray(arm, float) - np.asarray(scratch, float)
    shares = all(np.min(table) >= 0 and np.max(table) <= 1 for table in (arm, scratch))
    most = 1.0 if shares else float(np.abs(difference).max())
    pseudo = np.broadcast_to([most, -most], (len(difference), 2))
    table = np.concatenate([difference, pseudo], axis=1)
    rows, columns, residual = _mean_squares(table)
    return GainSpread(
        mean=float(difference.mean()),
        seeds=difference.shape[0],
        examples=difference.shape[1],
        between_seeds=rows / table.size,
        residual=residual / table.size,
        between_examples=max(columns - residual, 0.0) / table.size,
        bound=1.0 if shares else inf,
    )


def gain_interval(arm: np.ndarray, scratch: np.ndarray, error_rate: float) -> Interval:
    """Estimate an arm's gain over scratch, with a two-sided interval.

    The mean of a crossed two-way table with both factors random varies with seeds and with
    examples; the half-widths that either would give alone, each with its own degrees of freedom,
    are added in quadrature. (One common number of degrees of freedom, as Satterthwaite's, misses
    twice as often as it says when there are three seeds.) The part of the seeds is never narrower
    than the residual mean square allows: networks that predict one class for everything, and
    another one under each seed, leave all their variance there. ``make bench-intervals`` measures
    coverage and width of this and of four other intervals.

    With two seeds no interval can see a seed effect that is, by chance, equal in both: where half
    of the trainings fail altogether, a 95 % interval misses 12 % of the time. With three or more it
    misses no more often than it says.

    Args:
        arm: Scores of the arm [seeds, examples] [score].
        scratch: Scores of scratch, same seeds and examples [seeds, examples] [score].
        error_rate: Chance that the interval misses [fraction, 0..1].

    Returns:
        Mean difference with lower and upper bound.

    Source:
        *ours*: mean squares of Cornfield and Tukey (1956), half-widths combined after Howe (1974),
        pseudo-examples after Agresti and Min (2005), the lower limit by the residual *ours*.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> scratch = rng.random((5, 200)) < 0.6
        >>> arm = rng.random((5, 200)) < 0.8
        >>> gain = gain_interval(arm, scratch, 0.05)
        >>> gain.lower > 0.1, gain.upper < 0.3
        (True, True)
    """
    return gain_spread(arm, scratch).interval(error_rate)


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
    table = np.asarray(scores, float)
    rows, columns, residual = _mean_squares(table)
    return sqrt((max(rows, residual) + max(columns - residual, 0.0)) / table.size)


def _mean_squares(table: np.ndarray) -> tuple[float, float, float]:
    """Return the mean squares of the rows, of the columns, and of the residual."""
    rows, columns = table.shape
    by_row, by_column = table.mean(1, keepdims=True), table.mean(0, keepdims=True)
    residual = table - by_row - by_column + table.mean()
    return (
        columns * float(by_row.var(ddof=1)),
        rows * float(by_column.var(ddof=1)),
        float((residual**2).sum()) / ((rows - 1) * (columns - 1)),
    )


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
