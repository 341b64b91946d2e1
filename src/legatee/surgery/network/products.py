"""How a product of matrices or vectors couples channels, heads of an attention among them."""

import torch
from torch import Tensor

from legatee.surgery.network.calls import Call, Fields, support


def matrix_product(call: Call) -> list[Fields]:
    """Couple the two axes that a matrix product sums over, and the batch axes of its operands.

    Args:
        call: The operation.

    Returns:
        The fields of the output.
    """
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


def vector_product(call: Call) -> list[Fields]:
    """Couple the axes that the product of a matrix or vector with a vector sums over.

    Args:
        call: The operation.

    Returns:
        The fields of the output.
    """
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
