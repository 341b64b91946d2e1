"""The role of each axis of each tensor: output or input channels, kernel, heads, classes."""

from collections.abc import Iterable, Mapping

from legatee.surgery.network.channel_map import ChannelMap
from legatee.surgery.network.groups import Group


def axis_roles(
    shapes: Mapping[str, tuple[int, ...]], channels: ChannelMap, groups: Iterable[Group]
) -> dict[str, tuple[str, ...]]:
    """Name the role of each axis of each tensor.

    An axis is ``"class"`` where its channels are the network's output and nothing else reads them,
    ``"heads"`` where they are the heads of an attention. Otherwise the first operation that reads
    the tensor decides: ``"out"``, ``"in"``, ``"kernel"``, ``"groups"`` for the output channels of a
    grouped convolution, ``"embedding"`` for rows that are indexed by the network's input. An axis
    that is only added, multiplied, normalised or indexed by position is ``"channel"`` where other
    tensors share it, ``"position"`` where none does, ``"single"`` where it is of length 1, and
    ``"unknown"`` where nothing reads the tensor.

    Args:
        shapes: Shape of each tensor, by name.
        channels: Result of the trace.
        groups: Its channel groups.

    Returns:
        Tensor name -> the role of each axis.
    """
    along = [(member, group) for group in groups for member in group.members]
    shared = {member for member, group in along if len(group.members) > 1}
    classes = {member for member, group in along if group.role == "class"}
    classes -= {member for member, group in along if group.role != "class"}
    known = {name for use in channels.uses for name in use.reads.values()}
    known |= {name for (name, _), _ in along}

    def role(name: str, axis: int, size: int) -> str:
        member = name, axis
        if member in classes:
            return "class"
        if member in channels.axes and channels.heads.issuperset(channels.axes[member].tolist()):
            return "heads"
        if called := channels.called.get(member):
            return called
        if member in shared:
            return "channel"
        if name not in known:
            return "unknown"
        return "single" if size == 1 else "position"

    return {
        name: tuple(role(name, axis, size) for axis, size in enumerate(shape))
        for name, shape in shapes.items()
    }
