"""A catalogue as text: tensors and channel groups, blocks that are alike on one line."""

from collections import defaultdict
from collections.abc import Iterable
from itertools import groupby

from legatee.surgery.network.catalog import Catalog
from legatee.surgery.network.groups import Group


def listing(catalog: Catalog) -> str:
    """Write a catalogue as two tables: tensors with the role of each axis, and channel groups.

    Args:
        catalog: Catalogue of a network.

    Returns:
        Lines; ``a..b`` stands for all numbers from a to b.

    Example:
        >>> from torch import nn
        >>> from legatee.surgery.network.catalog import read
        >>> print(listing(read(nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2)))))
        4 tensors, 26 elements, 3 channel groups
        tensor    shape  axes
        0.weight  4x3    out, in
        0.bias    4      out
        2.weight  2x4    class, in
        2.bias    2      class
        group     runs through
        4 hidden  axis 0 of 0; axis 1 of 2
        3 input   axis 1 of 0
        2 class   axis 0 of 2
    """
    summary = (
        f"{len(catalog.tensors)} tensors, {catalog.elements:,} elements, "
        f"{len(catalog.groups)} channel groups"
    )
    alike: dict[tuple, list[Group]] = defaultdict(list)
    for group in catalog.groups:
        members = tuple((_pattern(name), axis) for name, axis in group.members)
        alike[group.size, _kind(catalog, group), members].append(group)
    channels = [
        [f"{size} {kind}" + _times(groups), _runs_through(groups)]
        for (size, kind, _), groups in alike.items()
    ]
    tables = [[["tensor", "shape", "axes"], *_tensors(catalog)]]
    tables += [[["group", "runs through"], *channels]] if channels else []
    return "\n".join([summary, *(line for table in tables for line in _columns(table))])


def _kind(catalog: Catalog, group: Group) -> str:
    """Return what the channels of a group are: heads of an attention, or their role."""
    roles = {catalog.tensors[name].axis_roles[axis] for name, axis in group.members}
    return "heads" if roles == {"heads"} else group.role


def _tensors(catalog: Catalog) -> list[list[str]]:
    """Return a row for each tensor, or for all of numbered blocks that are alike."""
    alike: dict[tuple, list[str]] = defaultdict(list)
    for name, tensor in catalog.tensors.items():
        ties = tuple(_pattern(tie) for tie in tensor.ties)
        alike[_pattern(name), tensor.shape, tensor.axis_roles, ties].append(name)
    rows = []
    for (_, shape, roles, ties), names in alike.items():
        tied = f"; the same as {' and '.join(ties)}" if ties else ""
        label = ", ".join(folded(names)) + _times(names)
        rows.append([label, "x".join(map(str, shape)) or "scalar", ", ".join(roles) + tied])
    return rows


def _runs_through(groups: list[Group]) -> str:
    """Say through which axes of which modules the channels of groups that are alike run."""
    modules: dict[int, dict[str, None]] = defaultdict(dict)  # axis -> modules, in order
    for group in groups:
        for name, axis in group.members:
            modules[axis][name.rpartition(".")[0] or name] = None
    return "; ".join(
        f"axis {axis} of {', '.join(folded(modules[axis]))}" for axis in sorted(modules)
    )


def _times(alike: list) -> str:
    """Say how many things a row stands for."""
    return f", {len(alike)} times" if len(alike) > 1 else ""


def _pattern(name: str) -> str:
    """Return a name with ``*`` for the numbers of blocks."""
    return ".".join("*" if part.isdigit() else part for part in name.split("."))


def folded(names: Iterable[str]) -> list[str]:
    """Write names that differ in the numbers of blocks as one, where the numbers have no gap.

    Args:
        names: Dotted names, none twice.

    Returns:
        Names in which ``a..b`` stands for all numbers from a to b, in order of first appearance.

    Example:
        >>> folded(["blocks.1.0.conv", "blocks.1.1.conv", "blocks.2.0.conv", "blocks.2.1.conv"])
        ['blocks.1..2.0..1.conv']
        >>> folded(["stem", "blocks.3.conv", "blocks.4.conv", "blocks.6.conv"])
        ['stem', 'blocks.3..4.conv', 'blocks.6.conv']
    """
    alike: dict[str, list[tuple[int, ...]]] = defaultdict(list)
    for name in names:
        numbers = tuple(int(part) for part in name.split(".") if part.isdigit())
        alike[_pattern(name)].append(numbers)
    return [
        _filled(pattern, texts)
        for pattern, numbers in alike.items()
        for texts in _ranges(sorted(numbers))
    ]


def _ranges(numbers: list[tuple[int, ...]]) -> list[tuple[str, ...]]:
    """Cover tuples of numbers by as few tuples of ranges as adjacent ones allow."""
    if not numbers[0]:
        return [()]
    rests = {
        first: tuple(_ranges([row[1:] for row in rows]))
        for first, rows in groupby(numbers, key=lambda row: row[0])
    }
    runs: list[list[int]] = []
    for first, rest in rests.items():
        if runs and first == runs[-1][-1] + 1 and rests[runs[-1][-1]] == rest:
            runs[-1].append(first)
        else:
            runs.append([first])
    return [(_range(run), *rest) for run in runs for rest in rests[run[0]]]


def _range(run: list[int]) -> str:
    """Write consecutive numbers."""
    return str(run[0]) if len(run) == 1 else f"{run[0]}..{run[-1]}"


def _filled(pattern: str, texts: tuple[str, ...]) -> str:
    """Put ranges in the place of the stars of a pattern."""
    rest = iter(texts)
    return ".".join(next(rest) if part == "*" else part for part in pattern.split("."))


def _columns(rows: list[list[str]]) -> list[str]:
    """Write rows of equally many cells in columns."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
