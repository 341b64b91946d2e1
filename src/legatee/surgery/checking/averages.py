"""Averages over channels, of which those that are silent are left out."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

aten = torch.ops.aten
Found = tuple[Any, int, int]  # the result, silent entries, all entries


def averaged(func: Any, option: Callable[[str], Any]) -> Found | None:
    """Compute an operation as if the entries that are zero throughout were not there.

    An entry of the axes that are averaged over is silent if it is zero wherever else one looks, as
    a silenced channel is. Left out of the mean and of the variance, it changes nothing that the
    others compute.

    Args:
        func: The operation.
        option: Returns an argument of the operation by its name.

    Returns:
        What it computes, with how many entries were left out of how many; ``None`` if it averages
        nothing, or nothing is silent.
    """
    rule = RULES.get(func.overloadpacket)
    return None if rule is None else rule(option)


def _mean(option: Callable[[str], Any]) -> Found | None:
    x, dims = option("self"), _dims(option)
    sounds = _sounds(x, dims)
    if sounds is None:
        return None
    value = x.sum(dims, keepdim=bool(option("keepdim"))) / sounds.sum()
    return value, *_count(sounds)


def _variance(option: Callable[[str], Any], *, pair: bool) -> Found | None:
    x, dims = option("self"), _dims(option)
    sounds = _sounds(x, dims)
    if sounds is None:
        return None
    correction = option("correction")
    mean, variance = _moments(x, sounds, dims, 1 if correction is None else correction)
    if not option("keepdim"):
        mean, variance = mean.squeeze(dims), variance.squeeze(dims)
    return (variance, mean) if pair else variance, *_count(sounds)


def _layer_norm(option: Callable[[str], Any]) -> Found | None:
    x = option("input")
    dims = list(range(x.ndim - len(option("normalized_shape")), x.ndim))
    sounds = _sounds(x, dims)
    if sounds is None:
        return None
    mean, variance = _moments(x, sounds, dims, 0)
    scale = (variance + option("eps")).rsqrt()
    out = _affine((x - mean) * scale * sounds, option("weight"), option("bias"))
    return (out, mean, scale), *_count(sounds)


def _rms_norm(option: Callable[[str], Any]) -> Found | None:
    x, eps = option("input"), option("eps")
    dims = list(range(x.ndim - len(option("normalized_shape")), x.ndim))
    sounds = _sounds(x, dims)
    if sounds is None:
        return None
    square = x.square().sum(dims, keepdim=True) / sounds.sum()
    scale = (square + (torch.finfo(x.dtype).eps if eps is None else eps)).rsqrt()
    return (_affine(x * scale, option("weight"), None), scale), *_count(sounds)


def _group_norm(option: Callable[[str], Any]) -> Found | None:
    x, groups = option("input"), option("group")
    channels = x.reshape(len(x), groups, x.shape[1] // groups, -1)
    sounds = (channels != 0).any(3, keepdim=True).any(0, keepdim=True)
    if bool(sounds.all()):
        return None
    there = sounds.sum(2, keepdim=True).clamp_min(1) * channels.shape[3]
    mean = channels.sum((2, 3), keepdim=True) / there
    variance = ((channels - mean) * sounds).square().sum((2, 3), keepdim=True) / there
    scale = (variance + option("eps")).rsqrt()
    out = ((channels - mean) * scale * sounds).reshape(x.shape)
    shape = (-1, *(1,) * (x.ndim - 2))
    sides = (option("weight"), option("bias"))
    weight, bias = (None if side is None else side.reshape(shape) for side in sides)
    return (_affine(out, weight, bias), mean.flatten(1), scale.flatten(1)), *_count(sounds)


def _softmax(option: Callable[[str], Any], *, log: bool) -> Found | None:
    x, dim = option("self"), option("dim") % option("self").ndim
    sounds = _sounds(x, [dim])
    if sounds is None:
        return None
    heard = x.masked_fill(~sounds, float("-inf"))
    out = heard.log_softmax(dim) if log else heard.softmax(dim)
    return out.masked_fill(~sounds, 0), *_count(sounds)


def _dims(option: Callable[[str], Any]) -> list[int]:
    """Return the axes that are averaged over, counted from 0."""
    x, dims = option("self"), option("dim")
    dims = [dims] if isinstance(dims, int) else list(dims or range(x.ndim))
    return [dim % x.ndim for dim in dims]


def _sounds(x: Tensor, dims: list[int]) -> Tensor | None:
    """Return which entries along some axes are not zero throughout; ``None`` if all or none."""
    others = [axis for axis in range(x.ndim) if axis not in dims]
    sounds = x != 0
    sounds = sounds.any(others, keepdim=True) if others else sounds
    return None if bool(sounds.all()) or not bool(sounds.any()) else sounds


def _moments(
    x: Tensor, sounds: Tensor, dims: list[int], correction: float
) -> tuple[Tensor, Tensor]:
    """Return mean and variance of the entries that are not silent."""
    there = sounds.sum()
    mean = x.sum(dims, keepdim=True) / there
    squares = ((x - mean) * sounds).square().sum(dims, keepdim=True)
    return mean, squares / (there - correction).clamp_min(1)


def _affine(x: Tensor, weight: Tensor | None, bias: Tensor | None) -> Tensor:
    x = x if weight is None else x * weight
    return x if bias is None else x + bias


def _count(sounds: Tensor) -> tuple[int, int]:
    return int((~sounds).sum()), sounds.numel()


RULES: dict[Any, Callable[[Callable[[str], Any]], Found | None]] = {
    aten.mean: _mean,
    aten.var: lambda option: _variance(option, pair=False),
    aten.var_mean: lambda option: _variance(option, pair=True),
    aten.native_layer_norm: _layer_norm,
    aten._fused_rms_norm: _rms_norm,
    aten.native_group_norm: _group_norm,
    aten._softmax: lambda option: _softmax(option, log=False),
    aten._safe_softmax: lambda option: _softmax(option, log=False),
    aten._log_softmax: lambda option: _softmax(option, log=True),
}
