"""Positions along an axis, written the way Python writes slices: short, exact, and readable."""

import re
from collections.abc import Iterable
from functools import lru_cache
from itertools import pairwise
from operator import itemgetter

import numpy as np

RUNS = re.compile(r"(\d+:\d+(:[1-9]\d*)?(,\d+:\d+(:[1-9]\d*)?)*)?")
MOST = 2**22  # along one axis: a damaged or hostile plan must not fill the memory [count]
INTERLEAVED = 2**16  # positions that are compared one by one where runs interleave [count]


def compress(positions: Iterable[int]) -> str:
    """Write positions along an axis the way Python writes slices.

    Args:
        positions: Positions along one axis [count from 0], in the order they are taken.

    Returns:
        Comma-separated runs ``start:stop`` or ``start:stop:step``; ``""`` for none.

    Example:
        >>> compress([0, 1, 2, 3]), compress([0, 2, 4]), compress([7, 3, 4, 5])
        ('0:4', '0:5:2', '7:8,3:6')
    """
    values = np.fromiter(positions, dtype=np.int64)
    if not len(values):
        return ""
    steps = np.diff(values)
    if len(steps) and steps[0] > 0 and (steps == steps[0]).all():
        return f"{values[0]}:{values[-1] + 1}" + (f":{steps[0]}" if steps[0] > 1 else "")
    breaks = np.flatnonzero(steps != 1)
    starts = values[np.concatenate([[0], breaks + 1])].tolist()
    ends = values[np.concatenate([breaks, [len(values) - 1]])].tolist()
    return ",".join(f"{a}:{b + 1}" for a, b in zip(starts, ends, strict=True))


def runs(text: str) -> list[range]:
    """Read positions as :func:`compress` wrote them, run by run.

    Args:
        text: Comma-separated runs.

    Returns:
        The runs, without empty ones [count from 0].

    Raises:
        ValueError: If ``text`` is not of that form, or beyond any axis.

    Example:
        >>> runs("7:8,3:6")
        [range(7, 8), range(3, 6)]
    """
    if not RUNS.fullmatch(text):
        raise ValueError(f"positions {text[:60]!r} are not runs start:stop[:step] counted from 0")
    parts = [[int(part) for part in run.split(":")] for run in text.split(",") if run]
    if any(part[1] > MOST for part in parts) or sum(len(range(*part)) for part in parts) > MOST:
        raise ValueError(f"positions {text[:60]!r} are more than any axis has")
    return [run for part in parts if (run := range(*part))]


@lru_cache(maxsize=256)  # most axes of a network repeat a few
def expand(text: str) -> range | tuple[int, ...]:
    """Read positions as :func:`compress` wrote them.

    Args:
        text: Comma-separated runs.

    Returns:
        A ``range`` when one run says it all, otherwise every position [count from 0].

    Raises:
        ValueError: If ``text`` is not of that form, or beyond any axis.

    Example:
        >>> expand("0:5:2"), expand("7:8,3:6")
        (range(0, 5, 2), (7, 3, 4, 5))
    """
    found = runs(text)
    return found[0] if len(found) == 1 else tuple(position for run in found for position in run)


def disjoint(found: Iterable[range]) -> bool:
    """Tell whether no position is in two of several runs.

    Args:
        found: Runs, none empty.

    Returns:
        Whether each position is in one run at most; long runs that interleave count as meeting.

    Example:
        >>> disjoint([range(3, 6), range(0, 3)]), disjoint([range(3, 6), range(5, 7)])
        (True, False)
    """
    laid = sorted(found, key=itemgetter(0))
    if all(one[-1] < other[0] for one, other in pairwise(laid)):
        return True
    count = sum(len(run) for run in laid)
    return count <= INTERLEAVED and len(set().union(*laid)) == count
