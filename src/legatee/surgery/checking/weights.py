"""Weights and computed weights among the arguments of an operation: which elements they hold."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils.weak import WeakIdKeyDictionary

MIXED = -1


@dataclass(frozen=True, kw_only=True)
class Along:
    """The positions of a weight that one axis of a view of it runs through.

    Attributes:
        axis: The axis of the weight; :data:`MIXED` where it is no part of a single one.
        start: The first position [count from 0].
        step: From each position to the next [count].
        size: Positions [count].
    """

    axis: int
    start: int = 0
    step: int = 1
    size: int = 0


@dataclass(frozen=True, kw_only=True)
class View:
    """A weight, or a part of it, as an operation reads it.

    Attributes:
        name: Name of the weight in the network's state.
        axes: For each axis what it runs through; ``None`` where nothing varies along it.
    """

    name: str
    axes: tuple[Along | None, ...]


class Weights:
    """Recognises the weights of a network, views of them, and what is computed from them alone.

    Args:
        tensors: The network's state by name; each tensor is contiguous and owns its memory.
    """

    def __init__(self, tensors: Mapping[str, Tensor]) -> None:
        self._places = {
            value.untyped_storage().data_ptr(): (name, value)
            for name, value in tensors.items()
            if value.numel()
        }
        self._computed: Any = WeakIdKeyDictionary()

    def view(self, tensor: Tensor) -> View | None:
        """Return which elements of which weight a tensor holds, if it is one.

        Args:
            tensor: Any tensor of a running network.

        Returns:
            The weight and its axes.
        """
        if tensor in self._computed:
            computed: View = self._computed[tensor]
            return computed
        name, whole = self._places.get(tensor.untyped_storage().data_ptr(), ("", None))
        return None if whole is None else View(name=name, axes=_axes(tensor, whole))

    def follow(self, inputs: list[Tensor], outs: list[Tensor]) -> None:
        """Note what an operation computes from weights alone, such as a standardised kernel.

        Args:
            inputs: What the operation reads.
            outs: What it computes.
        """
        for out in outs:
            for tensor in inputs:
                view = self.view(tensor)
                if view is not None and tensor.shape == out.shape and self.view(out) is None:
                    self._computed[out] = view


def _axes(tensor: Tensor, whole: Tensor) -> tuple[Along | None, ...]:
    """Find the axis of a weight along which each axis of its view runs, from their strides."""
    rest, starts = int(tensor.storage_offset() - whole.storage_offset()), []
    for stride in whole.stride():
        starts.append(int(rest // stride))
        rest %= stride
    found: list[Along | None] = []
    for size, stride in zip(tensor.shape, tensor.stride(), strict=True):
        fitting = [
            Along(axis=axis, start=starts[axis], step=stride // own, size=size)
            for axis, own in enumerate(whole.stride())
            if stride % own == 0 and starts[axis] + (size - 1) * (stride // own) < whole.shape[axis]
        ]
        best = min(fitting, key=lambda along: along.step, default=Along(axis=MIXED))
        found.append(best if size > 1 and stride else None)
    axes = [along.axis for along in found if along is not None]
    return tuple(
        Along(axis=MIXED) if along is not None and axes.count(along.axis) > 1 else along
        for along in found
    )


def tensors_in(tree: Any) -> list[Tensor]:
    """Return the tensors in nested lists, tuples and dictionaries.

    Args:
        tree: Arguments or results of an operation.

    Returns:
        The tensors, in order.
    """
    leaves = torch.utils._pytree.tree_leaves(tree)
    return [leaf for leaf in leaves if isinstance(leaf, Tensor)]
