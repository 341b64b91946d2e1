"""Positions along an axis, written the way Python writes slices: short, exact, and readable."""

import re
from collections.abc import Iterable

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
    values = list(positions)
    if len(values) > 1 and (step := values[1] - values[0]) > 0:
        whole = range(values[0], values[-1] + 1, step)
        if len(whole) == len(values) and list(whole) == values:
            return f"{whole.start}:{whole.stop}" + (f":{step}" if step > 1 else "")
    starts = [i for i, v in enumerate(values) if i == 0 or v != values[i - 1] + 1]
    ends = [*starts[1:], len(values)]
    return ",".join(
        f"{values[a]}:{values[b - 1] + 1}" for a, b in zip(starts, ends, strict=False) if values
    )


def expand(text: str) -> range | list[int]:
    """Read positions as :func:`compress` wrote them.

    Args:
        text: Comma-separated runs.

    Returns:
        A ``range`` when one run says it all, otherwise the list of positions [count from 0].

    Raises:
        ValueError: If ``text`` is not of that form.

    Example:
        >>> expand("0:5:2"), expand("7:8,3:6")
        (range(0, 5, 2), [7, 3, 4, 5])
    """
    if not RUNS.fullmatch(text):
        raise ValueError(f"positions {text!r} are not runs start:stop[:step] counted from 0")
    parts = [[int(part) for part in run.split(":")] for run in text.split(",") if run]
    runs = [range(*part) for part in parts]
    if sum(len(run) for run in runs) > MOST:
        raise ValueError(f"positions {text!r} are more than any axis has")
    return runs[0] if len(runs) == 1 else [position for run in runs for position in run]
