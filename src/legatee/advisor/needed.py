"""How much more would decide a case that is undecided."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import ceil

from legatee.intervals import GainSpread

MOST_SEEDS = 1000
MOST_EXAMPLES = 100_000


@dataclass(frozen=True, kw_only=True)
class Needed:
    """What would decide a case, if the mean gains stay as they are.

    Attributes:
        seeds: About how many seeds, with the same held-out examples; ``None`` where
            :data:`MOST_SEEDS` would not do [count].
        examples: About how many held-out examples, with the same seeds; ``None`` where
            :data:`MOST_EXAMPLES` would not do [count].
    """

    seeds: int | None
    examples: int | None


def needed(
    spreads: Mapping[str, GainSpread], margin: float, error_rate: float, whole: Sequence[str] = ()
) -> Needed:
    """Estimate what would decide a case.

    Args:
        spreads: Gain of each arm that may be recommended, by name, at least one.
        margin: Gain below which inheriting is not worth the trouble [score].
        error_rate: Chance that the interval of one arm misses [fraction, 0..1].
        whole: Arms that inherit everything, whose loss alone speaks for scratch.

    Returns:
        What would decide it.
    """

    def decides(**more: int) -> bool:
        reach = {n: spread.half_width(error_rate, **more) for n, spread in spreads.items()}
        return (
            any(spread.mean - reach[name] > 0 for name, spread in spreads.items())
            or all(spread.mean + reach[name] < margin for name, spread in spreads.items())
            or any(spreads[name].mean + reach[name] < 0 for name in whole if name in spreads)
        )

    first = next(iter(spreads.values()))
    return Needed(
        seeds=_smallest(lambda n: decides(seeds=n), first.seeds + 1, MOST_SEEDS),
        examples=_smallest(lambda n: decides(examples=n), first.examples + 1, MOST_EXAMPLES),
    )


def _smallest(enough: Callable[[int], bool], least: int, most: int) -> int | None:
    """Return the smallest count that is enough, to about a tenth; ``None`` if even most is not."""
    count = least
    while count <= most:
        if enough(count):
            return count
        count = max(count + 1, ceil(1.05 * count))
    return most if enough(most) else None
