"""How operations that change the length of an axis move channels: pooling, padding, patches."""

import torch
from torch import Tensor

from legatee.surgery.network.calls import (
    Call,
    Fields,
    NotFollowedError,
    along,
    support,
)


def resized(call: Call) -> list[Fields]:
    """Keep all fields (softmax, pooling), but hold those of an axis that is resized.

    Args:
        call: The operation.

    Returns:
        The fields of the output.
    """
    x, sizes = call.inputs[0], call.outs[0].shape
    lengths = {axis for axis, (a, b) in enumerate(zip(x.shape, sizes, strict=True)) if a != b}
    kept: Fields = []
    held: Fields = []
    for f in call.fields(x):
        if not support(f) & lengths:
            kept.append(f)
        elif call.is_place(f):
            call.hold([f], "pooling or resizing along their axis")
        else:
            held.append(f)
    new = [
        along(call.equal.fresh(sizes[axis]), axis, x.ndim)
        for axis in sorted(set().union(*(support(f) for f in held)))
        if sizes[axis] > 1
    ]
    call.hold(held + new, "pooling or resizing along their axis")
    return [kept + new] * len(call.outs)


def padded(call: Call) -> list[Fields]:
    """Keep the fields; channels that padding adds get new identities.

    Args:
        call: The operation.

    Returns:
        The fields of the output.

    Raises:
        NotFollowedError: If channels are padded with what is in them.
    """
    x, padding = call.option("self"), call.option("pad")
    fields: Fields = []
    for f in call.fields(x):
        for axis in support(f):
            last = 2 * (x.ndim - 1 - axis)  # padding starts with the last axis
            if any(padding[last : last + 2]):
                if call.is_place(f):
                    break
                if len(support(f)) > 1 or min(padding[last : last + 2]) < 0:
                    raise NotFollowedError("F.pad that crops channels, or pads mixed ones")
                before, after = (call.equal.fresh(n) for n in padding[last : last + 2])
                f = along(torch.cat([before, f.reshape(-1), after]), axis, x.ndim)
        else:
            fields.append(f)
    return [fields]


def padded_by_itself(call: Call) -> list[Fields]:
    """Keep the fields, but hold those of an axis that is padded by what is in it.

    Args:
        call: The operation.

    Returns:
        The fields of the output.

    Raises:
        NotFollowedError: If channels are padded with what is in them.
    """
    x, out = call.args[0], call.outs[0]
    lengths = {a for a, (old, new) in enumerate(zip(x.shape, out.shape, strict=True)) if old != new}
    kept = [f for f in call.fields(x) if support(f).isdisjoint(lengths)]
    if len(kept) < len(call.fields(x)):
        raise NotFollowedError("padding with channels of their own")
    return [kept]


def patches(call: Call) -> list[Fields]:
    """Repeat each channel for every position of the patch that it is unfolded to.

    Args:
        call: The operation.

    Returns:
        The fields of the output.
    """
    x, out = call.args[0], call.outs[0]
    channels = call.at(x, 1)
    _only_channels(call, x)
    if channels is None:
        return [[]]
    return [[along(channels.repeat_interleave(out.shape[1] // x.shape[1]), 1, out.ndim)]]


def gathered(call: Call) -> list[Fields]:
    """Couple neighbouring channels that become positions of one channel.

    Args:
        call: The operation.

    Returns:
        The fields of the output.
    """
    x = call.args[0]
    count = call.outs[0].shape[1]
    size = x.shape[1] // count
    channels = call.at(x, 1)
    _only_channels(call, x)
    if channels is None:
        return [[]]
    blocks = channels.reshape(count, size)
    call.equate(blocks, blocks[:, :1])
    return [[along(blocks[:, 0], 1, call.outs[0].ndim)] if count > 1 else []]


def _only_channels(call: Call, x: Tensor) -> None:
    """Refuse to follow what varies along other axes than that of the channels."""
    if any(support(f) != {1} for f in call.fields(x)):
        raise NotFollowedError(f"the operation {call.func.overloadpacket}")
