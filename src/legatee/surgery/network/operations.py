"""For each operation that computes: which channels of its inputs and outputs it couples."""

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


def pointwise(call: Call) -> list[Fields]:
    """Couple the channels that an elementwise operation combines.

    Args:
        call: The operation.

    Returns:
        The fields of each output.
    """
    return [call.merge(call.completed(call.inputs, out.ndim), out.ndim) for out in call.outs]


def _copied(call: Call) -> list[Fields]:
    """Give what is overwritten the channels of what is copied to it."""
    return [call.merge([call.fields(call.option("src"))], call.outs[0].ndim)]


def _channels(call: Call, x: Tensor) -> Tensor | None:
    """Return the field of the channels along axis 1, which may differ along axis 0 as well.

    Args:
        call: The operation.
        x: Its input.

    Returns:
        A field whose other axes have length 1; ``None`` if there is one channel.
    """
    found = None
    for f in call.fields(x):
        if 1 in support(f) and any(axis > 1 for axis in support(f)) and not call.is_place(f):
            call.hold([f], "a convolution along their axis")
        if 1 in support(f) and found is None:
            found = f
            for axis in range(2, f.ndim):
                found = found.narrow(axis, 0, 1)
    return call.anonymous(x, 1) if found is None else found


def _convolution(call: Call) -> list[Fields]:
    """Couple the input with the weight's input axis, and the output with its output axis."""
    x, weight, groups, transposed = (
        call.option(n) for n in ("input", "weight", "groups", "transposed")
    )
    rank = x.ndim
    input_axis, output_axis = (0, 1) if transposed else (1, 0)
    read, written = _channels(call, x), call.at(weight, output_axis)
    if groups > 1 and transposed:
        return _transposed_in_groups(call)
    call.equate(written, call.at(call.option("bias"), 0))
    made = None if written is None else along(written, 1, rank)
    if groups == 1:
        own = call.at(weight, input_axis)
        call.share(read, None if own is None else along(own, 1, rank))
        out = made
        if made is not None and read is not None and 0 in support(read):
            # One convolution for all rows, such as heads that were folded into the batch.
            rows = read.narrow(1, 0, 1)
            out = call.equal.fresh(rows.numel() * made.numel()).reshape(-1, made.numel())
            out = out.reshape(*rows.shape[:1], made.numel(), *(1,) * (rank - 2))
            call.share(out, made)
    else:
        out = _in_groups(call, read, made)
    return [[*([] if out is None else [out]), *_along_positions(call)]]


def _in_groups(call: Call, read: Tensor | None, made: Tensor | None) -> Tensor | None:
    """Couple the channels of each group of a convolution, inputs and outputs."""
    groups, out = call.option("groups"), call.outs[0]
    if made is None:  # the kernel is a constant
        made = call.anonymous(call.option("weight"), 0)
        made = None if made is None else along(made.reshape(-1), 1, out.ndim)
    if made is not None:
        blocks = made.reshape(groups, -1)
        call.equate(blocks, blocks[:, :1])
    if read is None:
        return made
    inside = read.reshape(read.shape[0], groups, -1)
    call.equate(inside, inside[..., :1])
    firsts = inside[..., :1].reshape(read.shape[0], groups, *(1,) * (out.ndim - 2))
    if made is not None:
        call.share(firsts, along(made.reshape(groups, -1)[:, 0], 1, out.ndim))
        if 0 not in support(read):
            return made
    wide = firsts.repeat_interleave(out.shape[1] // groups, 1)
    of_each = call.equal.fresh(wide.numel()).reshape(wide.shape)
    call.equate(of_each, wide)
    return of_each


def _along_positions(call: Call) -> Fields:
    """Return the fields of a convolution's output along positions, held where it mixes them."""
    weight, out = call.option("weight"), call.outs[0]
    kept: Fields = []
    for f in call.fields(call.option("input")):
        axes = sorted(axis for axis in support(f) if axis > 1)
        if not axes or len(axes) < len(support(f)) or call.is_place(f):
            continue  # positions of an image may be mixed freely
        if set(weight.shape[2:]) == {1} and all(f.shape[a] == out.shape[a] for a in axes):
            kept.append(f)
            continue
        new = [along(call.equal.fresh(out.shape[a]), a, out.ndim) for a in axes if out.shape[a] > 1]
        call.hold([f, *new], "a convolution along their axis")
        kept += new
    return kept


def _transposed_in_groups(call: Call) -> list[Fields]:
    """Couple inputs and outputs of each group of a transposed convolution."""
    x, groups = call.option("input"), call.option("groups")
    read, own = call.at(x, 1), call.at(call.option("weight"), 0)
    if own is None or any(support(f) != {1} for f in call.fields(x)):
        raise NotFollowedError("a transposed convolution in groups")
    blocks = own.reshape(groups, -1)
    call.equate(blocks, blocks[:, :1])
    if read is not None:
        call.equate(read, own)
    made = call.equal.fresh(call.outs[0].shape[1])
    call.equate(made.reshape(groups, -1), blocks[:, :1])
    call.equate(made, call.at(call.option("bias"), 0))
    return [[along(made, 1, x.ndim)]]


def _batch_norm(call: Call) -> list[Fields]:
    """Couple weight, bias, mean and variance with the channels that they normalise."""
    return _normalised(call, ("weight", "bias", "running_mean", "running_var"))


def _group_norm(call: Call) -> list[Fields]:
    """Couple weight and bias with the channels that they scale, group by group."""
    channels, count = call.at(call.option("input"), 1), call.option("group")
    if channels is not None and 1 < count < len(channels):
        call.equal.parts.append((channels.numpy(), count))
    return _normalised(call, ("weight", "bias"))


def _normalised(call: Call, names: tuple[str, ...]) -> list[Fields]:
    """Couple vectors with the channels of the input."""
    x = call.option("input")
    read = _channels(call, x)
    for name in names:
        vector = call.at(call.option(name), 0)
        call.share(read, None if vector is None else along(vector, 1, x.ndim))
    return [call.fields(x)]


def _layer_norm(call: Call) -> list[Fields]:
    """Couple weight and bias with the last axes, which are normalised."""
    operands = [call.option(name) for name in ("input", "weight", "bias")]
    given = [x for x in operands if x is not None]
    return [call.merge(call.completed(given, given[0].ndim), given[0].ndim)]


def _weight_norm(call: Call) -> list[Fields]:
    """Couple a weight with the directions and lengths that it is computed from."""
    directions, lengths = call.option("v"), call.option("g")
    operands = [call.fields(directions), call.fields(lengths)]
    return [call.merge(operands, directions.ndim), call.fields(lengths)]


def _matmul(call: Call) -> list[Fields]:
    """Couple the two axes that a matrix product sums over, and the batch axes of its operands."""
    *bias, a, b = call.args[:3]  # the product of the last two, added to the first
    rank = a.ndim
    rows, columns = _factors(call, a, b)
    for f in rows:
        for g in columns:
            if rank - 1 in support(f) and rank - 2 in support(g):
                # One side may be the same for all rows of the other.
                pair = f, g.transpose(-1, -2)
                call.share(*sorted(pair, key=lambda side: -len(support(side))))
    heads = [f.narrow(1, 0, 1) for f in rows if rank == 2 and support(f) == {0, 1}]
    kept_a = [f.narrow(rank - 1, 0, 1) for f in rows]
    kept_b = [f.narrow(rank - 2, 0, 1) for f in columns]
    kept = [[f for f in side if support(f)] for side in (kept_a, kept_b)]
    if len(heads) == len(kept[0]) == len(kept[1]) == 1:
        kept = [[_of_each_head(call, heads[0], kept[1][0])]]
    product = call.merge(kept, rank)
    return [call.merge([product, *call.completed(bias, rank, product)], rank)]


def _factors(call: Call, a: Tensor, b: Tensor) -> tuple[Fields, Fields]:
    """Return the fields of the factors of a matrix product; the columns of a head are one block."""
    rank = a.ndim
    sides = (a, rank - 1), (b, rank - 2)
    named = [list(call.fields(side)) for side, _ in sides]
    for (_, axis), fields in zip(sides, named, strict=True):
        for f in fields:
            if axis in support(f) and len(support(f)) > 1:
                first = f.narrow(axis, 0, 1)
                call.equate(f, first)
                if rank > 2:
                    call.equal.heads.append(first.reshape(-1).numpy())
    summed = [
        any(axis in support(f) for f in own) for (_, axis), own in zip(sides, named, strict=True)
    ]
    for (side, axis), own, has, other_has in zip(
        sides, named, summed, reversed(summed), strict=True
    ):
        new = call.anonymous(side, axis) if other_has and not has else None
        own += [] if new is None else [new]
    return named[0], named[1]


def _vector_product(call: Call) -> list[Fields]:
    """Couple the axes that the product of a matrix or vector with a vector sums over."""
    left, right = call.args[:2]
    for f in call.fields(left):
        for g in call.fields(right):
            if left.ndim - 1 in support(f):
                call.equate(f.reshape(-1, f.shape[-1]), g)
    kept = [f[..., 0] for f in call.fields(left) if support(f) - {left.ndim - 1}]
    return [kept if call.outs[0].ndim else []]


def _of_each_head(call: Call, heads: Tensor, columns: Tensor) -> Tensor:
    """Return the field of what one layer makes for each of several heads, which stay whole."""
    wide = torch.broadcast_tensors(heads, columns)[0]
    made = call.equal.fresh(wide.numel()).reshape(wide.shape)
    call.equate(made, wide)
    call.share(made, columns)
    return made


def _meet(call: Call, f: Tensor, g: Tensor) -> None:
    """Couple what a matrix product sums over; one side may be shared by the rows of the other."""
    wide, narrow = (f, g) if len(support(f)) >= len(support(g)) else (g, f)
    call.share(wide, narrow)


def _reduce(call: Call) -> list[Fields]:
    """Keep the fields of the axes that are not reduced; what is reduced to one value is coupled."""
    x, out = call.args[0], call.outs[0]
    dims = call.option("dim")
    every = dims is None or dims == []
    reduced = {
        d % x.ndim for d in (range(x.ndim) if every else [dims] if isinstance(dims, int) else dims)
    }
    kept = []
    for f in call.fields(x):
        first = f
        for axis in reduced:
            first = first.narrow(axis, 0, 1)
        if support(first):
            call.equate(f, first)
            kept.append(first)
    if out.ndim < x.ndim:
        others = [axis for axis in range(x.ndim) if axis not in reduced]
        kept = [f.reshape([f.shape[axis] for axis in others]) for f in kept]
    return [kept] * len(call.outs)


def _along_axis(call: Call) -> list[Fields]:
    """Keep the fields of other axes; those of the axis along which it computes are held."""
    x = call.args[0]
    dim = call.option("dim")
    axis = (x.ndim - 1 if dim is None else dim) % max(x.ndim, 1)
    results: list[Fields] = []
    held = [f for f in call.fields(x) if axis in support(f)]
    for out in call.outs:
        fits = [
            f
            for f in call.fields(x)
            if axis not in support(f) and all(f.shape[a] == out.shape[a] for a in support(f))
        ]
        if held and out.shape[axis] > 1:
            new = along(call.equal.fresh(out.shape[axis]), axis, out.ndim)
            held.append(new)
            fits.append(new)
        results.append(fits if out.is_floating_point() else [])
    call.hold(held, f"the operation {call.func.overloadpacket}")
    return results


def _glu(call: Call) -> list[Fields]:
    """Couple both halves of the axis along which one half gates the other."""
    x, out = call.args[0], call.outs[0]
    axis = call.option("dim") % x.ndim
    size = out.shape[axis]
    halves: list[Fields] = [[], []]
    for f in call.fields(x):
        for half, fields in enumerate(halves):
            fields.append(f.narrow(axis, half * size, size) if f.shape[axis] > 1 else f)
    return [call.merge(halves, out.ndim)]


def _embedding(call: Call) -> list[Fields]:
    """Give the output, whose last axis is a row of the table, the channels of the table."""
    rank = call.outs[0].ndim
    channels = call.at(call.option("weight"), 1)
    return [[] if channels is None else [along(channels, rank - 1, rank)]]


COMPUTING: dict[Any, Rule] = {
    packet: rule
    for rule, packets in {
        _convolution: (aten.convolution,),
        _batch_norm: (aten.native_batch_norm,),
        _group_norm: (aten.native_group_norm,),
        pointwise: (aten._prelu_kernel, aten.log_sigmoid_forward),
        _copied: (aten.copy_,),
        _weight_norm: (aten._weight_norm_interface,),
        _layer_norm: (aten.native_layer_norm,),
        _matmul: (aten.addmm, aten.mm, aten.bmm, aten.baddbmm),
        _reduce: (
            aten.mean,
            aten.sum,
            aten.prod,
            aten.amax,
            aten.amin,
            aten.max,
            aten.min,
            aten.aminmax,
            aten.any,
            aten.all,
            aten.std,
            aten.var,
            aten.var_mean,
            aten.std_mean,
            aten.logsumexp,
            aten.linalg_vector_norm,
        ),
        _along_axis: (
            aten.cumsum,
            aten.cumprod,
            aten.sort,
            aten.topk,
            aten.gather,
            aten.index_select,
        ),
        _glu: (aten.glu,),
        _vector_product: (aten.mv, aten.dot, aten.vdot),
        _embedding: (aten.embedding,),
    }.items()
    for packet in packets
}
