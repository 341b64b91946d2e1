"""How a convolution couples channels: by itself, in groups, transposed, or for several heads."""

from torch import Tensor

from legatee.surgery.network.calls import (
    Call,
    Fields,
    NotFollowedError,
    along,
    support,
)


def channels_of(call: Call, x: Tensor) -> Tensor | None:
    """Return the field of the channels along axis 1, which may differ along axis 0 as well.

    Args:
        call: The operation.
        x: Its input.

    Returns:
        A field whose other axes have length 1; ``None`` if there is one channel.
    """
    found = None
    for f in call.fields(x):
        if 1 in support(f) and found is None:
            found = f
            for axis in range(2, f.ndim):
                found = found.narrow(axis, 0, 1)
            call.equate(f, found)  # a channel has all of its positions, as behind a flat layer
    return call.anonymous(x, 1) if found is None else found


def convolution(call: Call) -> list[Fields]:
    """Couple the input with the weight's input axis, and the output with its output axis.

    Args:
        call: The operation.

    Returns:
        The fields of the output.
    """
    x, weight, groups, transposed = (
        call.option(n) for n in ("input", "weight", "groups", "transposed")
    )
    rank = x.ndim
    input_axis, output_axis = (0, 1) if transposed else (1, 0)
    read, written = channels_of(call, x), call.at(weight, output_axis)
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
