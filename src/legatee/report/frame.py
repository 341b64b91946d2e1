"""The axes of a panel: their place in the figure, their ticks and labels."""

import textwrap
from collections.abc import Callable, Iterable, Sequence
from html import escape
from math import floor, isfinite, log10

import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis as DrawnAxis
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, MaxNLocator, NullLocator

from legatee.finding import Axis, Curves, Heatmap
from legatee.text import plain

WIDTH = 400  # [px] at the size of the text; the page scales it
RIGHT = 10  # [px] beside the axes, for half of the last tick's label
LINE = 16  # [px] from one line of text to the next
ACROSS = 56  # characters that fit the width, on a phone too where they are larger [count]
CHARACTER = 6.6  # [px] about as wide as one of a tick's label
FEW = 8  # so many places that were measured get a tick each [count]
Spot = tuple[float, float, str]


def frame(
    panel: Curves | Heatmap, xs: np.ndarray, ys: np.ndarray, *, height: int
) -> tuple[Figure, Axes]:
    """Return empty axes with scales for what will be drawn, below the name of the vertical axis.

    Args:
        panel: Whose axes these are.
        xs: All that will be drawn, horizontally.
        ys: The same, vertically.
        height: Of the axes [px].

    Returns:
        A figure, and its axes.
    """
    above = textwrap.wrap(f"↑ {panel.y.label}", ACROSS)
    beneath = textwrap.wrap(f"{panel.x.label} →", ACROSS)
    top = LINE * len(above) + 8
    total = top + height + 22 + LINE * len(beneath) + 2
    figure = Figure(figsize=(WIDTH / 72, total / 72), dpi=72)
    axes = figure.add_axes((0, 1 - (top + height) / total, 1, height / total))
    for n, line in enumerate(above):
        figure.text(0, 1 - LINE * n / total, line, va="top")
    for n, line in enumerate(reversed(beneath)):
        figure.text(1 - RIGHT / WIDTH, (LINE * n + 2) / total, line, ha="right", va="bottom")
    _set_scale(axes.set_xscale, panel.x, xs)
    _set_scale(axes.set_yscale, panel.y, ys)
    return figure, axes


def finish(axes: Axes, columns: Sequence[float], rows: Sequence[float] = ()) -> None:
    """Set the ticks, at places that were measured where these are few, and make room for them.

    Args:
        axes: Where everything is drawn and the limits are set.
        columns: Horizontal places that were measured.
        rows: Vertical ones.
    """
    _, bottom, _, height = axes.get_position().bounds
    low, high = sorted(axes.get_ylim())
    _set_ticks(axes.yaxis, 5)
    if rows := _few(rows):
        across = axes.transData.transform([(axes.get_xlim()[0], row) for row in rows])[:, 1]
        if len(rows) < 2 or np.diff(across).min() >= LINE:
            axes.yaxis.set_major_locator(FixedLocator(rows))
    texts = [plain(tick) for tick in axes.get_yticks() if low <= tick <= high]
    left = (CHARACTER * max(map(len, texts), default=0) + 8) / WIDTH
    axes.set_position((left, bottom, 1 - left - RIGHT / WIDTH, height))
    _set_ticks(axes.xaxis, 6)
    if columns := _few(columns):
        along = axes.transData.transform([(column, low) for column in columns])[:, 0]
        longest = CHARACTER * max(len(plain(column)) for column in columns)
        if len(columns) < 2 or np.diff(along).min() >= longest + 6:
            axes.xaxis.set_major_locator(FixedLocator(columns))
    axes.tick_params(axis="y", length=0)


def finite(*groups: Iterable[float]) -> np.ndarray:
    """Return all finite numbers of these groups."""
    together = np.array([value for group in groups for value in group], dtype=float)
    return together[np.isfinite(together)]


def spots(axes: Axes, places: Iterable[Spot], height: float) -> str:
    """Return invisible dots that show a text each when the reader points at them.

    Args:
        axes: Where the dots stand; their limits are final.
        places: Horizontal and vertical place in the axes' units, and the text.
        height: Of the figure [px].

    Returns:
        An SVG group, empty for no dots.
    """
    dots = []
    for x, y, text in places:
        across, up = axes.transData.transform((x, y))
        if np.isfinite((across, up)).all():
            dot = f'<circle cx="{across:.1f}" cy="{height - up:.1f}" r="7">'
            dots.append(f"{dot}<title>{escape(text)}</title></circle>")
    return f'<g fill="none" pointer-events="all">{"".join(dots)}</g>' if dots else ""


def _set_scale(set_scale: Callable[..., None], axis: Axis, values: np.ndarray) -> None:
    """Make an axis logarithmic if it asks for that, with room for what is not positive."""
    positive = values[values > 0]
    if axis.log and positive.size == values.size > 0:
        set_scale("log")
    elif axis.log and positive.size:
        set_scale("symlog", linthresh=10.0 ** floor(log10(positive.min())), linscale=0.5)


def _set_ticks(axis: DrawnAxis, count: int) -> None:
    """Give an axis at most about so many ticks, with numbers as the page writes them."""
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(lambda value, _: plain(value)))
    if axis.get_scale() == "linear":
        axis.set_major_locator(MaxNLocator(count, steps=[1, 2, 2.5, 5, 10]))
    elif axis.get_scale() == "log":
        axis.set_major_locator(LogLocator(numticks=count))
        low, high = axis.get_view_interval()
        if sum(low <= tick <= high for tick in axis.get_majorticklocs()) < 3:
            axis.set_major_locator(LogLocator(subs=(1, 2, 5), numticks=count))


def _few(places: Sequence[float]) -> list[float]:
    """Return different places in order; none where there are many."""
    different = sorted({place for place in places if isfinite(place)})
    return different if len(different) <= FEW else []
