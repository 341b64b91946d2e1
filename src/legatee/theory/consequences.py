"""What follows from predictions: the best ratio, the crossover, and the limiting factor."""

from collections.abc import Iterator
from dataclasses import replace
from enum import StrEnum
from math import isnan, nan, sqrt

from legatee.theory.predict import NEGLIGIBLE, predict
from legatee.world.quantity import COUNTABLE, LARGEST, SMALLEST
from legatee.world.setting import Setting

ENOUGH = 0.99  # scratch's accuracy beyond which inheriting has nothing to add [fraction]
MOST_SAMPLES = 10**7  # largest number of samples tried for scratch to catch up [count]
ALPHAS = tuple(i / 10 for i in range(11))


class LimitingFactor(StrEnum):
    """What keeps inheriting from doing better."""

    UNIVERSAL_SIGNAL = "universal_signal"
    UPSTREAM_NOISE = "upstream_noise"
    UPSTREAM_SAMPLES = "upstream_samples"
    ENOUGH_DOWNSTREAM_DATA = "enough_downstream_data"
    NONE = "none"
    UNKNOWN = "unknown"


WORDS = {
    LimitingFactor.UNIVERSAL_SIGNAL: "the universal signal is weak",
    LimitingFactor.UPSTREAM_NOISE: "the upstream noise is strong",
    LimitingFactor.UPSTREAM_SAMPLES: "the upstream samples are few",
    LimitingFactor.ENOUGH_DOWNSTREAM_DATA: "the downstream data are already enough",
    LimitingFactor.NONE: "nothing upstream would change much",
    LimitingFactor.UNKNOWN: "unknown",
}
"""Each limiting factor in words, as the explorer's page has them too."""


def best_alpha(setting: Setting) -> float:
    """Return the inheritance ratio with the best inherited accuracy, of 0, 0.1, ..., 1.

    Args:
        setting: The setting; its own ratio does not matter.

    Returns:
        The ratio [fraction, 0..1]: the smallest of those that are as good as the best to half a
        point; NaN where nothing is predicted. Takes about 30 ms.

    Source: *Ours*: eleven predictions compared.
    Valid: As :func:`~legatee.theory.predict.predict`. Ratios that would inherit more filters than
        the upstream network has are left out.

    Example:
        >>> from legatee.world.setting import EXAMPLE
        >>> best_alpha(EXAMPLE)
        1.0
    """
    if predict(setting).outside:
        return nan
    first, second = setting.resolved
    possible = [alpha for alpha in ALPHAS if alpha * second.m <= first.m]
    accuracies = {alpha: predict(replace(setting, alpha=alpha)).inherited for alpha in possible}
    best = max(accuracies.values())
    return next(alpha for alpha, value in accuracies.items() if value >= best - NEGLIGIBLE)


def crossover(setting: Setting) -> int | None:
    """Return with how many downstream samples scratch is as accurate as inheriting is with its own.

    Args:
        setting: The setting.

    Returns:
        Downstream samples, to one part in a hundred [count]: the setting's own number if
        inheriting is no better than scratch; ``None`` if nothing is predicted, or scratch does not
        catch up within what the theory covers and ten million samples. Takes about 50 ms.

    Source: *Ours*: bisection of predictions.
    Valid: As :func:`~legatee.theory.predict.predict`. The two accuracies are known to half a point.

    Example:
        >>> from legatee.world.setting import EXAMPLE
        >>> crossover(EXAMPLE) > EXAMPLE.downstream.n
        True
    """
    prediction = predict(setting)
    if prediction.outside:
        return None
    low = high = setting.downstream.n
    if prediction.gain <= 0:
        return low
    while (scratch := _scratch_with(setting, high)) < prediction.inherited:
        low, high = high, 2 * high
        if high > MOST_SAMPLES:
            return None
    while high - low > max(1, 0.01 * low):  # a NaN, where the theory ends, compares as not below
        middle = (low + high) // 2
        if (at_middle := _scratch_with(setting, middle)) < prediction.inherited:
            low = middle
        else:
            high, scratch = middle, at_middle
    return high if scratch >= prediction.inherited else None


def limiting_factor(setting: Setting) -> LimitingFactor:
    """Return which factor keeps inheriting from doing better.

    Args:
        setting: The setting.

    Returns:
        ``ENOUGH_DOWNSTREAM_DATA`` if scratch is good enough already; else that of three factors of
        which twice as much raises inherited accuracy most: universal signal (at the same
        downstream signal), less upstream noise, or upstream samples; ``NONE`` if none of them
        raises it by half a point. Takes about 15 ms.

    Source: *Ours*: the paper's three factors, each doubled in squares of signal and noise.
    Valid: As :func:`~legatee.theory.predict.predict`.

    Example:
        >>> from legatee.world.setting import EXAMPLE
        >>> limiting_factor(EXAMPLE).value
        'universal_signal'
    """
    prediction = predict(setting)
    if prediction.outside:
        return LimitingFactor.UNKNOWN
    if prediction.scratch >= ENOUGH:
        return LimitingFactor.ENOUGH_DOWNSTREAM_DATA
    factor, best = LimitingFactor.NONE, prediction.inherited + NEGLIGIBLE
    for doubled, better in doubled_factors(setting):
        accuracy = predict(better).inherited
        if not isnan(accuracy) and accuracy > best:
            factor, best = doubled, accuracy
    return factor


def doubled_factors(setting: Setting) -> Iterator[tuple[LimitingFactor, Setting]]:
    """Yield settings in which one of the paper's three factors is twice as favourable.

    Args:
        setting: The setting.

    Yields:
        Each factor, and the setting with twice the squared universal signal at the same downstream
        signal (a twentieth of that if it is 0), half the squared upstream noise, or twice the
        upstream samples.

    Source: Proposition 4.4 (*paper*) names the factors; the steps are *ours*.
    Valid: Always; values stay within the range of a setting.

    Example:
        >>> from legatee.world.setting import EXAMPLE
        >>> [better.upstream.n for _, better in doubled_factors(EXAMPLE)]
        [1000, 1000, 2000]
    """
    up, down = setting.upstream, setting.downstream
    signal = setting.u_norm**2 + down.v_norm**2
    universal = min(2 * setting.u_norm**2, signal) or signal / 20
    u_norm = min(sqrt(universal), LARGEST)
    rest = replace(down, v_norm=sqrt(max(signal - universal, 0)))
    yield LimitingFactor.UNIVERSAL_SIGNAL, replace(setting, u_norm=u_norm, downstream=rest)
    quiet = replace(up, sigma_p=max(up.sigma_p / sqrt(2), SMALLEST))
    yield LimitingFactor.UPSTREAM_NOISE, replace(setting, upstream=quiet)
    many = replace(up, n=min(2 * up.n, COUNTABLE))
    yield LimitingFactor.UPSTREAM_SAMPLES, replace(setting, upstream=many)


def _scratch_with(setting: Setting, samples: int) -> float:
    """Return scratch's accuracy with so many downstream samples; NaN where nothing is predicted."""
    downstream = replace(setting.downstream, n=samples)
    return predict(replace(setting, downstream=downstream, alpha=0)).scratch
