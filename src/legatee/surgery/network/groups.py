"""Channel groups: channels that run through the same axes and must be inherited together."""

from collections import defaultdict
from collections.abc import Container, Sequence
from dataclasses import dataclass

import numpy as np

from legatee.surgery.network.channel_map import ChannelMap

Axis = tuple[str, int]  # of a tensor by name


@dataclass(frozen=True, kw_only=True, eq=False)
class Group:
    """Channels that run through the same axes of the same tensors.

    Attributes:
        size: Number of channels [count].
        members: For each (tensor, axis) it runs through, the positions of each channel there
            [size, positions per channel]; a channel has more than one position where it was
            flattened, or where it is a block such as an attention head.
        role: ``"input"`` for the network's input (its channels, or the rows of a token embedding),
            ``"class"`` for its output, where no later layer reads it, ``"fixed"`` where the order
            has a meaning, because the channels meet a constant or positions, ``"hidden"``
            otherwise.
        parts: For each channel the number of the group in which group normalisation normalises it
            [size]; ``None`` where all channels are alike.
    """

    size: int
    members: dict[Axis, np.ndarray]
    role: str
    parts: np.ndarray | None = None


def patterns(groups: Sequence[Group]) -> dict[tuple[int, str, int], int]:
    """Number the positions that groups have along axes: equal positions have equal numbers.

    Args:
        groups: Channel groups.

    Returns:
        (number of a group, tensor, axis) -> number.
    """
    numbers: dict[tuple[bytes, tuple[int, ...]], int] = {}
    return {
        (group, *axis): numbers.setdefault((places.tobytes(), places.shape), len(numbers))
        for group, members in enumerate(group.members for group in groups)
        for axis, places in members.items()
    }


def may_take(target: Group, source: Group) -> bool:
    """Tell whether a group of the target may inherit channels from a group of the source.

    The output of a backbone may become a hidden layer of a larger network, but no hidden layer may
    become an output, whose channels are classes. Token embeddings that are tied to the source's
    output may fill the target's output.

    Args:
        target: A group of the target.
        source: A group of the source.

    Returns:
        Whether their roles allow it.

    Example:
        >>> hidden, output = (Group(size=4, members={}, role=role) for role in ("hidden", "class"))
        >>> may_take(hidden, output), may_take(output, hidden)
        (True, False)
    """
    roles = target.role, source.role
    return target.role == source.role or roles in (("hidden", "class"), ("class", "input"))


def coupled(channels: ChannelMap, tensors: Container[str]) -> tuple[Group, ...]:
    """Group the channels that run through exactly the same axes.

    Args:
        channels: The channel at each position of each axis.
        tensors: Names of the tensors to consider.

    Returns:
        The groups, in the order in which their channels first occur.
    """
    axes = [axis for axis in channels.axes if axis[0] in tensors]
    if not axes:
        return ()
    runs = _runs([channels.axes[axis] for axis in axes])
    firsts = _changes(runs.channel)
    ends = np.append(firsts[1:], len(runs.channel))
    together: dict[tuple, list[int]] = defaultdict(list)
    for number in np.lexsort((runs.place[runs.start[firsts]], runs.axis[firsts])).tolist():
        own = slice(firsts[number], ends[number])
        channel = int(runs.channel[firsts[number]])
        roles = (
            channel in channels.consumed,
            channel in channels.produced,
            channel in channels.fixed,
        )
        together[runs.axis[own].tobytes(), runs.width[own].tobytes(), *roles].append(number)
    kept: dict[bytes, np.ndarray] = {}
    groups = []
    for (_, _, consumed, produced, fixed), members in together.items():
        first, count = firsts[members], ends[members[0]] - firsts[members[0]]
        positions = {
            axes[runs.axis[first[0] + step]]: runs.places(first + step, kept)
            for step in range(count)
        }
        axis_roles = (channels.called.get(axis, "in" if axis[1] else "out") for axis in positions)
        read_later = any(axis_role == "in" for axis_role in axis_roles)
        role = "fixed" if fixed else "hidden"
        role = "input" if consumed else "class" if produced and not read_later else role
        parts = _parts([channels.parts.get(int(runs.channel[n])) for n in first])
        groups.append(Group(size=len(members), members=positions, role=role, parts=parts))
    coupling = [g for g in groups if len(g.members) > 1 or g.role in ("input", "class")]
    covered = {axis for group in coupling for axis in group.members}
    # An axis that is covered in part needs a group for the rest, or nothing would fill it.
    return tuple(
        g
        for g in groups
        if len(g.members) > 1 or g.role in ("input", "class") or covered & g.members.keys()
    )


def _parts(labels: list[tuple[int, ...] | None]) -> np.ndarray | None:
    """Number the groups of a normalisation that some channels lie in, if there are several."""
    if len(set(labels)) < 2:
        return None
    numbers = {label: number for number, label in enumerate(dict.fromkeys(labels))}
    return np.array([numbers[label] for label in labels])


@dataclass(frozen=True)
class _Runs:
    """Where each channel runs along each axis, sorted by channel, then axis.

    Attributes:
        channel: Channel of each run.
        axis: Number of the axis of each run.
        start: Start of each run in ``place``.
        width: Positions of each run [count].
        place: Positions along the axes, run after run.
    """

    channel: np.ndarray
    axis: np.ndarray
    start: np.ndarray
    width: np.ndarray
    place: np.ndarray

    def places(self, runs: np.ndarray, kept: dict[bytes, np.ndarray]) -> np.ndarray:
        """Return the positions of runs of one width [runs, width]; equal arrays are kept once."""
        steps = np.arange(self.width[runs[0]])
        array = self.place[self.start[runs][:, None] + steps].astype(np.int64)
        return kept.setdefault(array.tobytes() + bytes(str(array.shape), "ascii"), array)


def _runs(channels: list[np.ndarray]) -> _Runs:
    """Sort the positions of all axes by the channel that is there."""
    sizes = [len(ids) for ids in channels]
    channel = np.concatenate(channels)
    axis = np.repeat(np.arange(len(sizes), dtype=np.int32), sizes)
    place = np.concatenate([np.arange(size, dtype=np.int32) for size in sizes])
    order = np.lexsort((place, axis, channel))
    channel, axis, place = channel[order], axis[order], place[order]
    start = _changes(channel, axis)
    return _Runs(channel[start], axis[start], start, np.diff(start, append=len(place)), place)


def _changes(*columns: np.ndarray) -> np.ndarray:
    """Return the rows at which any column differs from the row before, the first included."""
    differs = np.any([column[1:] != column[:-1] for column in columns], axis=0)
    return np.concatenate([[0], np.flatnonzero(differs) + 1])
