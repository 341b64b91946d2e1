"""Channels that run through the same axes, gathered into groups that stand or fall together."""

from collections import defaultdict
from collections.abc import Container
from dataclasses import dataclass

import numpy as np

from legatee.surgery.trace import ChannelMap


@dataclass(frozen=True, kw_only=True, eq=False)
class Group:
    """Channels that run through the same axes of the same tensors, and so stand or fall together.

    Attributes:
        size: Channels in the group [count].
        members: For each (tensor, axis) it runs through, the positions of each channel there
            [size, positions per channel]; more than one position where channels were flattened
            or belong to a block, such as an attention head.
        role: ``"input"`` for what the network is given, ``"class"`` for what only it shows at its
            output, ``"hidden"`` for all others.
    """

    size: int
    members: dict[tuple[str, int], np.ndarray]
    role: str


def gathered(channels: ChannelMap, held: Container[str]) -> tuple[Group, ...]:
    """Gather the channels that run through exactly the same axes, in order of appearance.

    Args:
        channels: Which positions along which axes are one and the same channel.
        held: Names of the network's tensors, ties once.

    Returns:
        The groups.
    """
    through: dict[int, dict[tuple[str, int], list[int]]] = defaultdict(dict)
    for axis, ids in channels.axes.items():
        if axis[0] in held:
            for position, channel in enumerate(ids.tolist()):
                through[channel].setdefault(axis, []).append(position)
    together: dict[tuple, list[int]] = defaultdict(list)
    for channel, places in through.items():
        widths = tuple((axis, len(positions)) for axis, positions in places.items())
        together[widths, channel in channels.consumed, channel in channels.produced].append(channel)
    kept: dict[bytes, np.ndarray] = {}

    def shared(positions: list[list[int]]) -> np.ndarray:
        """Return one array for all axes with the same positions: most are alike."""
        array = np.array(positions)
        return kept.setdefault(array.tobytes() + bytes(str(array.shape), "ascii"), array)

    groups = []
    for (widths, consumed, produced), members in together.items():
        axes = [axis for axis, _ in widths]
        read_on = any(axis > 0 for _, axis in axes)
        role = "input" if consumed else "class" if produced and not read_on else "hidden"
        if len(axes) > 1 or role != "hidden":
            spots = {axis: shared([through[c][axis] for c in members]) for axis in axes}
            groups.append(Group(size=len(members), members=spots, role=role))
    return tuple(groups)
