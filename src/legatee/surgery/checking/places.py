"""Which positions of two activations belong to the same inherited channels."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from legatee.plans.moves import Move
from legatee.plans.positions import expand
from legatee.surgery.checking.watch import Reading
from legatee.surgery.checking.weights import MIXED, Along

Side = Literal["reads", "writes"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Place:
    """Inherited channels along one axis of an activation.

    Attributes:
        axis: The axis of the activation.
        target: Their positions in the target's activation.
        source: Their positions in the source's.
        weight_axis: The axis of the weight whose channels they are.
        groups_at: Their positions along that axis in the target.
    """

    axis: int
    target: Tensor
    source: Tensor
    weight_axis: int
    groups_at: Tensor


def places(side: Side, move: Move, reading: Reading, source: Reading) -> list[Place] | None:
    """Find the inherited channels on one side of an operation.

    Args:
        side: What the operation reads, or what it computes.
        move: What is inherited of the weight.
        reading: The operation in the target.
        source: The operation in the source.

    Returns:
        The channels along each axis that runs through the weight; ``None`` where the sides cannot
        be compared, such as where image channels are summed.
    """
    axes, source_axes = (
        one.how.read_axes if side == "reads" else one.how.written_axes for one in (reading, source)
    )
    if axes.keys() != source_axes.keys():
        return None
    found = []
    for axis, view_axis in axes.items():
        along, source_along = reading.view.axes[view_axis], source.view.axes[source_axes[axis]]
        if max(reading.how.groups, source.how.groups) > 1 and view_axis == reading.how.within:
            found.append(_grouped(axis, move, reading, source))
            continue
        if along is None or source_along is None:
            continue
        if along.axis != source_along.axis or along.axis == MIXED:
            return None
        if move.blend is not None and move.blend.covers(along.axis):
            return None
        put, take = _positions(move, along, source_along)
        found.append(
            Place(
                axis=axis,
                target=_index((put - along.start) // along.step),
                source=_index((take - source_along.start) // source_along.step),
                weight_axis=along.axis,
                groups_at=_index(put),
            )
        )
    return found or None


def _positions(move: Move, along: Along, source_along: Along) -> tuple[np.ndarray, np.ndarray]:
    """Return the positions filled and taken along an axis that both views run through."""
    put = np.asarray(expand(move.put[along.axis]), dtype=np.int64)
    take = np.asarray(expand(move.take[along.axis]), dtype=np.int64)
    inside = np.ones(len(put), bool)
    for positions, one in ((put, along), (take, source_along)):
        steps = (positions - one.start) / one.step
        inside &= (steps >= 0) & (steps < one.size) & (steps % 1 == 0)
    return put[inside], take[inside]


def _grouped(axis: int, move: Move, reading: Reading, source: Reading) -> Place:
    """Find the channels of a grouped convolution whose weight counts them within each group."""
    # rows of one group of the convolution read the same channels
    put, take = (np.asarray(expand(text[0]), dtype=np.int64) for text in (move.put, move.take))
    rows = [
        shape[0] // one.how.groups
        for shape, one in ((move.target_shape, reading), (move.source_shape, source))
    ]
    width = move.target_shape[1], move.source_shape[1]
    pairs = np.unique(np.stack([put // rows[0], take // rows[1]], 1), axis=0)
    within = [np.asarray(expand(text[1]), dtype=np.int64) for text in (move.put, move.take)]
    target = (pairs[:, :1] * width[0] + within[0]).reshape(-1)
    chosen = (pairs[:, 1:] * width[1] + within[1]).reshape(-1)
    first = [int(put[put // rows[0] == group][0]) for group in pairs[:, 0]]
    return Place(
        axis=axis,
        target=_index(target),
        source=_index(chosen),
        weight_axis=0,
        groups_at=_index(np.repeat(first, len(within[0]))),
    )


def _index(positions: np.ndarray) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(positions))
