"""Axes that are computed rather than copied: other image sizes, input channels, kernel sizes."""

from math import isqrt

from legatee.plans.moves import Blend
from legatee.surgery.network.catalog import TensorInfo

EXTRA_TOKENS = (0, 1, 2, 5)  # class and distillation tokens, registers: positions before a grid


def grid_blend(axis: int, available: int, wanted: int) -> Blend | None:
    """Find how positions along an axis are resized: as square grids behind equally many tokens.

    Args:
        axis: The axis.
        available: Positions in the source [count].
        wanted: Positions in the target [count].

    Returns:
        The blend, or ``None`` if the positions of one network are no square grid behind tokens.

    Example:
        >>> grid_blend(1, 197, 50)
        Blend(axis=1, how='bicubic', lead=1, uneven=0.0)
    """
    for tokens in EXTRA_TOKENS:
        sides = (isqrt(max(available - tokens, 0)), isqrt(max(wanted - tokens, 0)))
        squares = tuple(side**2 + tokens for side in sides)
        if min(sides) > 1 and squares == (available, wanted):
            return Blend(axis=axis, how="bicubic", lead=tokens)
    return None


def channel_blend(axis: int, wanted: int) -> Blend:
    """Return how input channels become another number of input channels.

    Args:
        axis: The axis of the input channels.
        wanted: Channels in the target [count].

    Returns:
        The blend.

    Example:
        >>> channel_blend(1, 4)
        Blend(axis=1, how='cycle', lead=0, uneven=0.0)
    """
    return Blend(axis=axis, how="sum" if wanted == 1 else "cycle")


def grows(target: TensorInfo, source: TensorInfo, axis: int) -> bool:
    """Tell whether a source kernel fits into the middle of a target kernel along an axis.

    Args:
        target: A tensor of the target.
        source: A tensor of the source.
        axis: An axis of both.

    Returns:
        Whether both are kernels of odd length along it, the target's longer.
    """
    size, available = target.shape[axis], source.shape[axis]
    kernels = target.axis_roles[axis] == source.axis_roles[axis] == "kernel"
    return kernels and available < size and available % 2 == size % 2 == 1
