"""Verdicts on claims: from effects, one value for each seed, to confirmed, refuted or undecided."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, inf, isfinite

import numpy as np

from legatee.finding import Claim, Outcome, Test
from legatee.intervals import mean_interval
from legatee.text import number

LEVEL = 0.05  # chance that any interval of a finding misses [fraction]
MOST_SEEDS = 10**6  # numbers of seeds beyond this are not distinguished [count]


@dataclass(frozen=True, kw_only=True)
class Effect:
    """A measured effect, and the range that a claim says it lies in.

    Attributes:
        what: What is measured, in words that go before a number.
        values: One for each seed; not finite where training diverged ``[seed]``.
        at_least: What it has to exceed for the claim to be true, ``None`` if nothing.
        at_most: What it has to stay below, ``None`` if nothing.
        unit: What it is measured in.
        without_value: Why a seed's value may be not finite, as the end of "3 seeds ...".
    """

    what: str
    values: np.ndarray
    at_least: float | None = 0.0
    at_most: float | None = None
    unit: str = "points"
    without_value: str = "diverged"


@dataclass(frozen=True, kw_only=True)
class Claimed:
    """A claim with the effects that decide it.

    Attributes:
        text: The claim in a sentence.
        source: Who makes it.
        effects: All of them must lie where the claim says.
    """

    text: str
    source: str
    effects: Sequence[Effect]


def judged(claims: Sequence[Claimed], level: float = LEVEL) -> tuple[Claim, ...]:
    """Decide claims; all intervals hold simultaneously (Bonferroni).

    A claim is confirmed if the interval of every effect lies within the claimed range, refuted if
    that of one lies outside, and undecided otherwise. Seeds that diverged are not left out: an
    effect with such a seed has no estimate, so it decides nothing.

    Args:
        claims: What is claimed.
        level: Chance that any of the intervals misses [fraction, 0..1].

    Returns:
        The claims with their verdicts, in order.

    Example:
        >>> gain = Effect(what="gain", values=np.array([2.0, 2.5, 1.8, 2.2]))
        >>> claim, = judged([Claimed(text="It helps.", source="ours", effects=[gain])])
        >>> claim.outcome.value, claim.because
        ('confirmed', 'gain: 2.1 points (1.6 to 2.6); claimed: more than 0.0')
    """
    each = level / sum(len(claim.effects) for claim in claims)
    return tuple(_claim(claim, each) for claim in claims)


def _claim(claimed: Claimed, error_rate: float) -> Claim:
    """Decide one claim."""
    tests = tuple(_test(effect, error_rate) for effect in claimed.effects)
    outcomes = {test.outcome for test in tests}
    outcome = Outcome.REFUTED if Outcome.REFUTED in outcomes else Outcome.UNDECIDED
    if outcomes == {Outcome.CONFIRMED}:
        outcome = Outcome.CONFIRMED
    return Claim(
        text=claimed.text,
        source=claimed.source,
        outcome=outcome,
        because=_because(claimed.effects, tests),
        tests=tests,
    )


def _test(effect: Effect, error_rate: float) -> Test:
    """Put an interval around one effect."""
    interval = mean_interval(effect.values, error_rate)
    test = Test(
        what=effect.what,
        estimate=interval.estimate,
        lower=interval.lower,
        upper=interval.upper,
        at_least=effect.at_least,
        at_most=effect.at_most,
        unit=effect.unit,
        seeds=len(effect.values),
        seeds_needed=None,
    )
    if test.outcome is not Outcome.UNDECIDED or not isfinite(_reach(test)):
        return test
    return test.model_copy(update={"seeds_needed": _seeds_needed(test)})


def _distance(test: Test) -> float:
    """Return how far inside the claimed range an estimate lies; negative if outside."""
    low = -inf if test.at_least is None else test.at_least
    high = inf if test.at_most is None else test.at_most
    return min(test.estimate - low, high - test.estimate)


def _reach(test: Test) -> float:
    """Return half the width of an interval; NaN if a seed diverged."""
    return test.upper - test.estimate


def _seeds_needed(test: Test) -> int:
    """Return about how many seeds would make an interval narrow enough."""
    distance = abs(_distance(test))
    if distance == 0:
        return MOST_SEEDS
    return min(ceil(test.seeds * (_reach(test) / distance) ** 2), MOST_SEEDS)


def _because(effects: Sequence[Effect], tests: Sequence[Test]) -> str:
    """Return a sentence with the numbers that decide a claim, and how many seeds diverged."""
    diverged = [int((~np.isfinite(effect.values)).sum()) for effect in effects]
    finite = [test for test, lost in zip(tests, diverged, strict=True) if not lost]
    parts = []
    if finite:
        # The effect that is furthest from the claim, in half-widths of its interval, decides.
        weakest = min(finite, key=lambda test: _distance(test) / max(_reach(test), 1e-12))
        many = f"the weakest of {len(finite)} is " if len(finite) > 1 else ""
        parts.append(f"{many}{_in_words(weakest)}")
    parts += [
        f"{lost} of {test.seeds} seeds {effect.without_value}, so {effect.what} is unknown"
        for effect, test, lost in zip(effects, tests, diverged, strict=True)
        if lost
    ]
    return "; ".join(parts)


def _in_words(test: Test) -> str:
    """Return what was measured, and what is claimed of it."""
    bounds = f"({_number(test.lower)} to {_number(test.upper)})"
    if not isfinite(_reach(test)):
        bounds = "(no interval from one seed)"
    claimed = [
        f"{word} than {_number(bound)}"
        for word, bound in (("more", test.at_least), ("less", test.at_most))
        if bound is not None
    ]
    measured = " ".join(f"{test.what}: {_number(test.estimate)} {test.unit} {bounds}".split())
    return f"{measured}; claimed: {' and '.join(claimed)}"


def _number(value: float) -> str:
    """Return a number to one decimal, or to two if it is small."""
    return number(value, 1 if abs(value) >= 1 or value == 0 else 2)
