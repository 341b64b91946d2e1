"""What each axis of each tensor is to its network."""

from collections.abc import Iterable, Mapping

from legatee.surgery.network.groups import Group
from legatee.surgery.network.trace import ChannelMap


def axis_roles(
    shapes: Mapping[str, tuple[int, ...]], channels: ChannelMap, groups: Iterable[Group]
) -> dict[str, tuple[str, ...]]:
    """Name what each axis of each tensor is to its network.

    An axis is ``"class"`` where only the output shows its channels, ``"heads"`` where they are
    blocks of an attention; else what the first operation that reads it calls it: ``"out"``,
    ``"in"``, ``"kernel"``, ``"groups"`` for the rows of a convolution in groups, ``"embedding"``
    for rows that the input's numbers look up. An axis that is only added, multiplied, normalised or
    looked up is ``"channel"`` where other tensors share it, ``"position"`` where none does,
    ``"single"`` where it is of length 1, and ``"unknown"`` where nothing reads the tensor.

    Args:
        shapes: Of all tensors, by name.
        channels: What the trace found.
        groups: Its channels, gathered.

    Returns:
        For each tensor the roles of its axes.
    """
    along = [(member, group) for group in groups for member in group.members]
    shared = {member for member, group in along if len(group.members) > 1}
    shown = {member for member, group in along if group.role == "class"}
    shown -= {member for member, group in along if group.role != "class"}
    known = {name for use in channels.uses for name in use.reads.values()}
    known |= {name for (name, _), _ in along}

    def role(name: str, axis: int, size: int) -> str:
        place = name, axis
        if place in shown:
            return "class"
        if place in channels.axes and channels.heads.issuperset(channels.axes[place].tolist()):
            return "heads"
        if called := channels.called.get(place):
            return called
        if place in shared:
            return "channel"
        if name not in known:
            return "unknown"
        return "single" if size == 1 else "position"

    return {
        name: tuple(role(name, axis, size) for axis, size in enumerate(shape))
        for name, shape in shapes.items()
    }
