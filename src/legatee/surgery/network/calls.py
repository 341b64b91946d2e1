"""One operation as the rules see it: what it reads, what it gives, and the channels beside both.

Beside each tensor travel *fields*: arrays of channel identities, of the tensor's own rank and of
size 1 along every axis on which the identity does not vary. A rule takes the fields of what an
operation reads and returns those of what it gives.
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
    """One operation as a rule sees it."""

    equal: Equalities
    known: MutableMapping[Tensor, Fields]
    func: Any
    args: tuple
    keywords: Mapping[str, Any]
    inputs: list[Tensor]
    outs: list[Tensor]

    def fields(self, tensor: Any) -> Fields:
        """Return the fields that travel beside a tensor."""
        return self.known.get(tensor, []) if _is(tensor) else []

    def at(self, tensor: Any, axis: int) -> Tensor | None:
        """Return the identities along one axis of a tensor, as a vector, if there are any."""
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
        """Make two arrays of identities equal, where both exist."""
        if a is not None and b is not None:
            self.equal.equate(a, b)

    def lose(self, f: Tensor, why: str) -> None:
        """Note that identities are not followed any further, which must not part channels."""
        self.equal.lost.append((f.reshape(-1).numpy(), why))

    def merge(self, operands: Sequence[Fields], rank: int) -> Fields:
        """Lay the fields of several operands over one another: what meets is made equal."""
        # two fields of one operand are different things that vary along one axis, such as windows
        # and heads laid in a row: only fields of different operands meet
        merged: Fields = []
        for fields in operands:
            free = list(range(len(merged)))
            for f in fields:
                now = f.reshape((1,) * (rank - f.ndim) + tuple(f.shape))
                meets = [i for i in free if support(now) & support(merged[i])]
                if not meets:
                    merged.append(now)
                    continue
                best = (
                    meets[0]
                    if len(meets) == 1
                    else min(meets, key=lambda i: _kinds(now, merged[i]))
                )
                free.remove(best)
                self.equate(now, merged[best])
                merged[best] = torch.broadcast_tensors(now, merged[best])[1]
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
