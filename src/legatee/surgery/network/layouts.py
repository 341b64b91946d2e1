"""For each operation that only moves elements: where the channels are afterwards."""

from math import prod
from typing import Any

import torch
from torch import Tensor

from legatee.errors import TraceError
from legatee.surgery.network.calls import Call, Fields, Rule, along, aten, support


def _same(call: Call) -> list[Fields]:
    """Keep all fields (softmax, pooling), but those of an axis that is resized."""
    x = call.inputs[0]
    kept = []
    for f in call.fields(x):
        sizes = call.outs[0].shape
        if all(sizes[axis] == f.shape[axis] for axis in support(f)):
            kept.append(f)
        else:
            call.lose(f, "pooling or resizing along the channel axis")
    return [kept] * len(call.outs)


def _reshape(call: Call) -> list[Fields]:
    """View the fields as the tensor is viewed."""
    old, new = tuple(call.args[0].shape), tuple(call.outs[0].shape)
    return [[_regrouped(f, old, new) for f in call.fields(call.args[0])]]


def _regrouped(f: Tensor, old: tuple[int, ...], new: tuple[int, ...]) -> Tensor:
    """View a field as its tensor is viewed, expanding only the axes on which it varies."""
    # both shapes are cut into the smallest runs of axes that have equally many elements
    expanded: list[int] = []
    result: list[int] = []
    i = j = 0
    while i < len(old) or j < len(new):
        start_i, start_j = i, j
        i, j = min(i + 1, len(old)), min(j + 1, len(new))
        while (was := prod(old[start_i:i])) != (now := prod(new[start_j:j])):
            i, j = i + (was < now), j + (was > now)
        varies = any(size > 1 for size in f.shape[start_i:i])
        expanded += old[start_i:i] if varies else [1] * (i - start_i)
        result += new[start_j:j] if varies else [1] * (j - start_j)
    return f.expand(expanded).reshape(result)


def _expand(call: Call) -> list[Fields]:
    """Add leading axes to the fields; expansion repeats identities."""
    return [call.merge([call.fields(call.args[0])], call.outs[0].ndim)]


def _permute(call: Call) -> list[Fields]:
    """Permute the fields as the tensor is permuted."""
    return [[call.func(f, *call.args[1:]) for f in call.fields(call.args[0])]]


def _cut(call: Call) -> list[Fields]:
    """Slice, split or select the fields as the tensor is."""
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
    """Concatenate identities along the axis, and couple them across it."""
    parts, out = call.args[0], call.outs[0]
    axis = call.option("dim") % out.ndim
    across = [[f for f in call.fields(x) if axis not in support(f)] for x in parts]
    lengthwise = [[f for f in call.fields(x) if axis in support(f)] for x in parts]
    if not any(lengthwise):
        return [call.merge(across, out.ndim)]
    pieces = []
    for x, fields in zip(parts, lengthwise, strict=True):
        if fields:
            pieces.append(fields[0])
        else:  # these channels have no identities yet
            pieces.append(along(call.equal.fresh(x.shape[axis]), axis, out.ndim))
    common = torch.broadcast_shapes(*(p.select(axis, 0).shape for p in pieces))
    spread = [p.movedim(axis, 0).expand(p.shape[axis], *common).movedim(0, axis) for p in pieces]
    return [[torch.cat(spread, axis), *call.merge(across, out.ndim)]]


def _stack(call: Call) -> list[Fields]:
    """Stack the identities of all tensors along the new axis."""
    parts, out = call.args[0], call.outs[0]
    axis = call.option("dim") % out.ndim
    fields_of = [sorted(call.fields(x), key=lambda f: sorted(support(f))) for x in parts]
    axes = {tuple(frozenset(support(f)) for f in fields) for fields in fields_of}
    if not all(fields_of) or (len(axes) > 1 and any(len(fields) > 1 for fields in fields_of)):
        raise TraceError(
            "torch.stack of tensors whose channels lie along different axes is not supported"
        )
    return [
        [
            torch.cat(torch.broadcast_tensors(*(f.unsqueeze(axis) for f in fields)), axis)
            for fields in zip(*fields_of, strict=True)
        ]
    ]


def _pad(call: Call) -> list[Fields]:
    """Keep the fields; channels that padding adds get new identities."""
    x, padding = call.option("self"), call.option("pad")
    padded = []
    for f in call.fields(x):
        for axis in support(f):
            last = 2 * (x.ndim - 1 - axis)  # padding starts with the last axis
            if any(padding[last : last + 2]):
                if len(support(f)) > 1 or min(padding[last : last + 2]) < 0:
                    raise TraceError(
                        "F.pad that crops channels, or pads mixed ones, is not supported"
                    )
                before, after = (call.equal.fresh(n) for n in padding[last : last + 2])
                f = along(torch.cat([before, f.reshape(-1), after]), axis, x.ndim)
        padded.append(f)
    return [padded]


def _roll(call: Call) -> list[Fields]:
    """Roll the fields that vary along the rolled axes."""
    shifts, dims = call.option("shifts"), call.option("dims")
    if any(support(f) & {d % f.ndim for d in dims} for f in call.fields(call.args[0])):
        return [[torch.roll(f, shifts, dims) for f in call.fields(call.args[0])]]
    return [call.fields(call.args[0])]


def _looked_up(call: Call) -> list[Fields]:
    """Index the fields along one axis where the index is a constant; keep those of other axes."""
    x, indices = call.option("self"), call.option("indices")
    indexed = [axis for axis, index in enumerate(indices) if index is not None]
    if len(indexed) != 1:
        raise TraceError("indexing along several axes at once is not supported")
    (axis,) = indexed
    index = indices[axis]
    fields = []
    for f in call.fields(x):
        if axis not in support(f):
            fields.append(f.reshape(*f.shape[:axis], *(1,) * index.ndim, *f.shape[axis + 1 :]))
        elif index.ndim == 1 and not index.is_meta:
            fields.append(f[(slice(None),) * axis + (index,)])
        else:
            call.lose(f, "an index whose values are not known while tracing")
    return [fields]


def _repeat(call: Call) -> list[Fields]:
    """Repeat the fields as the tensor is repeated; new axes come first."""
    out, times = call.outs[0], call.option("repeats")
    repeated = []
    for f in call.fields(call.args[0]):
        f = f.reshape((1,) * (out.ndim - f.ndim) + tuple(f.shape))
        repeated.append(f.repeat([n if axis in support(f) else 1 for axis, n in enumerate(times)]))
    return [repeated]


def made(call: Call) -> list[Fields]:
    """Give new tensors no channels of their own.

    Args:
        call: The operation.

    Returns:
        No field for any output.
    """
    return [[] for _ in call.outs]


def _restrided(call: Call) -> list[Fields]:
    """Keep the fields where only the order in memory changes."""
    if call.args[0].shape != call.outs[0].shape:
        raise TraceError("torch.as_strided to another shape is not supported")
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
