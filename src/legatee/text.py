"""Numbers in words: shares, and numbers short enough for a sentence, an axis or a table."""

from math import floor, isfinite, isnan, log10

MINUS = "\N{MINUS SIGN}"
TIMES = "\N{MULTIPLICATION SIGN}"
NOTHING = "\N{EN DASH}"
RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


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


def number(value: float, decimals: int) -> str:
    """Return ``value`` to so many decimals.

    Args:
        value: The number; what is not finite is said in a word.
        decimals: Digits after the point [count].

    Returns:
        The number with a true minus sign and no negative zero.

    Example:
        >>> number(-0.04, 1), number(12.345, 2), number(float("nan"), 1)
        ('0.0', '12.35', 'unknown')
    """
    if not isfinite(value):
        return "unknown"
    return f"{value:z.{decimals}f}".replace("-", MINUS)


def plain(value: float, digits: int = 4) -> str:
    """Return ``value`` to so many significant digits, short enough for an axis or a table.

    Args:
        value: The number.
        digits: Significant digits [count].

    Returns:
        The number with a true minus sign; very large and very small ones as powers of ten, a
        dash where there is none.

    Example:
        >>> plain(0.30000000000000004), plain(1234.5678, 6), plain(100_000), plain(-0.0)
        ('0.3', '1,234.57', '10⁵', '0')
        >>> plain(-2.5e-7) == f"{MINUS}2.5{TIMES}10⁻⁷"
        True
    """
    if not isfinite(value):
        return NOTHING if isnan(value) else (MINUS if value < 0 else "") + "∞"
    size = float(f"{abs(value):.{digits - 1}e}")
    sign = MINUS if value < 0 < size else ""
    if not size or 1e-3 <= size < 1e5:
        return f"{sign}{size:,.{max(digits, 5)}g}"
    power = floor(log10(size))
    first = f"{size / 10.0**power:.{digits - 1}f}".rstrip("0").rstrip(".")
    raised = f"10{str(power).translate(RAISED)}"
    return sign + (raised if first == "1" else f"{first}{TIMES}{raised}")
