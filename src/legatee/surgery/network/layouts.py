"""For each operation that only moves elements: where the channels are afterwards."""

from math import prod
from typing import Any

import torch
from torch import Tensor

from legatee.surgery.network.calls import (
    Call,
    Fields,
    NotFollowedError,
    Rule,
    along,
    aten,
    support,
)
from legatee.surgery.network.resizing import (
    gathered,
    padded,
    padded_by_itself,
    patches,
    resized,
)


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


def _permuted_in_place(call: Call) -> list[Fields]:
    """Permute the fields of a tensor that was permuted in place, and has its new shape already."""
    permute = getattr(torch, call.func.overloadpacket.__name__.rstrip("_"))
    return [[permute(f, *call.args[1:]) for f in call.fields(call.args[0])]]


def _cut(call: Call) -> list[Fields]:
    """Slice, split or select the fields as the tensor is."""
    x = call.args[0]
    axis = call.option("dim") % x.ndim
    pieces: list[Fields] = [[] for _ in call.outs]
    for f in call.fields(x):
        if support(f) == {axis} and f.shape[axis] > 1:
            _fix_singles(call, f, axis)
        long = f.expand([x.shape[i] if i == axis else size for i, size in enumerate(f.shape)])
        cut = call.func(long, *call.args[1:])
        for piece, part in zip(
            pieces, cut if isinstance(cut, (tuple, list)) else [cut], strict=True
        ):
            piece.append(part)
    return pieces


def _fix_singles(call: Call, f: Tensor, axis: int) -> None:
    """Note channels that are cut out one by one: each has a meaning of its own."""
    x = call.args[0]
    for out, part in zip(call.outs, _parts_of(call, f, axis), strict=True):
        if part.numel() == 1 and out.numel() < x.numel():
            call.equal.fixed.append(part.reshape(-1).numpy())


def _parts_of(call: Call, f: Tensor, axis: int) -> list[Tensor]:
    cut = call.func(f, *call.args[1:])
    return list(cut) if isinstance(cut, tuple | list) else [cut]


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
            # Beside weights alone, such as the biases of queries and values, it is a weight too.
            fixed = x not in call.uniform and x.stride(axis) > 0 and out in call.input_dependent
            pieces.append(along(call.equal.fresh(x.shape[axis], fixed=fixed), axis, out.ndim))
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
        raise NotFollowedError("torch.stack of tensors whose channels lie along different axes")
    return [
        [
            torch.cat(torch.broadcast_tensors(*(f.unsqueeze(axis) for f in fields)), axis)
            for fields in zip(*fields_of, strict=True)
        ]
    ]


def _roll(call: Call) -> list[Fields]:
    """Roll the fields that vary along the rolled axes."""
    shifts, dims = call.option("shifts"), call.option("dims")
    if any(support(f) & {d % f.ndim for d in dims} for f in call.fields(call.args[0])):
        return [[torch.roll(f, shifts, dims) for f in call.fields(call.args[0])]]
    return [call.fields(call.args[0])]


def _looked_up(call: Call) -> list[Fields]:
    """Index the fields along one axis where the index is a constant; keep those of other axes."""
    x, out = call.option("self"), call.outs[0]
    indices = list(call.option("indices")) + [None] * (x.ndim - len(call.option("indices")))
    indexed = [axis for axis, index in enumerate(indices) if index is not None]
    if any(indices[axis].dtype in (torch.bool, torch.uint8) for axis in indexed):
        raise NotFollowedError("an index by a mask")
    first = indexed[0] if indexed == list(range(indexed[0], indexed[-1] + 1)) else 0
    width = max(indices[axis].ndim for axis in indexed)
    fields, held = [], []
    for f in call.fields(x):
        axis, index = indexed[0], indices[indexed[0]]
        known = call.value(index) if index.is_meta else index
        if support(f).isdisjoint(indexed):
            sizes = [f.shape[a] for a in range(x.ndim) if a not in indexed]
            fields.append(f.reshape(*sizes[:first], *(1,) * width, *sizes[first:]))
        elif len(indexed) == 1 and index.ndim == 1 and known is not None:
            fields.append(f[(slice(None),) * axis + (known,)])
        else:
            held.append(f)
    new = [
        along(call.equal.fresh(out.shape[axis]), axis, out.ndim)
        for axis in range(first, first + width)
        if out.shape[axis] > 1 and not all(call.is_place(f) for f in held)
    ]
    call.hold(held + new, "an index whose values are not known while tracing")
    return [fields + new]


def _viewed(call: Call) -> list[Fields]:
    """Apply an operation that only moves elements to the identities themselves."""
    x = call.args[0]
    results = []
    for f in call.fields(x):
        moved = call.func(f.expand(x.shape), *call.args[1:], **call.keywords)
        results.append(moved.clone())
    return [results]


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
        raise NotFollowedError("torch.as_strided to another shape")
    return [call.fields(call.args[0])]


UNIFORM = {
    aten.zeros, aten.ones, aten.full, aten.new_zeros, aten.new_ones, aten.new_full,
    aten.zeros_like, aten.ones_like, aten.full_like, aten.zero_, aten.fill_,
    aten.scalar_tensor,
}  # fmt: skip
"""Operations that make tensors whose elements are all equal."""

MOVING: dict[Any, Rule] = {
    packet: rule
    for rule, packets in {
        resized: (
            aten.max_pool2d_with_indices,
            aten.max_pool3d_with_indices,
            aten.avg_pool2d,
            aten.avg_pool3d,
            aten._adaptive_avg_pool2d,
            aten._adaptive_avg_pool3d,
            aten.adaptive_max_pool2d,
            aten.adaptive_max_pool3d,
            aten.upsample_linear1d,
            aten.upsample_bilinear2d,
            aten._upsample_bilinear2d_aa,
            aten.upsample_bicubic2d,
            aten._upsample_bicubic2d_aa,
            aten.upsample_trilinear3d,
            aten.upsample_nearest1d,
            aten.upsample_nearest2d,
            aten.upsample_nearest3d,
            aten._upsample_nearest_exact1d,
            aten._upsample_nearest_exact2d,
            aten._upsample_nearest_exact3d,
            aten.grid_sampler_2d,
            aten.grid_sampler_3d,
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
        _permuted_in_place: (aten.transpose_, aten.t_, aten.squeeze_, aten.unsqueeze_),
        _cut: (
            aten.select,
            aten.slice,
            aten.split,
            aten.split_with_sizes,
            aten.unsafe_split,
            aten.unsafe_split_with_sizes,
            aten.unbind,
        ),
        padded_by_itself: (
            aten.reflection_pad1d,
            aten.reflection_pad2d,
            aten.reflection_pad3d,
            aten.replication_pad1d,
            aten.replication_pad2d,
            aten.replication_pad3d,
        ),
        _viewed: (aten.unfold, aten.flip, aten.diagonal, aten.diagonal_copy),
        patches: (aten.im2col, aten.pixel_unshuffle),
        gathered: (aten.col2im, aten.pixel_shuffle),
        _concatenate: (aten.cat,),
        _stack: (aten.stack,),
        padded: (aten.constant_pad_nd,),
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
