"""Positions along an axis, written the way Python writes slices: short, exact, and readable."""

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import combinations, pairwise
from math import gcd
from operator import itemgetter

import numpy as np

RUNS = re.compile(r"(\d+:\d+(:[1-9]\d*)?(,\d+:\d+(:[1-9]\d*)?)*)?")
MOST = 2**22  # positions along one axis: a hostile plan must not fill the memory [count]
INTERLEAVED = 2**14  # positions that are compared one by one where many runs interleave [count]
CROWD = 16  # boxes or runs that are compared pair by pair where they interleave [count]
DEEPEST = 32  # times that boxes are divided before they count as interleaved [count]

Box = tuple[str, ...]


def compress(positions: Iterable[int]) -> str:
    """Write positions along an axis the way Python writes slices.

    Args:
        positions: Positions along one axis, in the order in which they are read [count from 0].

    Returns:
        Comma-separated runs ``start:stop`` or ``start:stop:step``; ``""`` for no positions.

    Example:
        >>> compress([0, 1, 2, 3]), compress([0, 2, 4]), compress([7, 3, 4, 5])
        ('0:4', '0:5:2', '7:8,3:6')
    """
    if not isinstance(positions, np.ndarray):
        positions = np.fromiter(positions, dtype=np.int64)
    values: np.ndarray = positions
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
        raise ValueError(f"positions {text[:60]!r} go beyond {MOST}, more than any axis has")
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
        Whether each position is in at most one run; ``False`` also for many long runs that
        interleave, which would take long to compare.

    Example:
        >>> disjoint([range(3, 6), range(0, 3)]), disjoint([range(3, 6), range(5, 7)])
        (True, False)
    """
    ordered = sorted(found, key=itemgetter(0))
    if all(run[-1] < following[0] for run, following in pairwise(ordered)):
        return True
    if len(ordered) <= CROWD:
        return not any(_meet(run, other) for run, other in combinations(ordered, 2))
    count = sum(len(run) for run in ordered)
    return count <= INTERLEAVED and len(set().union(*ordered)) == count


def _meet(run: range, other: range) -> bool:
    """Tell whether two runs have a position in common, by the Chinese remainder theorem."""
    low, high = max(run[0], other[0]), min(run[-1], other[-1])
    divisor = gcd(run.step, other.step)
    if low > high or (other[0] - run[0]) % divisor:
        return False
    period = other.step // divisor
    steps = (other[0] - run[0]) // divisor * pow(run.step // divisor, -1, period) % period
    common = run[0] + run.step * steps  # one solution; others are multiples of both steps away
    return common + -(-(low - common) // (run.step * period)) * run.step * period <= high


def apart(boxes: Sequence[Box], depth: int = 0) -> bool:
    """Tell whether no element is in two of several boxes.

    Boxes are divided along one axis after the other, wherever a gap allows, so that many boxes cost
    little more than their number; only boxes that interleave along every axis are compared pair
    by pair.

    Args:
        boxes: For each box its positions along each axis, as :func:`compress` writes them; all of
            one number of axes.
        depth: How often they have been divided already.

    Returns:
        Whether no two overlap.

    Raises:
        ValueError: If too many boxes interleave to be compared.

    Example:
        >>> apart([("0:2", "0:4"), ("2:4", "0:4")]), apart([("0:2", "0:4"), ("1:4", "3:5")])
        (True, False)
    """
    if len(boxes) < 2:
        return True
    for axis in range(len(boxes[0])) if depth < DEEPEST else ():
        parts = _divided(boxes, axis)
        if len(parts) > 1:
            return all(apart(part, depth + 1) for part in parts)
    if len(boxes) > CROWD:
        raise ValueError(f"{len(boxes)} moves interleave; at most {CROWD} are compared")
    return all(
        any(disjoint([*runs(a), *runs(b)]) for a, b in zip(box, other, strict=True))
        for box, other in combinations(boxes, 2)
    )


def _divided(boxes: Sequence[Box], axis: int) -> list[list[Box]]:
    """Divide boxes wherever none of them reaches across a gap along an axis."""
    extents = [(*_extent(box[axis]), box) for box in boxes]
    parts: list[list[Box]] = []
    end = -1
    for first, last, box in sorted(extents, key=itemgetter(0)):
        if first > end or not parts:
            parts.append([])
        parts[-1].append(box)
        end = max(end, last)
    return parts


@lru_cache(maxsize=4096)
def _extent(text: str) -> tuple[int, int]:
    """Return the lowest and the highest position; an axis without positions divides all."""
    found = runs(text)
    return min((run[0] for run in found), default=0), max((run[-1] for run in found), default=-1)
