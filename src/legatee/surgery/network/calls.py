"""One operation of a trace: its inputs and outputs, and the channels of both.

Each tensor has *fields*: arrays of channel identities, of the same rank as the tensor and of size 1
along every axis on which the identity does not vary. A rule takes the fields of an operation's
inputs and returns those of its outputs.
"""

from collections.abc import Callable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from legatee.surgery.network.equalities import Equalities

Fields = list[Tensor]
Rule = Callable[["Call"], list[Fields]]
aten = torch.ops.aten


@dataclass(frozen=True)
class Call:
    """One operation of a trace.

    Attributes:
        equal: The equalities of the trace, to which rules add.
        known: The fields of each tensor.
        func: The operation.
        args: Its positional arguments.
        keywords: Its keyword arguments.
        inputs: All tensors among its arguments.
        outs: What it returns.
    """

    equal: Equalities
    known: MutableMapping[Tensor, Fields]
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

    def lose(self, f: Tensor, why: str) -> None:
        """Note that identities are not traced any further, so that they must not be split."""
        self.equal.lost.append((f.reshape(-1).numpy(), why))

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
                self.equate(aligned, merged[best])
                merged[best] = torch.broadcast_tensors(aligned, merged[best])[1]
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
    return len(torch.unique(torch.stack([a.reshape(-1), b.reshape(-1)]), dim=1).T)
