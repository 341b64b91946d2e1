"""From effects, one number for each seed, to a claim's verdict, error bars included."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, isfinite, sqrt

import numpy as np
from scipy.stats import t as student

from legatee.finding import Claim, Outcome, Test
from legatee.report.words import number

LEVEL = 0.05  # chance that any interval of a finding misses [fraction]
MOST_SEEDS = 10**6  # more are "no number of seeds" [count]


@dataclass(frozen=True, kw_only=True)
class Effect:
    """Something that a claim says is more than so much.

    Attributes:
        what: What is measured, in words that go before a number.
        values: One for each seed ``[seed]``.
        at_least: What it has to exceed for the claim to be true.
        unit: What it is measured in.
    """

    what: str
    values: np.ndarray
    at_least: float = 0.0
    unit: str = "points"


@dataclass(frozen=True, kw_only=True)
class Claimed:
    """A claim with the effects that decide it.

    Attributes:
        text: The claim in a sentence.
        source: Who makes it.
        effects: All of them must exceed what they have to.
    """

    text: str
    source: str
    effects: Sequence[Effect]


def within(what: str, values: np.ndarray, reach: float, unit: str = "points") -> tuple[Effect, ...]:
    """Return the two effects that say that something is as good as zero.

    Args:
        what: What is measured.
        values: One for each seed ``[seed]``.
        reach: How far from zero is still as good as zero.
        unit: What it is measured in.

    Returns:
        That it is above ``-reach``, and below ``reach``.
    """
    above = Effect(what=what, values=values, at_least=-reach, unit=unit)
    below = Effect(what=f"{what}, negated", values=-values, at_least=-reach, unit=unit)
    return above, below


def judged(claims: Sequence[Claimed], level: float = LEVEL) -> tuple[Claim, ...]:
    """Decide claims; all intervals hold at once (Bonferroni).

    A claim is confirmed where the lower bound of each effect exceeds what it has to, refuted where
    the upper bound of one stays below, and undecided otherwise.

    Args:
        claims: What is claimed.
        level: Chance that any of the intervals misses [fraction, 0..1].

    Returns:
        The claims with their verdicts, in order.

    Example:
        >>> gain = Effect(what="gain", values=np.array([2.0, 2.5, 1.8, 2.2]))
        >>> claim, = judged([Claimed(text="It helps.", source="ours", effects=[gain])])
        >>> claim.outcome.value, claim.because
        ('confirmed', 'gain: 2.1 points (1.7 to 2.6)')
    """
    each = level / sum(len(claim.effects) for claim in claims)
    return tuple(_claim(claim, each) for claim in claims)


def _claim(claimed: Claimed, level: float) -> Claim:
    """Decide one claim."""
    tests = tuple(_test(effect, level) for effect in claimed.effects)
    if all(test.lower > test.at_least for test in tests):
        outcome = Outcome.CONFIRMED
    elif any(test.upper < test.at_least for test in tests):
        outcome = Outcome.REFUTED
    else:
        outcome = Outcome.UNDECIDED
    # What is furthest from what is claimed, counted in widths of its interval, decides.
    weakest = min(tests, key=lambda t: (t.estimate - t.at_least) / max(t.upper - t.lower, 1e-12))
    many = f"the weakest of {len(tests)} is " if len(tests) > 1 else ""
    asked = f"; more than {_number(weakest.at_least)} is claimed" if weakest.at_least else ""
    because = f"{many}{_words(weakest)}{asked}"
    return Claim(
        text=claimed.text, source=claimed.source, outcome=outcome, because=because, tests=tests
    )


def _test(effect: Effect, level: float) -> Test:
    """Put an interval around one effect."""
    values = np.asarray(effect.values, float)
    values = values[np.isfinite(values)]
    n, mean = len(values), float(values.mean()) if len(values) else 0.0
    reach = float("inf")
    if n > 1:
        reach = float(student.ppf(1 - level / 2, n - 1) * values.std(ddof=1) / sqrt(n))
    decided = abs(mean - effect.at_least) > reach
    return Test(
        what=effect.what,
        estimate=mean,
        lower=mean - reach,
        upper=mean + reach,
        at_least=effect.at_least,
        unit=effect.unit,
        seeds=n,
        seeds_needed=None if decided else _needed(n, reach, abs(mean - effect.at_least)),
    )


def _needed(n: int, reach: float, distance: float) -> int:
    """Return about how many seeds would make an interval narrow enough."""
    if not isfinite(reach) or distance == 0:
        return MOST_SEEDS
    return min(ceil(n * (reach / distance) ** 2), MOST_SEEDS)


def _words(test: Test) -> str:
    """Say what was measured."""
    bounds = f"({_number(test.lower)} to {_number(test.upper)})"
    return f"{test.what}: {_number(test.estimate)} {test.unit} {bounds}".replace("  ", " ")


def _number(value: float) -> str:
    """Write a number to a tenth, or to what can be seen of a small one."""
    return number(value, 1 if abs(value) >= 1 or value == 0 else 2)
