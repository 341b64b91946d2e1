"""What each operation that only moves elements says about channels: where they lie afterwards."""

from math import prod
from typing import Any

import torch
from torch import Tensor

from legatee.errors import TraceError
from legatee.surgery.network.calls import Call, Fields, Rule, along, aten, support


def _same(call: Call) -> list[Fields]:
    """Operations that keep every axis where it is (softmax, pooling): resized axes lose fields."""
    x = call.inputs[0]
    kept = []
    for f in call.fields(x):
        sizes = call.outs[0].shape
        if all(sizes[axis] == f.shape[axis] for axis in support(f)):
            kept.append(f)
        else:
            call.lose(f, "pooling or resizing across them")
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
    across = [[f for f in call.fields(x) if axis not in support(f)] for x in parts]
    laid = [[f for f in call.fields(x) if axis in support(f)] for x in parts]
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


def _stack(call: Call) -> list[Fields]:
    """Along the new axis lie the identities of one tensor after another's."""
    parts, out = call.args[0], call.outs[0]
    axis = call.option("dim") % out.ndim
    found = [sorted(call.fields(x), key=lambda f: sorted(support(f))) for x in parts]
    lying = {tuple(frozenset(support(f)) for f in fields) for fields in found}
    if not all(found) or (len(lying) > 1 and any(len(fields) > 1 for fields in found)):
        raise TraceError("stacking tensors of which some have no channels, or others")
    return [
        [
            torch.cat(torch.broadcast_tensors(*(f.unsqueeze(axis) for f in laid)), axis)
            for laid in zip(*found, strict=True)
        ]
    ]


def _pad(call: Call) -> list[Fields]:
    """Padding keeps channels where they are; channels that are added are nobody's."""
    x, padding = call.args[:2]
    found = []
    for f in call.fields(x):
        for axis in support(f):
            after = 2 * (x.ndim - 1 - axis)
            if any(padding[after : after + 2]):
                if len(support(f)) > 1 or min(padding[after : after + 2]) < 0:
                    raise TraceError("padding of channels that are mixed, or cutting them")
                before, behind = (call.equal.fresh(n) for n in padding[after : after + 2])
                f = along(torch.cat([before, f.reshape(-1), behind]), axis, x.ndim)
        found.append(f)
    return [found]


def _roll(call: Call) -> list[Fields]:
    """Rolling moves what varies along the rolled axes, and nothing else."""
    shifts, dims = call.args[1], call.option("dims")
    if any(support(f) & {d % f.ndim for d in dims} for f in call.fields(call.args[0])):
        return [[torch.roll(f, shifts, dims) for f in call.fields(call.args[0])]]
    return [call.fields(call.args[0])]


def _looked_up(call: Call) -> list[Fields]:
    """Looking up along one axis keeps what varies along the others, and follows a plain index."""
    x, indices = call.args[:2]
    given = [axis for axis, index in enumerate(indices) if index is not None]
    if len(given) != 1:
        raise TraceError("an index along several axes at once is not understood")
    (axis,) = given
    index = indices[axis]
    found = []
    for f in call.fields(x):
        if axis not in support(f):
            found.append(f.reshape(*f.shape[:axis], *(1,) * index.ndim, *f.shape[axis + 1 :]))
        elif index.ndim == 1 and not index.is_meta:
            found.append(f[(slice(None),) * axis + (index,)])
        else:
            call.lose(f, "an index whose numbers are unknown where only shapes flow")
    return [found]


def _repeat(call: Call) -> list[Fields]:
    """Repetition lays the identities out once more; new axes come first."""
    out, times = call.outs[0], call.args[1]
    found = []
    for f in call.fields(call.args[0]):
        f = f.reshape((1,) * (out.ndim - f.ndim) + tuple(f.shape))
        found.append(f.repeat([n if axis in support(f) else 1 for axis, n in enumerate(times)]))
    return [found]


def made(call: Call) -> list[Fields]:
    """Give what is made anew no channels of its own.

    Args:
        call: The operation.

    Returns:
        No field for any of what it makes.
    """
    return [[] for _ in call.outs]


def _restrided(call: Call) -> list[Fields]:
    """Another order in memory is the same tensor; anything else is not followed."""
    if call.args[0].shape != call.outs[0].shape:
        raise TraceError("a view by strides is not understood")
    return [call.fields(call.args[0])]


MOVING: dict[Any, Rule] = {
    packet: rule
    for rule, packets in {
        _same: (
            aten.max_pool2d_with_indices,
            aten.avg_pool2d,
            aten._adaptive_avg_pool2d,
            aten.upsample_bilinear2d,
            aten.upsample_bicubic2d,
            aten.upsample_nearest2d,
            aten._softmax,
            aten._safe_softmax,
            aten._log_softmax,
            aten.clone,
            aten._to_copy,
            aten.hardswish,
            aten.hardswish_,
            aten.detach,
            aten.alias,
            aten.zero_,
        ),
        _reshape: (aten.view, aten._unsafe_view, aten.unsqueeze, aten.squeeze),
        _expand: (aten.expand,),
        _permute: (aten.permute, aten.transpose, aten.t),
        _cut: (aten.select, aten.slice, aten.split, aten.split_with_sizes, aten.unbind),
        _concatenate: (aten.cat,),
        _stack: (aten.stack,),
        _pad: (aten.constant_pad_nd,),
        _roll: (aten.roll,),
        _looked_up: (aten.index,),
        _repeat: (aten.repeat,),
        _restrided: (aten.as_strided_,),
        made: (
            aten.new_zeros,
            aten.new_ones,
            aten.new_full,
            aten.new_empty,
            aten.zeros_like,
            aten.ones_like,
            aten.full_like,
            aten.empty_like,
        ),
    }.items()
    for packet in packets
}
