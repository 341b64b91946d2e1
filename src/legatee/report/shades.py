"""The colours of a map: few, so that a reader can find each of them in the key.

They are the page's: each is a mixture of the three that the style sheet gives to a kind of scale
(``low``, ``middle``, ``high``), so that a map suits a light and a dark page alike.
"""

import numpy as np
from markupsafe import Markup
from matplotlib.ticker import MaxNLocator

from legatee.report.frame import WIDTH, finite
from legatee.text import plain

SHADES = 12  # about so many colours at most [count]
RAMP = 12, 28  # height of the key's colours, and with their numbers [px]
LONGEST = 7  # so many characters of numbers fit the key without leaving any out [count]


def limits_of(values: np.ndarray, scale: str) -> np.ndarray:
    """Return the round numbers between which all values have one colour.

    Args:
        values: All that is shown.
        scale: The kind of scale; a diverging one is symmetric, and zero is a limit of it.

    Returns:
        Limits, increasing, at least two.

    Example:
        >>> limits_of(np.array([-1.2, 5.5]), "diverging").tolist()
        [-6.0, -5.0, -4.0, -3.0, -2.0, -1.0, 0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0]
    """
    shown = finite(values.ravel())
    low, high = (shown.min(), shown.max()) if shown.size else (0.0, 1.0)
    if scale == "diverging":
        high = max(abs(low), abs(high)) or 1.0
        low = -high
    elif low == high:
        low, high = low - 0.5, high + 0.5
    locator = MaxNLocator(SHADES, steps=[1, 2, 2.5, 5, 10], symmetric=scale == "diverging")
    return np.asarray(locator.tick_values(low, high))


def shades_of(values: np.ndarray, limits: np.ndarray, scale: str) -> np.ndarray:
    """Return where each value's colour stands between the scale's outermost.

    Zero has the middle colour of a diverging scale to itself: no gain is neither kind of gain.

    Args:
        values: What is shown.
        limits: Of the colours.
        scale: The kind of scale.

    Returns:
        Places [-1..1], not a number where there is no value.
    """
    if scale == "cut":
        shades = np.where(values >= 0.5, 1.0, -1.0)
    else:
        shades = _places(limits, scale)[np.digitize(values, limits[1:-1])]
    if scale == "diverging":
        shades = np.where(values == 0, 0.0, shades)
    return np.where(np.isfinite(values), shades, np.nan)


def paint(shade: float) -> str:
    """Return the colour that stands at a place [-1..1] between the outermost, as CSS."""
    if not shade:
        return "var(--middle)"
    end = "high" if shade > 0 else "low"
    return f"color-mix(in oklab, var(--{end}) {100 * abs(shade):.0f}%, var(--middle))"


def ramp(limits: np.ndarray, scale: str) -> Markup:
    """Return the colours side by side, with the numbers between them, as an ``<svg>`` element.

    Args:
        limits: Of the colours.
        scale: The kind of scale.

    Returns:
        The key of a map that is not cut in two.
    """
    places = _places(limits, scale)
    inset, wide = 16, (WIDTH - 32) / places.size
    numbers = [plain(limit) for limit in limits]
    longest = max(map(len, numbers))
    every = 1 if longest * LONGEST + 6 <= wide else 2 if longest * LONGEST + 6 <= 2 * wide else 3
    first = int(np.flatnonzero(limits == 0)[0]) % every if 0 in limits else 0
    areas = [
        f'<path d="M{inset + n * wide:.1f} 0h{wide:.2f}v{RAMP[0]}h-{wide:.2f}z" '
        f'style="fill: {paint(place)}"/>'
        for n, place in enumerate(places)
    ]
    texts = [
        f'<text x="{inset + n * wide:.1f}" y="{RAMP[1] - 4}" text-anchor="middle">{text}</text>'
        for n, text in enumerate(numbers)
        if n % every == first
    ]
    return Markup(
        f'<svg class="figure ramp" viewBox="0 0 {WIDTH} {RAMP[1]}" role="img" '
        f'aria-label="Colours from {numbers[0]} to {numbers[-1]}">{"".join(areas + texts)}</svg>'
    )


def _places(limits: np.ndarray, scale: str) -> np.ndarray:
    """Return where each colour between two limits stands between the scale's outermost, -1..1."""
    count = limits.size - 1
    if scale == "diverging":
        half = np.arange(1, count // 2 + 1) / (count // 2)
        return np.concatenate([-half[::-1], half])
    return np.linspace(-1, 1, count) if count > 1 else np.zeros(1)
