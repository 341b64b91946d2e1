"""Shares in words: all and nothing are said only where they are meant."""


def share(fraction: float, decimals: int = 0) -> str:
    """Return a share as a percentage that says 0 or 100 only where it is meant.

    Args:
        fraction: The share [fraction, 0..1].
        decimals: Digits behind the point [count].

    Returns:
        Such as ``"37%"``.

    Example:
        >>> share(0.0), share(0.001), share(0.374), share(0.999), share(1.0)
        ('0%', '<1%', '37%', '>99%', '100%')
        >>> share(0.9996, decimals=1)
        '>99.9%'
    """
    least = 0.1**decimals / 100
    if 0 < fraction < least:
        return f"<{least:.{decimals}%}"
    if 1 - least < fraction < 1:
        return f">{1 - least:.{decimals}%}"
    return f"{fraction:.{decimals}%}"
