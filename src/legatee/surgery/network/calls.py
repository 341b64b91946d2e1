"""One operation of a trace: its inputs and outputs, and the channels of both.

Each tensor has *fields*: arrays of channel identities, of the same rank as the tensor and of size 1
along every axis on which the identity does not vary. A rule takes the fields of an operation's
inputs and returns those of its outputs.
"""

from collections.abc import Callable, Container, Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from legatee.surgery.network.equalities import Equalities

Fields = list[Tensor]


class NotFollowedError(Exception):
    """Raised by a rule for a case that it does not know; what the operation may mix is held."""


Rule = Callable[["Call"], list[Fields]]
aten = torch.ops.aten


@dataclass(frozen=True)
class Call:
    """One operation of a trace.

    Attributes:
        equal: The equalities of the trace, to which rules add.
        known: The fields of each tensor.
        uniform: Tensors whose elements are all equal, such as zeros.
        input_dependent: Tensors that depend on the network's input.
        value: Returns the values of a tensor where they are known, else ``None``.
        is_place: Tells whether the identities of a field are those of positions: of the axis of a
            parameter that no layer has read as channels.
        func: The operation.
        args: Its positional arguments.
        keywords: Its keyword arguments.
        inputs: All tensors among its arguments.
        outs: What it returns.
    """

    equal: Equalities
    known: MutableMapping[Tensor, Fields]
    uniform: Container[Tensor]
    input_dependent: Container[Tensor]
    value: Callable[[Tensor], Tensor | None]
    is_place: Callable[[Tensor], bool]
    func: Any
    args: tuple
    keywords: Mapping[str, Any]
    inputs: list[Tensor]
    outs: list[Tensor]

    def fields(self, tensor: Any) -> Fields:
        """Return the fields of a tensor."""
        return self.known.get(tensor, []) if _is(tensor) else []

    def at(self, tensor: Any, axis: int) -> Tensor | None:
        """Return the identities along one axis of a tensor, as a vector, if it has any."""
        for f in self.fields(tensor):
            if f.shape[axis] > 1:
                others = tuple(0 if i != axis else slice(None) for i in range(f.ndim))
                return f[others]
        return None

    def option(self, name: str) -> Any:
        """Return an argument of the operation by its name, or its default."""
        if name in self.keywords:
            return self.keywords[name]
        for position, argument in enumerate(self.func._schema.arguments):
            if argument.name == name:
                return self.args[position] if position < len(self.args) else argument.default_value
        return None

    def equate(self, a: Tensor | None, b: Tensor | None) -> None:
        """Note that two arrays of identities are equal, where both exist."""
        if a is not None and b is not None:
            self.equal.equate(a, b)

    def share(self, many: Tensor | None, one: Tensor | None) -> None:
        """Note that two fields meet, of which one may vary along further axes.

        Args:
            many: A field, or ``None``.
            one: A field of the same rank that varies along fewer axes, or the same, or ``None``.
        """
        if many is None or one is None:
            return
        shared, further = support(one), support(many) - support(one)
        if not further or not shared <= support(many):
            self.equal.equate(many, one)
            return
        order = sorted(further) + [axis for axis in range(many.ndim) if axis not in further]
        size = one.numel()
        rows = many.permute(order).reshape(-1, size).numpy()
        self.equal.shared.append((rows, one.reshape(-1).numpy()))

    def hold(self, fields: Sequence[Tensor], why: str, *, hint: bool = False) -> None:
        """Note that an operation may mix channels, so that they are inherited only all together.

        Args:
            fields: The fields of the channels.
            why: The operation, as it is told to the user.
            hint: Whether to tell how a rule for it is added.
        """
        if fields:
            ids = np.concatenate([f.reshape(-1).numpy() for f in fields])
            self.equal.held.append((ids, why, hint))

    def anonymous(self, tensor: Tensor, axis: int) -> Tensor | None:
        """Return identities for an axis that has none: what lies along it keeps its place.

        Args:
            tensor: A tensor without a field that varies along the axis, such as a constant.
            axis: The axis.

        Returns:
            A new field, or ``None`` where all elements along the axis are equal.
        """
        if tensor.shape[axis] < 2 or tensor.stride(axis) == 0 or tensor in self.uniform:
            return None
        value = self.value(tensor) if tensor.is_meta else tensor
        if value is not None and bool((value == value.narrow(axis, 0, 1)).all()):
            return None
        return along(self.equal.fresh(tensor.shape[axis], fixed=True), axis, tensor.ndim)

    def completed(
        self, tensors: Sequence[Tensor], rank: int, beside: Fields | None = None
    ) -> list[Fields]:
        """Return the fields of operands, with new ones for axes that only other operands name.

        Args:
            tensors: The operands.
            rank: Rank of the result.
            beside: Fields of the result that other operands have made already.

        Returns:
            The fields of each operand.
        """
        fields = [list(self.fields(x)) for x in tensors]
        if not any(fields) and not beside:
            return fields
        placed = [
            [{axis + rank - x.ndim for axis in support(f)} for f in own]
            for x, own in zip(tensors, fields, strict=True)
        ]
        named = set().union(*(axes for own in placed for axes in own))
        named |= set().union(*(support(f) for f in beside or ()))
        for x, own, axes in zip(tensors, fields, placed, strict=True):
            for axis in sorted(named - set().union(*axes)):
                position = axis - (rank - x.ndim)
                if position >= 0 and (new := self.anonymous(x, position)) is not None:
                    own.append(new)
        return fields

    def merge(self, operands: Sequence[Fields], rank: int) -> Fields:
        """Align the fields of several operands: identities at the same place are equal."""
        # two fields of one operand vary along one axis for different reasons, such as windows and
        # heads side by side, so only fields of different operands are compared
        merged: Fields = []
        for fields in operands:
            free = list(range(len(merged)))
            for f in fields:
                aligned = f.reshape((1,) * (rank - f.ndim) + tuple(f.shape))
                overlapping = [i for i in free if support(aligned) & support(merged[i])]
                if not overlapping:
                    merged.append(aligned)
                    continue
                best = (
                    overlapping[0]
                    if len(overlapping) == 1
                    else min(overlapping, key=lambda i: _kinds(aligned, merged[i]))
                )
                free.remove(best)
                wide, narrow = merged[best], aligned
                if len(support(narrow)) > len(support(wide)):
                    wide, narrow = narrow, wide
                self.share(wide, narrow)
                merged[best] = torch.broadcast_tensors(wide, narrow)[0]
        return merged


def _is(value: Any) -> bool:
    return isinstance(value, Tensor)


def along(ids: Tensor, axis: int, rank: int) -> Tensor:
    """Lay a vector along one axis of a tensor of that rank."""
    return ids.reshape([-1 if i == axis else 1 for i in range(rank)])


def support(f: Tensor) -> set[int]:
    """Return the axes along which identities vary."""
    return {axis for axis, size in enumerate(f.shape) if size > 1}


def squeezed(f: Tensor) -> Tensor:
    """Shrink to size 1 every axis along which identities do not vary."""
    for axis in support(f):
        first = f.narrow(axis, 0, 1)
        if bool((f == first).all()):
            f = first
    return f


def _kinds(a: Tensor, b: Tensor) -> int:
    """Count the pairs of identities that meet: few where one follows the other's pattern."""
    a, b = torch.broadcast_tensors(a, b)
    return len(np.unique((a * (int(b.max()) + 1) + b).numpy()))
