"""Elements of a tensor at the product of positions: read as a view, copied in place."""

from collections import deque
from functools import lru_cache
from itertools import product
from math import prod

import torch
from torch import Tensor

from legatee.plans.positions import expand

BOXES = 64  # more evenly spaced pieces than these are slower to copy one by one than by index


def take(tensor: Tensor, positions: tuple[str, ...]) -> Tensor:
    """Return the elements at the product of positions.

    Args:
        tensor: Any tensor.
        positions: Positions along each axis, as
            :func:`~legatee.plans.positions.compress` writes them.

    Returns:
        A view where all positions are evenly spaced, otherwise a copy [count per axis].

    Example:
        >>> take(torch.arange(12).reshape(3, 4), ("0:3:2", "3:4,0:1"))
        tensor([[ 3,  0],
                [11,  8]])
    """
    chosen = [_chosen(text) for text in positions]
    taken = tensor[tuple(own if isinstance(own, slice) else slice(None) for own in chosen)]
    for axis, own in enumerate(chosen):
        if isinstance(own, Tensor):  # after the slices, so that there is less to copy
            taken = taken.index_select(axis, own.to(taken.device))
    return taken


def copy(into: Tensor, put: tuple[str, ...], source: Tensor, taken: tuple[str, ...]) -> None:
    """Copy elements from one product of positions to another, in place.

    Args:
        into: The tensor that is written to; its type may differ.
        put: Positions in ``into``, none twice.
        source: The tensor that is copied from.
        taken: Positions in ``source``, as many along each axis.

    Example:
        >>> into = torch.zeros(2, 3)
        >>> copy(into, ("0:1", "0:2"), torch.arange(8.0).reshape(2, 4), ("1:2", "0:3:2"))
        >>> into
        tensor([[4., 6., 0.],
                [0., 0., 0.]])
    """
    pieces = [_pieces(*positions) for positions in zip(put, taken, strict=True)]
    if prod(len(axis) for axis in pieces) <= BOXES:
        for box in product(*pieces):
            into[tuple(to for to, _ in box)].copy_(source[tuple(frm for _, frm in box)])
        return
    write(into, put, take(source, taken))


def write(into: Tensor, put: tuple[str, ...], values: Tensor) -> None:
    """Write values at a product of positions, in place.

    Args:
        into: The tensor that is written to; its type may differ.
        put: Positions in it, none twice.
        values: The values to write [count per axis].

    Example:
        >>> into = torch.zeros(3)
        >>> write(into, ("2:3,0:1",), torch.tensor([5.0, 6.0]))
        >>> into
        tensor([6., 0., 5.])
    """
    mesh = [
        torch.tensor(list(expand(text)), device=into.device).reshape(
            [-1 if other == axis else 1 for other in range(into.ndim)]
        )
        for axis, text in enumerate(put)
    ]
    into[tuple(mesh)] = values.to(into)


@lru_cache(maxsize=256)  # the same few texts for all tensors of one plan
def _chosen(text: str) -> slice | Tensor:
    """Return positions as a slice where they are evenly spaced, else as an index."""
    positions = expand(text)
    if isinstance(positions, range):
        return _slice(positions)
    return torch.tensor(positions, dtype=torch.long)


@lru_cache(maxsize=256)
def _pieces(put: str, taken: str) -> list[tuple[slice, slice]]:
    """Cut positions where a run of either side ends, so that both are evenly spaced in a piece."""
    pieces = []
    put_runs, taken_runs = _runs(put), _runs(taken)
    while put_runs and taken_runs:
        length = min(len(put_runs[0]), len(taken_runs[0]))
        pieces.append((_slice(put_runs[0][:length]), _slice(taken_runs[0][:length])))
        for runs in (put_runs, taken_runs):
            runs[0] = runs[0][length:]
            if not runs[0]:
                runs.popleft()
    return pieces


def _runs(text: str) -> deque[range]:
    """Return the runs that positions are written as."""
    runs = (range(*map(int, run.split(":"))) for run in text.split(",") if run)
    return deque(run for run in runs if run)


def _slice(positions: range) -> slice:
    return slice(positions.start, positions.stop, positions.step)
