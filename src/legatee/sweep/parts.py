"""The parts of a sweep on disk: what each of them holds, and what is missing.

A part is a store of its own that holds a box of cells: some values of every axis. The first part
holds the first grid; when an axis becomes longer, what is new is a box or several, each a new part.
"""

import os
from collections.abc import Mapping
from dataclasses import replace
from itertools import count, islice
from pathlib import Path
from typing import Any

from legatee.disk import paths_in
from legatee.errors import OutputError
from legatee.results import Store, identity_of
from legatee.sweep.declare import Box, Sweep, block_of, layout_of


def parts_of(
    sweep: Sweep, folder: Path, provenance: Mapping[str, Any]
) -> list[tuple[Sweep, Store]]:
    """Return the parts of a sweep; those that are missing are laid out.

    Args:
        sweep: The whole.
        folder: Where they are.
        provenance: What to record with those that are laid out.

    Returns:
        What each of them holds, and its store.

    Raises:
        OutputError: If the folder holds something else, or cannot be written.
    """
    parts, rest = [], [sweep.box]
    for path in paths_of(folder):
        box, identity = part_of(path)
        _check_box(path, box, sweep)
        part = sweep.within(box)
        parts.append((part, Store(path, layout_of(part, identity["block"]))))
        rest = [piece for one in rest for piece in _without(one, box)]
    names = (folder / f"part-{number:03d}.zarr" for number in count())
    free = islice((path for path in names if not path.exists()), len(rest))
    for box, path in zip(rest, list(free), strict=True):
        part = sweep.within(box)
        layout = layout_of(part, block_of(part))
        parts.append((part, Store(path, replace(layout, provenance=provenance))))
    return parts


def paths_of(folder: str | os.PathLike[str]) -> list[Path]:
    """Return where the parts of a sweep are.

    Args:
        folder: That of the sweep.

    Returns:
        Their stores, in order.

    Raises:
        OutputError: If the folder cannot be listed.
    """
    return paths_in(folder, "part-*.zarr")


def part_of(path: Path) -> tuple[Box, dict[str, Any]]:
    """Return what a part holds.

    Args:
        path: Its store.

    Returns:
        Its cells, and what else tells it from others.

    Raises:
        OutputError: If it is no part of a sweep.
    """
    identity = identity_of(path)
    try:
        axes = {
            name: tuple(tuple(value) if isinstance(value, list) else value for value in values)
            for name, values in identity["axes"]
        }
        box = {**axes, "seed": tuple(identity["seeds"])}
        dims = [name.split(",")[0] for name in box]
        identity["block"] = {dim: int(identity["block"][dim]) for dim in dims}  # in order
    except (KeyError, TypeError, ValueError) as error:
        raise OutputError(f"{str(path)!r} is no part of a sweep") from error
    if min(identity["block"].values()) < 1:
        raise OutputError(f"{str(path)!r} is no part of a sweep: its blocks hold nothing")
    return box, identity


def _check_box(path: Path, box: Box, sweep: Sweep) -> None:
    """Refuse a part that does not lie in the sweep, naming the difference."""
    for name in [*box, *sweep.box]:
        there, now = box.get(name), sweep.box.get(name)
        if there is None or now is None:
            where = "now, but not there" if there is None else "there, but not now"
            raise OutputError(
                f"{str(path.parent)!r} holds another sweep: {name} is an axis {where}; choose "
                "another place"
            )
        known = set(now)
        if gone := [value for value in there if value not in known]:
            raise OutputError(
                f"{str(path.parent)!r} holds another sweep: {name} = {gone[0]} is there and not "
                "in the grid now; axes may become longer, not shorter; choose another place"
            )


def _without(box: Box, other: Box) -> list[Box]:
    """Return what is left of a box without another one, as boxes."""
    other_values = {name: set(values) for name, values in other.items()}
    if any(other_values[name].isdisjoint(values) for name, values in box.items()):
        return [box]
    left = []
    for name in box:
        if outside := tuple(value for value in box[name] if value not in other_values[name]):
            left.append({**box, name: outside})
        box = {**box, name: tuple(value for value in box[name] if value in other_values[name])}
    return left
