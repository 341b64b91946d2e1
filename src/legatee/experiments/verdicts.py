"""From effects, one number for each seed, to a claim's verdict, error bars included."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, inf, isfinite, sqrt

import numpy as np
from scipy.stats import t as student

from legatee.finding import Claim, Outcome, Test
from legatee.text import number

LEVEL = 0.05  # chance that any interval of a finding misses [fraction]
MOST_SEEDS = 10**6  # more are "no number of seeds" [count]


@dataclass(frozen=True, kw_only=True)
class Effect:
    """Something that a claim says is more than so much, or less.

    Attributes:
        what: What is measured, in words that go before a number.
        values: One for each seed ``[seed]``.
        at_least: What it has to exceed for the claim to be true, ``None`` if nothing.
        at_most: What it has to stay below, ``None`` if nothing.
        unit: What it is measured in.
    """

    what: str
    values: np.ndarray
    at_least: float | None = 0.0
    at_most: float | None = None
    unit: str = "points"


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
    """Decide claims; all intervals hold at once (Bonferroni).

    A claim is confirmed where the interval of each effect lies where it has to, refuted where that
    of one lies outside, and undecided otherwise.

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


def _claim(claimed: Claimed, level: float) -> Claim:
    """Decide one claim."""
    tests = tuple(_test(effect, level) for effect in claimed.effects)
    outcomes = {test.outcome for test in tests}
    outcome = Outcome.REFUTED if Outcome.REFUTED in outcomes else Outcome.UNDECIDED
    if outcomes == {Outcome.CONFIRMED}:
        outcome = Outcome.CONFIRMED
    # What is furthest from what is claimed, counted in widths of its interval, decides.
    weakest = min(tests, key=lambda test: _distance(test) / max(_reach(test), 1e-12))
    many = f"the weakest of {len(tests)} is " if len(tests) > 1 else ""
    because = f"{many}{_words(weakest)}"
    return Claim(
        text=claimed.text, source=claimed.source, outcome=outcome, because=because, tests=tests
    )


def _test(effect: Effect, level: float) -> Test:
    """Put an interval around one effect."""
    values = np.asarray(effect.values, float)
    values = values[np.isfinite(values)]
    n, mean = len(values), float(values.mean()) if len(values) else 0.0
    reach = inf
    if n > 1:
        reach = float(student.ppf(1 - level / 2, n - 1) * values.std(ddof=1) / sqrt(n))
    test = Test(
        what=effect.what,
        estimate=mean,
        lower=mean - reach,
        upper=mean + reach,
        at_least=effect.at_least,
        at_most=effect.at_most,
        unit=effect.unit,
        seeds=n,
        seeds_needed=None,
    )
    if test.outcome is not Outcome.UNDECIDED:
        return test
    return test.model_copy(update={"seeds_needed": _needed(n, reach, abs(_distance(test)))})


def _distance(test: Test) -> float:
    """Return how far inside of what is claimed an estimate lies; negative if outside."""
    low = -inf if test.at_least is None else test.at_least
    high = inf if test.at_most is None else test.at_most
    return min(test.estimate - low, high - test.estimate)


def _reach(test: Test) -> float:
    """Return half the width of an interval."""
    return test.upper - test.estimate


def _needed(n: int, reach: float, distance: float) -> int:
    """Return about how many seeds would make an interval narrow enough."""
    if not isfinite(reach) or distance == 0:
        return MOST_SEEDS
    return min(ceil(n * (reach / distance) ** 2), MOST_SEEDS)


def _words(test: Test) -> str:
    """Say what was measured, and what is claimed of it."""
    bounds = f"({_number(test.lower)} to {_number(test.upper)})"
    claimed = [
        f"{word} than {_number(bound)}"
        for word, bound in (("more", test.at_least), ("less", test.at_most))
        if bound is not None
    ]
    said = " ".join(f"{test.what}: {_number(test.estimate)} {test.unit} {bounds}".split())
    return f"{said}; claimed: {' and '.join(claimed)}"


def _number(value: float) -> str:
    """Write a number to a tenth, or to what can be seen of a small one."""
    return number(value, 1 if abs(value) >= 1 or value == 0 else 2)
