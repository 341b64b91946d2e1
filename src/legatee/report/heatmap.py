"""A panel of values over two axes: a cell for each value, and boundaries on top."""

from html import escape

import numpy as np
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.transforms import Transform

from legatee.finding import Heatmap
from legatee.report.canvas import INK, PAPER, drawing, to_svg
from legatee.report.frame import finish, finite, frame
from legatee.report.panel import Key, Picture, Table, area_swatch, ink_swatch, missing_swatch
from legatee.report.shades import limits_of, paint, ramp, shades_of
from legatee.text import plain

HEIGHT = 270  # [px] of the axes
DASHES = ((4.0, 1.8), (1.0, 1.4), (7.0, 1.8, 1.0, 1.8))  # of boundaries that are not measured


def draw_heatmap(panel: Heatmap, *, name: str) -> Picture:
    """Return a panel of values over two axes as the page shows it.

    Args:
        panel: What to draw.
        name: Identifier of this figure, unique on its page.

    Returns:
        The same bytes for the same panel.
    """
    columns, rows = np.array(panel.columns), np.array(panel.rows)
    values = np.array(panel.values, dtype=float).reshape(rows.size, columns.size)
    limits, is_cut = limits_of(values, panel.scale), panel.scale == "cut"
    shades = shades_of(values, limits, panel.scale)
    with drawing(name):
        figure, axes = frame(panel, columns, rows, height=HEIGHT)
        across = _edges(axes.xaxis.get_transform(), columns)
        along = _edges(axes.yaxis.get_transform(), rows)
        axes.set(xlim=across[[0, -1]], ylim=along[[0, -1]])
        key = _boundaries(axes, panel)
        finish(axes, panel.columns, panel.rows)
        axes.tick_params(length=0)
        below = _cells(
            panel, values, shades, _pixels(axes, across, along, figure.get_figheight() * 72)
        )
        svg = to_svg(figure, name, _description(panel, values), below=below)
    if not np.isfinite(values).all():
        key = [(missing_swatch(), "no value"), *key]
    if is_cut:
        key = [(area_swatch(paint(1)), "yes"), (area_swatch(paint(-1)), "no"), *key]
    return Picture(
        title=panel.title,
        scale=panel.scale,
        label=panel.label,
        ramp=None if is_cut else ramp(limits, panel.scale),
        svg=Markup(svg),
        key=tuple(key),
        table=_table(panel),
    )


def _edges(transform: Transform, places: np.ndarray) -> np.ndarray:
    """Return where cells around these places begin and end: halfway, as the axis sees it."""
    seen = transform.transform(places) if places.size else np.zeros(1)
    middles = (seen[:-1] + seen[1:]) / 2 if seen.size > 1 else seen + 0.5
    edges = np.array([2 * seen[0] - middles[0], *middles, 2 * seen[-1] - middles[-1]])
    found: np.ndarray = transform.inverted().transform(np.unique(edges))
    return found


def _pixels(
    axes: Axes, across: np.ndarray, along: np.ndarray, height: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return where columns and rows begin and end in the drawing [px]."""
    x = axes.transData.transform([(edge, along[0]) for edge in across])[:, 0]
    y = axes.transData.transform([(across[0], edge) for edge in along])[:, 1]
    return x, height - y


def _cells(
    panel: Heatmap, values: np.ndarray, shades: np.ndarray, edges: tuple[np.ndarray, np.ndarray]
) -> str:
    """Return the cells, those of one colour together; each shows its value when pointed at."""
    x, y = (np.round(places, 1) for places in edges)
    groups: dict[str, list[str]] = {}
    for row, column in np.ndindex(values.shape):
        value, shade = float(values[row, column]), float(shades[row, column])
        left, right, bottom, top = x[column], x[column + 1], y[row], y[row + 1]
        area = f"M{left:g} {top:g}H{right:g}V{bottom:g}H{left:g}z"
        if not np.isfinite(shade):
            area += f"L{right:g} {bottom:g}"  # crossed out
        place = f"{plain(panel.columns[column], 5)}, {plain(panel.rows[row], 5)}"
        text = escape(f"{place}: {plain(value)}")
        style = f"fill: {paint(shade)}" if np.isfinite(shade) else "fill: none; stroke: var(--line)"
        groups.setdefault(style, []).append(f'<path d="{area}"><title>{text}</title></path>')
    return "".join(
        f'<g style="{style}" pointer-events="all" shape-rendering="crispEdges">{"".join(cells)}</g>'
        for style, cells in groups.items()
    )


def _boundaries(axes: Axes, panel: Heatmap) -> Key:
    """Draw every boundary, rimmed so that it stands out from any colour; return their key."""
    key, dashed = [], 0
    for line in panel.lines:
        dashes: tuple[float, ...] = ()
        if line.kind != "measured":
            dashes, dashed = DASHES[dashed % len(DASHES)], dashed + 1
        axes.plot(line.x, line.y, "-", color=PAPER, linewidth=5, alpha=0.85)
        (drawn,) = axes.plot(line.x, line.y, "-", color=INK, linewidth=2)
        if dashes:
            drawn.set_dashes(dashes)
        key.append((ink_swatch(dashes), line.name))
    return key


def _description(panel: Heatmap, values: np.ndarray) -> str:
    """Return what is seen, in words."""
    begin = f"{panel.title}. {panel.label}, over {panel.x.label} and {panel.y.label}"
    shown = finite(values.ravel())
    if not shown.size:
        return f"{begin}: no values."
    if panel.scale == "cut":
        seen = f"yes in {np.count_nonzero(shown >= 0.5)} of {shown.size} cells"
    else:
        ends = []
        for value in (shown.min(), shown.max()):
            row, column = np.argwhere(values == value)[0]
            where = f"{plain(panel.columns[column])}, {plain(panel.rows[row])}"
            ends.append(f"{plain(value)} at ({where})")
        seen = " to ".join(ends)
    if panel.scale == "diverging":
        seen += f"; above zero in {np.count_nonzero(shown > 0)} of {shown.size} cells"
    drawn = "".join(f"; a line for {line.name}" for line in panel.lines)
    return f"{begin}: {seen}{drawn}."


def _table(panel: Heatmap) -> Table | None:
    """Return the numbers, upper rows first as they are drawn."""
    head = (f"{panel.y.label} ↓ {panel.x.label} →", *(plain(x, 6) for x in panel.columns))
    pairs = zip(panel.rows, panel.values, strict=True)
    rows = [(plain(y, 6), *(plain(value) for value in row)) for y, row in pairs]
    table = Table(head=head, rows=tuple(reversed(rows)))
    return table if table.fits else None
