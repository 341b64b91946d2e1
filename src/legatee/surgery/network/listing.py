"""A catalogue as text: its tensors and groups of channels, folded where only numbers differ."""

from collections import defaultdict

from legatee.surgery.network.catalog import Catalog
from legatee.surgery.network.groups import Group


def listing(catalog: Catalog) -> str:
    """Write a catalogue as two tables: tensors with the role of each axis, and channel groups.

    Args:
        catalog: Of a network.

    Returns:
        Lines; ``*`` stands for the numbers of blocks that are alike, counted behind it.

    Example:
        >>> from torch import nn
        >>> from legatee.surgery.network.catalog import read
        >>> print(listing(read(nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2)))))
        4 tensors, 26 elements, 3 groups of channels
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
    head = (
        f"{len(catalog.tensors)} tensors, {catalog.elements:,} elements, "
        f"{len(catalog.groups)} groups of channels"
    )
    alike: dict[tuple, list[Group]] = defaultdict(list)
    for group in catalog.groups:
        places = tuple((_anywhere(name), axis) for name, axis in group.members)
        alike[group.size, group.role, places].append(group)
    channels = [
        [f"{size} {role}" + _times(groups), _runs_through(groups)]
        for (size, role, _), groups in alike.items()
    ]
    tables = [[["tensor", "shape", "axes"], *_tensors(catalog)]]
    tables += [[["group", "runs through"], *channels]] if channels else []
    return "\n".join([head, *(line for table in tables for line in _aligned(table))])


def _tensors(catalog: Catalog) -> list[list[str]]:
    """Return a row for each tensor, or for all of numbered blocks that are alike."""
    alike: dict[tuple, list[str]] = defaultdict(list)
    for name, tensor in catalog.tensors.items():
        ties = tuple(_anywhere(tie) for tie in tensor.ties)
        alike[_anywhere(name), tensor.shape, tensor.axis_roles, ties].append(name)
    rows = []
    for (pattern, shape, roles, ties), names in alike.items():
        label = names[0] if len(names) == 1 else pattern + _times(names)
        tied = f"; the same as {' and '.join(ties)}" if ties else ""
        rows.append([label, "x".join(map(str, shape)) or "scalar", ", ".join(roles) + tied])
    return rows


def _runs_through(groups: list[Group]) -> str:
    """Say through which axes of which modules the channels of groups that are alike run."""
    modules: dict[int, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for group in groups:
        for name, axis in group.members:
            module = name.rpartition(".")[0] or name
            modules[axis][_anywhere(module)].add(module)
    said = {
        axis: ", ".join(min(names) if len(names) == 1 else pattern for pattern, names in of.items())
        for axis, of in modules.items()
    }
    return "; ".join(f"axis {axis} of {said[axis]}" for axis in sorted(said))


def _times(alike: list) -> str:
    """Count what is alike."""
    return f", {len(alike)} times" if len(alike) > 1 else ""


def _anywhere(name: str) -> str:
    """Return a name with ``*`` for the numbers of blocks."""
    return ".".join("*" if part.isdigit() else part for part in name.split("."))


def _aligned(rows: list[list[str]]) -> list[str]:
    """Lay rows of equal length under one another."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
