"""Positions along an axis, written the way Python writes slices: short, exact, and readable."""

import re
from collections.abc import Iterable
from functools import lru_cache

import numpy as np

RUNS = re.compile(r"(\d+:\d+(:[1-9]\d*)?(,\d+:\d+(:[1-9]\d*)?)*)?")
MOST = 2**24  # positions along one axis: a damaged or hostile plan must not fill the memory


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


@lru_cache(maxsize=4096)
def expand(text: str) -> range | tuple[int, ...]:
    """Read positions as :func:`compress` wrote them.

    Args:
        text: Comma-separated runs.

    Returns:
        A ``range`` when one run says it all, otherwise every position [count from 0].

    Raises:
        ValueError: If ``text`` is not of that form.

    Example:
        >>> expand("0:5:2"), expand("7:8,3:6")
        (range(0, 5, 2), (7, 3, 4, 5))
    """
    if not RUNS.fullmatch(text):
        raise ValueError(f"positions {text!r} are not runs start:stop[:step] counted from 0")
    parts = [[int(part) for part in run.split(":")] for run in text.split(",") if run]
    runs = [range(*part) for part in parts]
    if sum(len(run) for run in runs) > MOST:
        raise ValueError(f"positions {text!r} are more than any axis has")
    return runs[0] if len(runs) == 1 else tuple(position for run in runs for position in run)
