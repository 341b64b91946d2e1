"""Which channels inherited layers compute, and which inherited layers read none of them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np

from legatee.plans.moves import Move
from legatee.plans.positions import expand
from legatee.surgery.network.catalog import Catalog
from legatee.surgery.network.dataflow import LAYERS
from legatee.surgery.network.uses import NETWORK_INPUT

NAMED = 3  # layers that the warning names


@dataclass(frozen=True)
class Supply:
    """Tells which channels of a target network are computed by inherited layers.

    Attributes:
        target: Catalogue of the downstream network.
        moves: Target tensor -> what it inherits.
    """

    target: Catalog
    moves: Mapping[str, Move]
    _computed: dict[tuple[frozenset[int], int], np.ndarray] = field(
        default_factory=dict, repr=False
    )
    _filled: dict[tuple[str, int], np.ndarray] = field(default_factory=dict, repr=False)

    def computed(self, use: int, group: int) -> np.ndarray:
        """Tell which channels of a group inherited layers have computed when a use reads them.

        Args:
            use: Number of the use among the target's.
            group: Number of the channel group.

        Returns:
            For each channel whether it is the network's input, or computed by an inherited layer;
            all of them where the layers that compute them are not known [size of the group].
        """
        key = self.target.layers_before[use], group
        if key not in self._computed:  # many uses read what the same layers compute
            self._computed[key] = self._computed_by(*key)
        return self._computed[key]

    def _computed_by(self, before: frozenset[int], group: int) -> np.ndarray:
        layers = frozenset[int]() if NETWORK_INPUT in before else before
        weights = {self.target.uses[number].main for number in layers}
        members = self.target.groups[group].members
        axes = [axis for axis in members if axis[0] in weights]
        # Most layers of a residual stream fill the same channels: these are looked at once.
        different = {id(mask): mask for mask in (self.filled(*axis, group) for axis in axes)}
        masks = list(different.values())
        if not masks:
            return np.ones(self.target.groups[group].size, bool)
        return np.any(masks, axis=0) if len(masks) > 1 else masks[0]

    def filled(self, name: str, axis: int, group: int) -> np.ndarray:
        """Tell which channels of a group are filled along an axis of a tensor.

        Args:
            name: Name of a target tensor.
            axis: An axis that the group runs through.
            group: Number of the channel group.

        Returns:
            For each channel whether the tensor inherits it [size of the group].
        """
        move = self.moves.get(name)
        put = "" if move is None else move.put[axis]
        key = put, self.target.patterns[group, name, axis]
        if key not in self._filled:
            positions = self.target.groups[group].members[name, axis]
            size = self.target.tensors[name].shape[axis]
            self._filled[key] = _mask(put, size)[positions].all(axis=1)
        return self._filled[key]

    def reads_nothing_inherited(self, use: int) -> bool:
        """Tell whether an inherited layer reads channels, and none of them is inherited.

        Args:
            use: Number of a convolution or linear layer among the target's uses.

        Returns:
            Whether every channel that its weight inherits comes from layers that are not inherited.
        """
        name = self.target.uses[use].main
        axis = _input_axis(self.target.tensors[name].axis_roles)
        groups = self.target.groups_along.get((name, axis), ())
        return bool(groups) and not any(
            (self.filled(name, axis, group) & self.computed(use, group)).any() for group in groups
        )


@lru_cache(maxsize=1024)  # most axes of a network repeat a few
def _mask(text: str, size: int) -> np.ndarray:
    """Return which positions of an axis a plan fills."""
    mask = np.zeros(size, bool)
    mask[list(expand(text))] = True
    return mask


def _input_axis(roles: tuple[str, ...]) -> int:
    """Return the axis of a weight along which it reads channels, -1 where that is not known."""
    depthwise = "groups" in roles  # its second axis counts within one group of channels
    for role in ("groups", "heads") if depthwise else ("in", "heads"):
        if role in roles:
            return roles.index(role)
    return -1


def unsupported_moves(target: Catalog, moves: Iterable[Move]) -> list[Move]:
    """Return what layers inherit that read channels of which none is inherited.

    Args:
        target: Catalogue of the downstream network.
        moves: What is inherited.

    Returns:
        The moves of their weights, in the order in which the network uses them.
    """
    by_name = {move.target: move for move in moves}
    supply = Supply(target, by_name)
    verdicts: dict[str, bool] = {}
    for number, use in enumerate(target.uses):
        if use.kind in LAYERS and use.kind != "embedding" and use.main in by_name:
            unsupported = supply.reads_nothing_inherited(number)
            verdicts[use.main] = verdicts.get(use.main, True) and unsupported
    return [by_name[name] for name, unsupported in verdicts.items() if unsupported]


def unsupported_warning(unsupported: Sequence[Move]) -> list[str]:
    """Warn of inherited layers that read channels of which none is inherited.

    Args:
        unsupported: What these layers inherit.

    Returns:
        One sentence, or none.
    """
    if not unsupported:
        return []
    names = ", ".join(repr(move.target) for move in unsupported[:NAMED])
    more = f" and {len(unsupported) - NAMED} more" if len(unsupported) > NAMED else ""
    if len(unsupported) == 1:
        return [f"1 inherited layer reads channels none of which is inherited: {names}"]
    return [
        f"{len(unsupported)} inherited layers read channels none of which is inherited: "
        f"{names}{more}"
    ]
