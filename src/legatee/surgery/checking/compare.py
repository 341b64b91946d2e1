"""Compares what inherited layers read and compute in two networks, channel by channel."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils.weak import WeakIdKeyDictionary

from legatee.plans.check import TOLERANCE
from legatee.plans.moves import Move
from legatee.plans.plan import TransferPlan
from legatee.plans.positions import expand
from legatee.surgery.checking.causes import between, starting
from legatee.surgery.checking.places import Place, Side, places
from legatee.surgery.checking.watch import Reading, Step

Key = int | str  # number of a channel group, or name of a tensor that is in none
Groups = Mapping[tuple[str, int], Tensor]  # (tensor, axis) -> group at each position, -1 for none


class Remembered:
    """What the source reads and computes with each tensor that the plan takes.

    Args:
        names: Tensors of the source that the plan takes.
    """

    def __init__(self, names: set[str]) -> None:
        self._names = names
        self._readings: dict[str, list[Reading]] = defaultdict(list)
        self._clones: Any = WeakIdKeyDictionary()

    def see(self, reading: Reading) -> None:
        """Remember one reading, before the network overwrites its numbers.

        Args:
            reading: What the source does with a weight.
        """
        if reading.view.name in self._names:
            kept = {"reads": self._clone(reading.reads), "writes": self._clone(reading.writes)}
            self._readings[reading.view.name].append(Reading(**(vars(reading) | kept)))

    def get(self, name: str, number: int) -> Reading | None:
        """Return one of the readings of a tensor.

        Args:
            name: Name of the tensor.
            number: Which of its readings [count from 0].

        Returns:
            The reading; ``None`` if the source reads the tensor less often.
        """
        readings = self._readings[name]
        return readings[number] if number < len(readings) else None

    def _clone(self, tensor: Tensor | None) -> Tensor | None:
        """Copy a tensor once for as long as it does not change."""
        if tensor is None:
            return None
        version, clone = self._clones.get(tensor, (-1, None))
        if version != tensor._version:
            clone = tensor.clone()
            self._clones[tensor] = tensor._version, clone
        return clone


@dataclass(frozen=True, kw_only=True)
class Deviation:
    """A channel group at a place where the networks differ.

    Attributes:
        key: The group.
        why: The operation at which they first differ; ``""`` if what is read differs already.
    """

    key: Key
    why: str


class Comparison:
    """Compares the target's readings with those of the source, while the target runs.

    Args:
        plan: What is inherited.
        groups: The channel group at each position.
        remembered: What the source reads and computes.

    Attributes:
        deviations: Where the networks differ, in order.
        heard: Groups that were compared and carry a signal.
    """

    def __init__(
        self,
        plan: TransferPlan,
        groups: Groups,
        remembered: Remembered,
    ) -> None:
        self.deviations: list[Deviation] = []
        self.heard: set[Key] = set()
        self._moves: dict[str, list[Move]] = defaultdict(list)
        for move in plan.moves:
            self._moves[move.target].append(move)
        self._groups = groups
        self._source = remembered
        self._times: dict[str, int] = defaultdict(int)
        self._done: set[tuple[int, Side, str]] = set()
        self._kept: list[Step] = []  # so that no two steps have one id

    def see(self, reading: Reading) -> None:
        """Compare one reading of the target with the source's.

        Args:
            reading: What the target does with a weight.
        """
        name = reading.view.name
        number = self._times[name]
        self._times[name] += 1
        self._kept.append(reading.step)
        for move in self._moves[name]:
            source = self._source.get(move.source, number)
            if source is not None:
                self._compare(move, reading, source)

    def _compare(self, move: Move, reading: Reading, source: Reading) -> None:
        """Compare what is read, then what is computed."""
        agrees = self._side("reads", move, reading, source)
        if agrees is False:
            self._note_difference(between(reading, source))
        if len(self._moves[move.target]) > 1 and self._shares_rows(move, reading):
            return
        written = self._side("writes", move, reading, source)
        if written is None:
            return
        reading.step.agrees = source.step.agrees = written
        if not written:
            follows = agrees is False
            self._note_difference("" if follows else starting(reading, source, agrees))

    def _shares_rows(self, move: Move, reading: Reading) -> bool:
        """Tell whether other moves fill other columns of the same rows."""
        axes = {
            along.axis
            for axis in reading.how.written_axes.values()
            if (along := reading.view.axes[axis]) is not None
        }
        others = (other for other in self._moves[move.target] if other is not move)
        return any(
            set(_put(move, axis)) & set(_put(other, axis)) for other in others for axis in axes
        )

    def _side(self, side: Side, move: Move, reading: Reading, source: Reading) -> bool | None:
        """Compare one side of an operation; return nothing where there is nothing to compare."""
        done = id(reading.step), side, move.target if len(self._moves[move.target]) > 1 else ""
        self._bad: set[Key] = set()
        if done in self._done:
            return None
        found = places(side, move, reading, source)
        target_values, source_values = getattr(reading, side), getattr(source, side)
        if found is None or target_values is None or source_values is None:
            return None
        target_values, source_values = _at(target_values, found, 0), _at(source_values, found, 1)
        if not target_values.numel():
            return None
        self._done.add(done)
        if target_values.shape != source_values.shape:
            self._bad = self._keys(move, found, [])
            self.heard |= self._bad
            return False
        scale = float(source_values.abs().nan_to_num(0, 0, 0).max())
        if scale == 0 and not bool(target_values.any()):
            return None
        differs = ~(
            (target_values == source_values)
            | ((target_values - source_values).abs() <= TOLERANCE * scale)
        )
        self.heard |= self._keys(move, found, [])
        if not bool(differs.any()):
            return True
        self._bad = self._keys(move, found, [_along(differs, place) for place in found])
        return False

    def _keys(self, move: Move, found: Sequence[Place], chosen: list[Tensor]) -> set[Key]:
        """Return the groups at some places, all positions or those that are chosen."""
        keys: set[Key] = set()
        for number, place in enumerate(found):
            rows = self._groups.get((move.target, place.weight_axis))
            if rows is not None:
                positions = place.groups_at[chosen[number]] if chosen else place.groups_at
                keys |= {int(key) for key in rows[positions].unique() if key >= 0}
        return keys or {move.target}

    def _note_difference(self, why: str) -> None:
        self.deviations += [
            Deviation(key=key, why=why)
            for key in sorted(self._bad, key=lambda k: (str(type(k)), k))
        ]


def _put(move: Move, axis: int) -> list[int]:
    return list(expand(move.put[axis]))


def _at(tensor: Tensor, found: Sequence[Place], side: int) -> Tensor:
    """Return the elements of an activation that belong to inherited channels."""
    for place in found:
        index = (place.target, place.source)[side]
        if len(index) != tensor.shape[place.axis] or not torch.equal(
            index, torch.arange(len(index))
        ):
            tensor = tensor.index_select(place.axis, index)
    return tensor


def _along(differs: Tensor, place: Place) -> Tensor:
    """Return at which positions of one axis anything differs."""
    others = [axis for axis in range(differs.ndim) if axis != place.axis]
    return differs.any(others) if others else differs
