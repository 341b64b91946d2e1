"""How many of some filters or channels a share is: rounded in one way everywhere."""

from math import floor

TOLERANCE = 1e-9  # so that 0.29 * 50, which is 14.499999999999998, counts as 14.5 [count]


def inherited_count(alpha: float, size: int) -> int:
    """Return how many of ``size`` filters the inheritance ratio ``alpha`` means, halves rounded up.

    Args:
        alpha: Inheritance ratio [fraction, 0..1].
        size: Filters, or channels, there are [count].

    Returns:
        Those that are inherited [count].

    Example:
        >>> inherited_count(0.29, 50), inherited_count(0.57, 50), inherited_count(0.28, 50)
        (15, 29, 14)
    """
    return floor(alpha * size + 0.5 + TOLERANCE)
