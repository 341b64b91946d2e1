"""A panel of series: what was measured with its error, theory, and points without a line."""

from collections.abc import Iterator, Sequence
from math import isnan

import numpy as np
from markupsafe import Markup
from matplotlib.axes import Axes

from legatee.finding import Curves, Series
from legatee.report.canvas import ARMS, INK, cut, drawing, to_svg
from legatee.report.frame import Spot, finish, finite, frame, spots
from legatee.report.panel import Picture, Table, ink_swatch, line_swatch, mark_of, place_of
from legatee.text import NOTHING, plain

HEIGHT = 220  # [px] of the axes
ERROR_BARS = 16  # more points than this have a band instead of bars [count]
MARKED = 10  # about so many points of a line with a band are marked [count]
LONG_NAME = 32  # of a point's series when it is pointed at [count]
MOST_SPOTS = 400  # with more points than this, none shows its numbers [count]


def draw_series(panel: Curves, *, name: str) -> Picture:
    """Return a panel of series as the page shows it.

    Args:
        panel: What to draw.
        name: Identifier of this figure, unique on its page.

    Returns:
        The same bytes for the same panel.
    """
    levels = () if panel.level is None else (panel.level,)
    xs = finite(*(series.x for series in panel.series))
    ys = finite(*(series.y for series in panel.series), levels)
    with drawing(name):
        figure, axes = frame(panel, xs, ys, height=HEIGHT)
        for level in levels:
            axes.axhline(level, color=INK, linewidth=1, alpha=0.7)
        for series in panel.series:
            _draw(axes, series)
        axes.grid(axis="y", color=INK, alpha=0.12)
        measured = [x for series in panel.series if series.kind == "measured" for x in series.x]
        finish(axes, measured)
        texts = [_description(series) for series in panel.series]
        words = f"{panel.title}. {panel.y.label}, against {panel.x.label}: {'; '.join(texts)}."
        svg = to_svg(
            figure, name, words, above=spots(axes, _spots(panel), figure.get_figheight() * 72)
        )
    key = [(line_swatch(series.kind, series.colour), series.name) for series in panel.series]
    key += [(ink_swatch(width=1), f"for comparison: {plain(level)}") for level in levels]
    return Picture(title=panel.title, svg=Markup(svg), key=tuple(key), table=_table(panel))


def _draw(axes: Axes, series: Series) -> None:
    """Draw one series, which has gaps where a value is not finite."""
    x, y, error = (_with_gaps(values) for values in (series.x, series.y, series.error))
    ink, mark = ARMS[place_of(series.colour)], mark_of(series.colour)
    if series.kind == "theory":
        axes.plot(x, y, "--", color=ink, linewidth=2, dashes=(3, 1.8), zorder=3)
        return
    if series.kind == "scatter":
        axes.plot(x, y, mark, color=ink, markersize=5, alpha=0.6, markeredgewidth=0)
        bars = error.size > 0
    else:
        every = 1 if x.size <= ERROR_BARS else -(-x.size // MARKED)
        axes.plot(x, y, color=ink, linewidth=2, marker=mark, markersize=6, markevery=every)
        bars = 0 < error.size <= ERROR_BARS
    if bars:
        axes.errorbar(x, y, error, fmt="none", ecolor=ink, elinewidth=1.5, capsize=2.5, alpha=0.8)
    elif error.size:
        axes.fill_between(x, y - error, y + error, color=ink, alpha=0.18, linewidth=0)


def _with_gaps(values: Sequence[float]) -> np.ndarray:
    """Return values with one kind of gap: not a number wherever one is not finite."""
    array = np.array(values, dtype=float)
    return np.where(np.isfinite(array), array, np.nan)


def _spots(panel: Curves) -> Iterator[Spot]:
    """Yield the texts of measured points, shown when a reader points at them."""
    shown = [series for series in panel.series if series.kind != "theory"]
    if sum(len(series.x) for series in shown) > MOST_SPOTS:
        return
    for series in shown:
        name = cut(series.name, LONG_NAME)
        for n, x in enumerate(series.x):
            yield x, series.y[n], f"{name}\n{plain(x, 5)}: {_value(series, n)}"


def _value(series: Series, place: int) -> str:
    """Return one value with its error in words."""
    if not series.error or isnan(series.y[place]):
        return plain(series.y[place])
    return f"{plain(series.y[place])} ± {plain(series.error[place], 2)}"


def _description(series: Series) -> str:
    """Return what a series looks like, in words."""
    known = [(x, y) for x, y in zip(series.x, series.y, strict=True) if finite((x, y)).size == 2]
    if not known:
        return f"{series.name}, without values"
    ends = sorted(known)[0], sorted(known)[-1]
    low, high = (choose(y for _, y in known) for choose in (min, max))
    if series.kind == "scatter":
        return f"{series.name}, {len(known)} points between {plain(low)} and {plain(high)}"
    course = " to ".join(f"{plain(y)} at {plain(x)}" for x, y in ends)
    return f"{series.name} from {course}, between {plain(low)} and {plain(high)}"


def _table(panel: Curves) -> Table | None:
    """Return the numbers of what was measured, and of the theory at the same places."""
    lines = [series for series in panel.series if series.kind != "scatter"]
    measured = [series for series in lines if series.kind == "measured"] or lines
    places = sorted({float(x) for x in finite(*(series.x for series in measured))})
    found = [{x: _value(series, n) for n, x in enumerate(series.x)} for series in lines]
    shown = [n for n, values in enumerate(found) if not values.keys().isdisjoint(places)]
    table = Table(
        head=(panel.x.label, *(lines[n].name for n in shown)),
        rows=tuple((plain(x, 6), *(found[n].get(x, NOTHING) for n in shown)) for x in places),
    )
    return table if table.fits else None
