"""Why two networks differ at an operation: what lies between it and those before that agree."""

from legatee.surgery.checking.alignment import aten
from legatee.surgery.checking.averages import RULES
from legatee.surgery.checking.watch import Reading, Step

LAYOUT = {  # these move elements and combine none
    packet.__name__
    for packet in (
        aten.cat,
        aten.clone,
        aten._to_copy,
        aten.copy_,
        aten.stack,
        aten.repeat,
        aten.index,
        aten.index_select,
        aten.gather,
        aten.constant_pad_nd,
        aten.roll,
        aten._unsafe_view,
        aten.max_pool2d_with_indices,
        aten.avg_pool2d,
        aten._adaptive_avg_pool2d,
        aten.upsample_bilinear2d,
        aten.upsample_bicubic2d,
        aten.upsample_nearest2d,
    )
} | {"input"}
AVERAGES = {packet.__name__ for packet in RULES} - {"_softmax", "_safe_softmax", "_log_softmax"}


def between(reading: Reading, source: Reading) -> str:
    """Say why a layer does not read what it read in the source.

    Args:
        reading: What the target does.
        source: What the source does.

    Returns:
        The cause; ``""`` if something before differs already.
    """
    steps, ends = _back(reading.source)
    source_steps, source_ends = _back(source.source)
    if any(end.agrees is False for end in ends + source_ends):
        return ""
    name = reading.view.name
    if (cause := _shapes(reading, source)) is not None:
        return f"{name!r} reads {cause}"
    left = [n for step in steps for n in step.weights]
    if left:
        return f"what {name!r} reads passes through {left[0]!r}, which is not inherited"
    left = [n for step in source_steps for n in step.weights]
    if left:
        return f"what {name!r} reads passes through the source's {left[0]!r}, which is not taken"
    makers = sorted({end.weights[0] for end in ends if end.weights})
    made = f" after {makers[0]!r}" if makers else ""
    mixing = list(dict.fromkeys(s.name for s in steps if s.mixes and s.name not in LAYOUT))
    if mixing:
        return f"{' and '.join(mixing)}{made} combines channels before {name!r} reads them"
    where = f"those of {makers[0]!r}" if makers else "those that it reads in the source"
    return f"{name!r} reads other channels than {where}"


def starting(reading: Reading, source: Reading, agrees: bool | None) -> str:
    """Say why a layer does not compute what it computed in the source.

    Args:
        reading: What the target does.
        source: What the source does.
        agrees: Whether what it reads agrees; ``None`` if that was not compared.

    Returns:
        The cause; ``""`` if something before differs already.
    """
    name, operation = reading.view.name, reading.step.name
    if agrees is None:
        ends = [end for step in reading.step.before for end in _back(step)[1]]
        if any(end.agrees is False for end in ends):
            return ""
    if operation in AVERAGES:
        return f"{operation} of {name!r} averages over channels that are not all inherited"
    if (cause := _shapes(reading, source, written=True)) is not None:
        return f"{operation} of {name!r} computes {cause}"
    return f"{operation} of {name!r} computes something else from what it read in the source"


def _shapes(reading: Reading, source: Reading, *, written: bool = False) -> str | None:
    """Say that activations differ in their number of positions."""
    sides = [one.writes if written else one.reads for one in (reading, source)]
    axes = reading.how.written_axes if written else reading.how.read_axes
    shapes = [
        tuple(n for axis, n in enumerate(side.shape) if axis not in axes)
        for side in sides
        if side is not None
    ]
    if len(set(shapes)) < 2:
        return None
    target, there = ("x".join(map(str, shape)) or "1" for shape in shapes)
    return f"{target} positions in the target and {there} in the source"


def _back(start: Step | None) -> tuple[list[Step], list[Step]]:
    """Return the steps back to those that were compared, and these."""
    passed: list[Step] = []
    ends: list[Step] = []
    seen: set[int] = set()
    open_ = [] if start is None else [start]
    while open_:
        step = open_.pop()
        if id(step) in seen:
            continue
        seen.add(id(step))
        if step.agrees is None:
            passed.append(step)
            open_ += step.before
        else:
            ends.append(step)
    return passed, ends
