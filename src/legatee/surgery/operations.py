"""What each operation says about the channels it touches: which of them are one.

Beside each tensor travel *fields*: arrays of channel identities, of the tensor's own rank and of
size 1 along every axis on which the identity does not vary. A rule takes the fields of what an
operation reads and returns those of what it gives.
"""

from collections.abc import Callable, MutableMapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import torch
from torch import Tensor

from legatee.errors import UntraceableNetwork
from legatee.surgery.equalities import Equalities

Fields = list[Tensor]
aten = torch.ops.aten


@dataclass(frozen=True)
class Call:
    """One operation as a rule sees it."""

    equal: Equalities
    known: MutableMapping[Tensor, Fields]
    func: Any
    args: tuple
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
        for position, argument in enumerate(self.func._schema.arguments):
            if argument.name == name:
                return self.args[position] if position < len(self.args) else argument.default_value
        return None

    def equate(self, a: Tensor | None, b: Tensor | None) -> None:
        """Make two arrays of identities equal, where both exist."""
        if a is not None and b is not None:
            self.equal.equate(a, b)

    def merge(self, groups: Sequence[Fields], rank: int) -> Fields:
        """Lay fields over one another: those that share an axis are made equal."""
        merged: Fields = []
        for f in (f for group in groups for f in group):
            now = f.reshape((1,) * (rank - f.ndim) + tuple(f.shape))
            for i, other in enumerate(merged):
                if _support(now) & _support(other):
                    self.equate(now, other)
                    merged[i] = torch.broadcast_tensors(now, other)[1]
                    break
            else:
                merged.append(now)
        return merged


def _is(value: Any) -> bool:
    return isinstance(value, Tensor)


def along(ids: Tensor, axis: int, rank: int) -> Tensor:
    """Lay a vector along one axis of a tensor of that rank."""
    return ids.reshape([-1 if i == axis else 1 for i in range(rank)])


def _support(f: Tensor) -> set[int]:
    """Return the axes along which identities vary."""
    return {axis for axis, size in enumerate(f.shape) if size > 1}


def squeezed(f: Tensor) -> Tensor:
    """Shrink to size 1 every axis along which identities do not vary."""
    for axis in _support(f):
        first = f.narrow(axis, 0, 1)
        if bool((f == first).all()):
            f = first
    return f


def pointwise(call: Call) -> list[Fields]:
    """Elementwise operations equate what they combine."""
    return [call.merge([call.fields(x) for x in call.inputs], out.ndim) for out in call.outs]


def _same(call: Call) -> list[Fields]:
    """Operations that keep every axis where it is (softmax, pooling): resized axes lose fields."""
    x = call.inputs[0]
    kept = []
    for f in call.fields(x):
        sizes = call.outs[0].shape
        if all(sizes[axis] == f.shape[axis] for axis in _support(f)):
            kept.append(f)
    return [kept] * len(call.outs)


def _convolution(call: Call) -> list[Fields]:
    """A convolution reads its weight's input axis and shows its output axis."""
    x, weight, bias, transposed, groups = *call.args[:3], call.args[6], call.args[8]
    axis_in, axis_out = (0, 1) if transposed else (1, 0)
    read, shown = call.at(x, 1), call.at(weight, axis_out)
    if groups == 1:
        call.equate(read, call.at(weight, axis_in))
    else:  # a group of the convolution becomes one block, on both its sides
        if transposed or shown is None:
            raise UntraceableNetwork("grouped transposed convolutions are not understood")
        blocks = shown.reshape(groups, -1)
        call.equate(blocks, blocks[:, :1])
        if read is not None:
            call.equate(read.reshape(groups, -1), blocks[:, :1])
    call.equate(shown, call.at(bias, 0))
    return [[] if shown is None else [along(shown, 1, call.outs[0].ndim)]]


def _batch_norm(call: Call) -> list[Fields]:
    """Weight, bias, mean and variance belong to the channels they scale."""
    x = call.args[0]
    channels = call.at(x, 1)
    for statistic in call.args[1:5]:
        call.equate(channels, call.at(statistic, 0))
    return [call.fields(x)]


def _group_norm(call: Call) -> list[Fields]:
    """Weight and bias belong to the channels they scale."""
    x, weight, bias = call.args[:3]
    for parameter in (weight, bias):
        call.equate(call.at(x, 1), call.at(parameter, 0))
    return [call.fields(x)]


def _layer_norm(call: Call) -> list[Fields]:
    """Weight and bias lie over the trailing axes that are normalised."""
    x, _, weight, bias = call.args[:4]
    return [call.merge([call.fields(x), call.fields(weight), call.fields(bias)], x.ndim)]


def _matmul(call: Call) -> list[Fields]:
    """A matrix product equates the two axes it sums over, and lines up the batch axis."""
    *bias, a, b = call.args[:3]
    rank = a.ndim
    for side, axis in ((a, rank - 1), (b, rank - 2)):
        for f in call.fields(side):
            if axis in _support(f) and len(_support(f)) > 1:  # a batched block: one identity
                call.equate(f, f.narrow(axis, 0, 1))
    in_a = [f for f in call.fields(a) if rank - 1 in _support(f)]
    in_b = [f for f in call.fields(b) if rank - 2 in _support(f)]
    for f in in_a:
        for g in in_b:
            call.equate(f, g.transpose(-1, -2))
    kept_a = [f.narrow(rank - 1, 0, 1) for f in call.fields(a)]
    kept_b = [f.narrow(rank - 2, 0, 1) for f in call.fields(b)]
    kept = [f for f in kept_a + kept_b if _support(f)]
    return [call.merge([kept, *(call.fields(x) for x in bias)], rank)]


def _reduce(call: Call) -> list[Fields]:
    """Means and sums keep the fields of the axes that they do not reduce."""
    x, out = call.args[0], call.outs[0]
    dims = call.option("dim")
    gone = {d % x.ndim for d in ([dims] if isinstance(dims, int) else dims or range(x.ndim))}
    kept = [f for f in call.fields(x) if not _support(f) & gone]
    if out.ndim < x.ndim:
        stay = [axis for axis in range(x.ndim) if axis not in gone]
        kept = [f.reshape([f.shape[axis] for axis in stay]) for f in kept]
    return [kept] * len(call.outs)


def _reshape(call: Call) -> list[Fields]:
    """A view lays the identities out anew."""
    old, new = tuple(call.args[0].shape), tuple(call.outs[0].shape)
    return [[_regrouped(f, old, new) for f in call.fields(call.args[0])]]


def _regrouped(f: Tensor, old: tuple[int, ...], new: tuple[int, ...]) -> Tensor:
    """View a field as its tensor is viewed, spelling out only the axes on which it varies."""
    # shapes are walked side by side in the smallest runs of axes of equal size
    spelled: list[int] = []
    result: list[int] = []
    i = j = 0
    while i < len(old) or j < len(new):
        start_i, start_j = i, j
        i, j = min(i + 1, len(old)), min(j + 1, len(new))
        while (was := prod(old[start_i:i])) != (now := prod(new[start_j:j])):
            i, j = i + (was < now), j + (was > now)
        varies = any(size > 1 for size in f.shape[start_i:i])
        spelled += old[start_i:i] if varies else [1] * (i - start_i)
        result += new[start_j:j] if varies else [1] * (j - start_j)
    return f.expand(spelled).reshape(result)


def _expand(call: Call) -> list[Fields]:
    """Expansion repeats identities, so fields only gain leading axes."""
    return [call.merge([call.fields(call.args[0])], call.outs[0].ndim)]


def _permute(call: Call) -> list[Fields]:
    """Axes change places; identities go with them."""
    return [[call.func(f, *call.args[1:]) for f in call.fields(call.args[0])]]


def _cut(call: Call) -> list[Fields]:
    """Slices, splits and picks take the identities that lie where they cut."""
    x = call.args[0]
    axis = call.option("dim") % x.ndim
    pieces: list[Fields] = [[] for _ in call.outs]
    for f in call.fields(x):
        long = f.expand([x.shape[i] if i == axis else size for i, size in enumerate(f.shape)])
        cut = call.func(long, *call.args[1:])
        for piece, part in zip(
            pieces, cut if isinstance(cut, (tuple, list)) else [cut], strict=True
        ):
            piece.append(part)
    return pieces


def _concatenate(call: Call) -> list[Fields]:
    """Along the axis of concatenation identities lie side by side; across it they are equal."""
    parts, out = call.args[0], call.outs[0]
    axis = call.option("dim") % out.ndim
    across = [[f for f in call.fields(x) if axis not in _support(f)] for x in parts]
    laid = [[f for f in call.fields(x) if axis in _support(f)] for x in parts]
    if not any(laid):
        return [call.merge(across, out.ndim)]
    pieces = []
    for x, found in zip(parts, laid, strict=True):
        if found:
            pieces.append(found[0])
        else:  # nothing is known of these channels but that they are there
            pieces.append(along(call.equal.fresh(x.shape[axis]), axis, out.ndim))
    common = torch.broadcast_shapes(*(p.select(axis, 0).shape for p in pieces))
    spread = [p.movedim(axis, 0).expand(p.shape[axis], *common).movedim(0, axis) for p in pieces]
    return [[torch.cat(spread, axis), *call.merge(across, out.ndim)]]


Rule = Callable[[Call], list[Fields]]
RULES: dict[Any, Rule] = {
    packet: rule
    for rule, packets in {
        _convolution: (aten.convolution,),
        _batch_norm: (aten.native_batch_norm,),
        _group_norm: (aten.native_group_norm,),
        pointwise: (aten._prelu_kernel,),
        _layer_norm: (aten.native_layer_norm,),
        _matmul: (aten.addmm, aten.mm, aten.bmm, aten.baddbmm),
        _reduce: (aten.mean, aten.sum, aten.amax),
        _same: (
            aten.max_pool2d_with_indices,
            aten.avg_pool2d,
            aten._adaptive_avg_pool2d,
            aten._softmax,
            aten._safe_softmax,
            aten._log_softmax,
            aten.clone,
            aten._to_copy,
            aten.hardswish,
            aten.hardswish_,
            aten.detach,
        ),
        _reshape: (aten.view, aten._unsafe_view, aten.unsqueeze, aten.squeeze),
        _expand: (aten.expand,),
        _permute: (aten.permute, aten.transpose, aten.t),
        _cut: (aten.select, aten.slice, aten.split, aten.split_with_sizes, aten.unbind),
        _concatenate: (aten.cat,),
    }.items()
    for packet in packets
}
