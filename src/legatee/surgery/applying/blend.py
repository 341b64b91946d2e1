"""Axes that are computed rather than copied: image sizes, input channels, kernels, copies."""

from collections import defaultdict
from collections.abc import Sequence
from math import isqrt

import torch
from torch import Tensor
from torch.nn import functional

from legatee.plans.moves import Move
from legatee.plans.positions import expand


def blended(taken: Tensor, move: Move) -> Tensor:
    """Compute the values that a move writes from those that it takes.

    Args:
        taken: The elements at ``move.take`` [count per axis].
        move: The move, with a blend or without.

    Returns:
        The values for ``move.put``; ``taken`` itself where the move is a plain copy.

    Source:
        timm's ``resample_abs_pos_embed`` and ``adapt_input_conv``; Net2Net (Chen et al. 2016) for
        copies.

    Example:
        >>> from legatee.plans.moves import Blend
        >>> move = Move(source="w", target="w", source_shape=(2, 3), target_shape=(2, 1),
        ...             take=("0:2", "0:3"), put=("0:2", "0:1"), blend=Blend(axis=1, how="sum"))
        >>> blended(torch.arange(6.0).reshape(2, 3), move).tolist()
        [[3.0], [12.0]]
    """
    if move.blend is None:
        return taken
    axis, wanted = move.blend.axis, len(expand(move.put[move.blend.axis]))
    if move.blend.how == "pad":
        return _padded(taken, [len(expand(put)) for put in move.put[axis:]])
    if move.blend.how == "divide":
        shares = _shares(expand(move.take[axis]), move.blend.uneven).to(taken)
        return taken * shares.reshape([-1 if n == axis else 1 for n in range(taken.ndim)])
    if move.blend.how == "sum":
        return taken.sum(axis, keepdim=True)
    if move.blend.how == "cycle":
        have = taken.shape[axis]
        turns = torch.arange(wanted, device=taken.device) % have
        return taken.index_select(axis, turns) * (have / wanted)
    return _resized(taken, axis, move.blend.lead, wanted)


def _shares(positions: Sequence[int], uneven: float) -> Tensor:
    """Return the share of each position that is taken; those of equal positions sum to 1."""
    places: dict[int, list[int]] = defaultdict(list)
    for place, position in enumerate(positions):
        places[position].append(place)
    shares = torch.ones(len(positions), dtype=torch.double)
    for copies in places.values():
        if len(copies) > 1:
            tilt = torch.linspace(-uneven, uneven, len(copies), dtype=torch.double)
            shares[copies] = (1 + tilt) / len(copies)
    return shares


def _padded(taken: Tensor, sides: list[int]) -> Tensor:
    """Place the last axes in the middle of longer ones, surrounded by zeros."""
    kernel = taken.shape[-len(sides) :]
    margins = [(side - old) // 2 for side, old in zip(sides, kernel, strict=True)]
    return functional.pad(taken, [m for margin in reversed(margins) for m in (margin, margin)])


def _resized(taken: Tensor, axis: int, lead: int, wanted: int) -> Tensor:
    """Resize the square grid along one axis, after ``lead`` positions that are kept."""
    last = taken.movedim(axis, -1)
    ahead, grid = last[..., :lead], last[..., lead:]
    old, new = isqrt(grid.shape[-1]), isqrt(wanted - lead)
    image = grid.reshape(1, -1, old, old).float()
    image = functional.interpolate(image, (new, new), mode="bicubic", antialias=True)
    resized = image.reshape(*grid.shape[:-1], new * new).to(taken.dtype)
    return torch.cat([ahead, resized], -1).movedim(-1, axis)
