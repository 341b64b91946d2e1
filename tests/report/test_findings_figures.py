import re

import pytest
from finding_cases import phase_diagram, universal_signal


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_neighbouring_colours_of_a_map_differ_and_zero_parts_gain_from_loss(show, scheme):
    page = show("good", scheme=scheme)
    read = """(areas) => {
      const canvas = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
      return areas.map((area) => {
        canvas.fillStyle = getComputedStyle(area).fill; canvas.fillRect(0, 0, 1, 1);
        return [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3);
      });
    }"""
    for scale in ("diverging", "sequential"):
        colours = page.locator(f".panel.{scale} .ramp").first.locator("path").evaluate_all(read)
        assert len({tuple(colour) for colour in colours}) == len(colours) > 5
    reds, blues = zip(*[(r, b) for r, _, b in _diverging(page, read)], strict=True)
    half = len(reds) // 2
    assert all(r > b for r, b in zip(reds[:half], blues[:half], strict=True))  # loss: orange
    assert all(r < b for r, b in zip(reds[half:], blues[half:], strict=True))  # gain: blue


def _diverging(page, read):
    return page.locator(".panel.diverging .ramp").first.locator("path").evaluate_all(read)


def test_a_cell_says_its_own_value(show):
    page = show("good")
    coarse = phase_diagram().panels[-1]
    figure = page.locator(".panel", has=page.get_by_text(coarse.title, exact=True)).locator("svg")
    cells = figure.first.locator("[pointer-events] > path")
    assert cells.count() == 25
    box = figure.first.locator("[pointer-events]").evaluate_all(
        """(groups) => {
          const boxes = groups.map((group) => group.getBoundingClientRect());
          const [left, top] = ['left', 'top'].map((s) => Math.min(...boxes.map((b) => b[s])));
          const [right, low] = ['right', 'bottom'].map((s) => Math.max(...boxes.map((b) => b[s])));
          return [left + scrollX, top + scrollY, right - left, low - top];
        }"""
    )
    for row, column in ((0, 0), (1, 3), (4, 4), (4, 0)):  # the lowest row is drawn lowest
        x = box[0] + box[2] * (column + 0.5) / 5
        y = box[1] + box[3] * (1 - (row + 0.5) / 5)
        said = page.evaluate(
            """([x, y]) => { window.scrollTo(0, y - 400);
              return document.elementFromPoint(x - scrollX, y - scrollY).textContent; }""",
            [x, y],
        )
        value = coarse.values[row][column]
        assert said.startswith(f"{coarse.columns[column]:g}, ")
        shown = said.split(": ")[1].replace("\N{MINUS SIGN}", "-")
        assert (
            shown == "\N{EN DASH}"
            if value != value
            else float(shown) == pytest.approx(value, rel=1e-3)
        )


def test_points_stand_where_their_numbers_say(show):
    """Half-way between two ticks, in the browser: the axis is read as a reader would."""
    page = show("good")
    figure = (
        page.locator(".panel", has_text="Gain as the universal signal grows").locator("svg").first
    )
    ticks = {
        float(text.text_content().replace("\N{MINUS SIGN}", "-")): text.bounding_box()
        for text in figure.locator("text").all()
        if re.fullmatch("[-\N{MINUS SIGN}.0-9]+", text.text_content())
    }
    across = [box["x"] + box["width"] / 2 for tick, box in ticks.items() if tick in (0.5, 1.5)]
    dots = [dot.bounding_box() for dot in figure.locator("circle").all()]
    assert len(dots) == 5
    middles = [dot["x"] + dot["width"] / 2 for dot in dots]
    assert middles[1::2] == pytest.approx(across, abs=1)
    up = {t: box["y"] + box["height"] / 2 for t, box in ticks.items() if t in (2.5, 7.5)}
    per_point = (up[7.5] - up[2.5]) / 5
    heights = [(dot["y"] + dot["height"] / 2 - up[2.5]) / per_point + 2.5 for dot in dots]
    assert heights == pytest.approx(universal_signal().panels[0].series[0].y, abs=0.15)


def test_every_figure_says_what_is_seen(show):
    page = show("good")
    figures = page.locator("svg.figure")
    assert page.get_by_role("img", name=re.compile(r"\d")).count() == figures.count() > 10
    assert page.locator("svg:not(.figure):not([aria-hidden])").count() == 0
    name = page.get_by_role("img", name="Gain as the universal signal grows")
    said = name.get_attribute("aria-label")
    assert "gain, measured from 0.4 at 0 to 7.4 at 2, between 0.4 and 7.4" in said
    gains = page.get_by_role("img", name="Gain over scratch.").get_attribute("aria-label")
    values = [v for row in phase_diagram().panels[2].values for v in row if v == v]
    above = sum(value > 0 for value in values)
    assert f"above zero in {above} of {len(values)} cells" in gains
    assert "a line for predicted boundary" in gains


def test_numbers_of_curves_are_in_a_table(show):
    page = show("good")
    panel = page.locator(".panel", has_text="Gain as the universal signal grows")
    panel.locator("summary").click()
    rows = [row.inner_text().split("\t") for row in panel.get_by_role("row").all()]
    assert rows[0] == ["strength of the universal signal, |u|", "gain, measured", "gain, theory"]
    assert rows[3] == ["1", "2.2 ± 0.9", "2.6"]


def test_a_table_too_long_for_a_reader_is_left_to_the_data(show):
    page = show("good")
    for title, tables in (("Gain over scratch, coarse", 1), ("The same, cut in two", 0)):
        panel = page.locator(".panel", has=page.get_by_text(title, exact=True))
        assert panel.locator("table").count() == tables
