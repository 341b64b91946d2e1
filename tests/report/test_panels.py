import re
from math import inf, nan

import numpy as np
import pytest
from finding_cases import DIMENSION, a_map, gamma_collapse, universal_signal, upstream_samples

from legatee.finding import Axis, Curves, Heatmap, Series
from legatee.report.curves import draw_series
from legatee.report.heatmap import draw_heatmap
from legatee.report.shades import limits_of, paint, shades_of


def curves(*series, log=False, **changes):
    fields = {"title": "t", "x": Axis(label="x", log=log), "y": Axis(label="y"), "series": series}
    return Curves(**(fields | changes))


def heatmap(values, columns, rows, **changes):
    fields = {"title": "t", "x": Axis(label="x"), "y": Axis(label="y"), "label": "v"}
    return Heatmap(**(fields | {"columns": columns, "rows": rows, "values": values} | changes))


def strokes(svg, colour, *, dashed):
    """The lines of more than one point in a colour."""
    paths = re.findall(r'<path d="([^"]*)"[^>]*style="([^"]*)"', svg)
    return [
        data
        for data, style in paths
        if f"stroke: {colour}" in style and ("stroke-dasharray" in style) is dashed and "L" in data
    ]


def cells(svg):
    """Left, top, right and bottom of every cell with a value."""
    found = re.findall(r'd="M([\d.]+) ([\d.]+)H([\d.]+)V([\d.]+)H', svg)
    return np.array(found, dtype=float)


def test_same_panel_same_bytes():
    for panel in (*upstream_samples().panels, *gamma_collapse().panels):
        assert draw_series(panel, name="a") == draw_series(panel, name="a")
    assert draw_heatmap(a_map(), name="a") == draw_heatmap(a_map(), name="a")


def test_theory_is_dashed_in_the_colour_of_what_it_predicts():
    svg = draw_series(universal_signal().panels[0], name="a").svg
    assert len(strokes(svg, "var(--arm-1)", dashed=True)) == 1
    assert len(strokes(svg, "var(--arm-1)", dashed=False)) >= 1


def test_a_line_breaks_where_a_value_is_missing():
    x = (1.0, 2.0, 3.0, 4.0, 5.0)
    whole = draw_series(curves(Series(name="a", x=x, y=(1, 2, 3, 4, 5))), name="a").svg
    for gap in (nan, inf):
        series = Series(name="a", x=x, y=(1, 2, gap, 4, 5))
        (line,) = strokes(draw_series(curves(series), name="a").svg, "var(--arm-1)", dashed=False)
        assert line.count("M") == 2
    (line,) = strokes(whole, "var(--arm-1)", dashed=False)
    assert line.count("M") == 1


def test_few_points_have_bars_and_many_a_band():
    for count, band in ((5, False), (50, True)):
        x = tuple(float(n) for n in range(count))
        series = Series(name="a", x=x, y=x, error=(1.0,) * count)
        svg = draw_series(curves(series), name="a").svg
        assert ("fill-opacity: 0.18" in svg) is band
    without = draw_series(curves(Series(name="a", x=x, y=x)), name="a").svg
    assert "fill-opacity" not in without


def test_what_is_not_positive_has_a_place_on_a_logarithmic_axis():
    series = Series(name="a", x=(0.0, 1.0, 10.0, 100.0), y=(1, 2, 3, 4), kind="scatter")
    svg = draw_series(curves(series, log=True), name="a").svg
    places = [float(x) for x in re.findall(r'<circle cx="([\d.]+)"', svg)]
    assert len(places) == 4
    assert places == sorted(places)
    assert places[2] - places[1] == pytest.approx(places[3] - places[2], abs=0.2)


def test_cells_end_halfway_as_the_axis_sees_it():
    values = ((1.0, 2.0, 3.0),) * 3
    panel = heatmap(values, (0.0, 1.0, 3.0), (1e2, 1e3, 1e4), y=DIMENSION)
    found = cells(draw_heatmap(panel, name="a").svg)
    widths, heights = found[:, 2] - found[:, 0], found[:, 3] - found[:, 1]
    assert heights == pytest.approx(np.full(9, 90), abs=0.15)  # equal in the logarithm
    unit = (found[:, 2].max() - found[:, 0].min()) / 4.5  # -0.5 .. 0.5 .. 2 .. 4
    assert sorted(widths / unit)[::3] == pytest.approx([1, 1.5, 2], abs=0.01)


def test_a_map_of_one_cell_is_a_cell():
    found = cells(draw_heatmap(heatmap(((7.0,),), (3.0,), (2.0,)), name="a").svg)
    assert found.shape == (1, 4)
    assert found[0, 2] - found[0, 0] > 300


def test_zero_is_neither_gain_nor_loss_and_nothing_has_no_colour():
    values = np.array([[-3.0, -0.01, 0.0, 0.01, 3.0, nan]])
    shades = shades_of(values, limits_of(values, "diverging"), "diverging")[0]
    assert shades[0] == -1
    assert shades[1] < 0
    assert shades[2] == 0
    assert shades[3] > 0
    assert shades[4] == 1
    assert np.isnan(shades[5])
    assert paint(shades[2]) == "var(--middle)"
    svg = draw_heatmap(heatmap(tuple(map(tuple, values)), tuple(range(6)), (1.0,)), name="a").svg
    assert svg.count("fill: none; stroke: var(--line)") == 1


@pytest.mark.parametrize("scale", ["sequential", "diverging"])
@pytest.mark.parametrize("size", [1e-6, 1.0, 3e7])
def test_limits_hold_all_values_and_are_few(scale, size):
    draw = np.random.default_rng(1)
    values = size * draw.normal(0.3, 1, (7, 5))
    limits = limits_of(values, scale)
    assert limits[0] <= values.min()
    assert values.max() <= limits[-1]
    assert 5 < limits.size < 20
    if scale == "diverging":
        assert limits == pytest.approx(-limits[::-1])
        assert 0 in limits


def test_a_cut_map_has_two_colours():
    picture = draw_heatmap(a_map("cut"), name="a")
    assert picture.ramp is None
    assert [name for _, name in picture.key] == [
        "yes",
        "no",
        "no value",
        "measured boundary",
        "predicted boundary",
    ]
    assert len(set(re.findall(r"fill: color-mix[^\"]*", picture.svg))) == 2


def test_boundaries_are_drawn_on_top_of_the_cells_with_a_rim():
    svg = draw_heatmap(a_map(), name="a").svg
    cell, rim = svg.rindex("<title>"), svg.index("stroke: var(--paper)")
    ink = svg.index("stroke-width: 2;", rim)
    assert cell < rim < ink
    assert len(strokes(svg, "currentColor", dashed=True)) == 1


def test_ticks_stand_where_something_was_measured():
    svg = draw_series(upstream_samples().panels[1], name="a").svg
    texts = re.findall(r"<text[^>]*>([^<]*)</text>", svg)
    assert {"100", "200", "500", "1,000"} <= set(texts)


def test_numbers_of_curves_stand_in_a_table_with_the_theory_at_the_same_places():
    lines = (
        Series(name="one", x=(1, 2), y=(10, 20)),
        Series(name="theory", x=(1, 1.5, 2), y=(11, 15, 21), kind="theory"),
        Series(name="two", x=(2, 4), y=(30, 40)),
        Series(name="points", x=(1,), y=(1,), kind="scatter"),
    )
    table = draw_series(curves(*lines), name="a").table
    assert table.head == ("x", "one", "theory", "two")
    assert [row[0] for row in table.rows] == ["1", "2", "4"]
    assert [row[1:3] for row in table.rows[:2]] == [("10", "11"), ("20", "21")]
    assert [row[3] for row in table.rows[1:]] == ["30", "40"]


def test_what_shows_a_value_when_pointed_at_lies_where_its_point_is():
    picture = draw_series(curves(Series(name="one", x=(1, 2, 3), y=(5, 6, 9))), name="a")
    spots = re.findall(r'<circle cx="([-\d.]+)" cy="([-\d.]+)"', picture.svg)
    places = np.array(spots, dtype=float)
    height = float(re.search(r'viewBox="0 0 [\d.]+ ([\d.]+)"', picture.svg)[1])
    assert len(places) == 3
    assert (np.diff(places[:, 0]) > 0).all()
    assert 0 < places[2, 1] < places[1, 1] < places[0, 1] < height
    rises = places[:-1, 1] - places[1:, 1]
    assert rises[1] == pytest.approx(3 * rises[0], rel=0.02)
