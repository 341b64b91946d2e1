"""Which axis of what an operation reads and computes runs through which axis of its weight."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

aten = torch.ops.aten
PRODUCTS = (aten.mm, aten.addmm, aten.bmm, aten.baddbmm)
CHANNELS_SECOND = (
    aten.native_batch_norm,
    aten._native_batch_norm_legit,
    aten._native_batch_norm_legit_no_training,
    aten.cudnn_batch_norm,
    aten.native_group_norm,
)

Axes = dict[int, int]  # axis of an activation -> axis of the weight


@dataclass(frozen=True, kw_only=True)
class Alignment:
    """How an operation applies one weight.

    Attributes:
        reads: What it applies the weight to; ``None`` where that is not compared.
        read_axes: Axes of what it reads that run through an axis of the weight.
        written_axes: Axes of what it computes, likewise.
        groups: Groups of a convolution, each of which reads channels of its own [count].
        within: The axis of the weight that counts channels within a group of the convolution.
    """

    reads: Tensor | None
    read_axes: Axes
    written_axes: Axes
    groups: int = 1
    within: int | None = None


def alignment(
    func: Any, option: Callable[[str], Any], weight: Tensor, read: list[Tensor], out: Tensor
) -> Alignment | None:
    """Say how an operation applies a weight.

    Args:
        func: The operation.
        option: Returns an argument of the operation by its name.
        weight: The weight, one of its arguments.
        read: Its arguments that depend on the network's input.
        out: What it computes.

    Returns:
        How, or ``None`` if that is not known.
    """
    packet = func.overloadpacket
    if packet is aten.convolution:
        return _convolution(option, weight)
    if packet in PRODUCTS:
        return _product(option, weight, read, out)
    if packet is aten.embedding:
        return Alignment(reads=None, read_axes={}, written_axes={out.ndim - 1: 1})
    if packet in CHANNELS_SECOND:
        return Alignment(reads=read[0], read_axes={1: 0}, written_axes={1: 0})
    if packet in (aten.native_layer_norm, aten._fused_rms_norm) or _is_elementwise(func):
        return _trailing(weight, read, out)
    return None


def _convolution(option: Callable[[str], Any], weight: Tensor) -> Alignment | None:
    """Align channels, axis 1 of images, with the axes of the kernel."""
    if weight is not option("weight"):
        return Alignment(reads=None, read_axes={}, written_axes={1: 0})  # the bias
    transposed, groups = option("transposed"), option("groups")
    return Alignment(
        reads=option("input"),
        read_axes={1: 0 if transposed else 1},
        written_axes={1: 1 if transposed else 0},
        groups=groups,
        within=1,
    )


def _product(
    option: Callable[[str], Any], weight: Tensor, read: list[Tensor], out: Tensor
) -> Alignment | None:
    """Align what a matrix product sums over, and what it computes, with the axes of the matrix."""
    left = option("mat1") if option("mat1") is not None else option("batch1")
    right = option("batch2") if option("batch2") is not None else option("mat2")
    left = option("self") if left is None else left
    last = out.ndim - 1
    if weight is right:
        reads, weight_axes, activation_axes = left, (last - 1, last), (last, last)
    elif weight is left:
        reads, weight_axes, activation_axes = right, (last, last - 1), (last - 1, last - 1)
    else:
        return _trailing(weight, [], out)  # what is added
    if not any(reads is x for x in read):
        return None
    batch = {axis: axis for axis in range(last - 1)}
    return Alignment(
        reads=reads,
        read_axes=batch | {activation_axes[0]: weight_axes[0]},
        written_axes=batch | {activation_axes[1]: weight_axes[1]},
    )


def _trailing(weight: Tensor, read: list[Tensor], out: Tensor) -> Alignment:
    """Align the last axes, as broadcasting does."""
    reads = max(read, key=lambda x: x.ndim) if read else None

    def last(tensor: Tensor) -> Axes:
        pairs = ((tensor.ndim - 1 - back, weight.ndim - 1 - back) for back in range(weight.ndim))
        return {a: b for a, b in pairs if a >= 0 and tensor.shape[a] == weight.shape[b] > 1}

    return Alignment(
        reads=reads,
        read_axes={} if reads is None else last(reads),
        written_axes=last(out),
    )


def _is_elementwise(func: Any) -> bool:
    return torch.Tag.pointwise in func.tags
