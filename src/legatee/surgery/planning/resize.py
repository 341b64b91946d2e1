"""Which axes can be computed rather than copied: other image sizes, other input channels."""

from math import isqrt

from legatee.plans.moves import Blend

LEADS = (0, 1, 2, 5)  # class and distillation tokens, registers: what goes before a grid


def grid_blend(axis: int, have: int, wanted: int) -> Blend | None:
    """Find how positions along one axis can be resized: as square grids after the same lead.

    Args:
        axis: The axis.
        have: Positions in the source [count].
        wanted: Positions in the target [count].

    Returns:
        The blend, or ``None`` if no lead leaves a square on both sides.

    Example:
        >>> grid_blend(1, 197, 50)
        Blend(axis=1, how='bicubic', lead=1)
    """
    for lead in LEADS:
        sides = (isqrt(max(have - lead, 0)), isqrt(max(wanted - lead, 0)))
        if min(sides) > 1 and (sides[0] ** 2 + lead, sides[1] ** 2 + lead) == (have, wanted):
            return Blend(axis=axis, how="bicubic", lead=lead)
    return None


def channel_blend(axis: int, wanted: int) -> Blend:
    """Return how input channels become another number of them.

    Args:
        axis: The axis of the input channels.
        wanted: Channels in the target [count].

    Returns:
        The blend.
    """
    return Blend(axis=axis, how="sum" if wanted == 1 else "cycle")
