"""The rounding of an inheritance ratio to a whole number of filters or channels."""

from math import floor


def inherited_count(alpha: float, size: int) -> int:
    """Return how many of ``size`` filters or channels are inherited; half a one is rounded up.

    Args:
        alpha: Inheritance ratio [fraction, 0..1].
        size: Filters or channels of the target [count].

    Returns:
        Filters or channels to inherit [count].

    Example:
        >>> inherited_count(0.5, 7), inherited_count(0.29, 50)
        (4, 15)
    """
    return floor(alpha * size + 0.5 + 1e-9)  # 0.29 * 50 is 14.499999999999998 in floating point
