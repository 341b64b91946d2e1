import re
import subprocess
import sys
from html.parser import HTMLParser

import matplotlib as mpl
import pytest

from legatee.report.advice_figures import draw_curves, draw_gains, draw_scores
from legatee.report.words import scale_of


def drawn(case, name="figure"):
    """Every figure of a case that it has something to draw for."""
    scale, runs = scale_of(case.advice, case.runs), case.runs
    figures = [draw_scores(case.advice, runs, scale, name=f"{name}-a")]
    if case.advice.comparisons:
        figures.append(draw_gains(case.advice, scale, name=f"{name}-b"))
    if runs is not None and runs.sizes["epoch"]:
        for variable in ("train_loss", "held_out_score"):
            figures.append(
                draw_curves(case.advice, runs, variable, scale, name=f"{name}-{variable}")
            )
    return [figure for figure in figures if figure]


class Tags(HTMLParser):
    """The attributes of every tag, and the text, as a browser would read them."""

    def __init__(self, source: str):
        super().__init__()
        self.attributes, self.names, self.text = [], [], []
        self.feed(source)

    def handle_starttag(self, tag, attrs):
        self.names.append(tag)
        self.attributes += attrs

    def handle_data(self, data):
        self.text.append(data.strip())


def test_same_numbers_same_bytes(cases):
    for case in cases.values():
        assert drawn(case) == drawn(case)


def test_a_users_own_style_neither_matters_nor_changes(cases):
    plain = drawn(cases["inherit"])
    mine = {"font.size": 30, "axes.facecolor": "red", "svg.fonttype": "path", "lines.marker": "x"}
    with mpl.rc_context(mine):
        assert drawn(cases["inherit"]) == plain
        assert mpl.rcParams["font.size"] == 30


def test_identifiers_are_unique_on_a_page_and_references_find_them(cases):
    page = "".join(drawn(cases["inherit"], "one") + drawn(cases["scratch"], "two"))
    found = Tags(page).attributes
    names = [value for key, value in found if key == "id"]
    assert len(names) == len(set(names))
    used = re.findall(r'url\(#([^)]*)\)|href="#([^"]*)"', page)
    assert used
    assert {a or b for a, b in used} <= set(names)


def test_colours_are_the_pages_and_so_is_the_font(cases):
    for figure in drawn(cases["inherit"]):
        assert not re.search(r"#[0-9a-fA-F]{6}\b", figure)
        assert "font-family" not in figure
        assert {"currentColor", "var(--arm-1)"} <= set(
            re.findall(r"currentColor|var[^;\"]*", figure)
        )


def test_gains_are_said_in_words_and_shown(cases):
    figure = drawn(cases["inherit"])[1]
    label = dict(Tags(figure).attributes)["aria-label"]
    assert "half +10.2 [+5.1, +15.3]; all +6.2 [+1.1, +11.3]" in label
    assert "margin is 1 point." in label
    assert {"half", "+10.2 [+5.1, +15.3]"} <= set(Tags(figure).text)


def test_curves_start_and_end_where_something_was_recorded(cases):
    label = dict(Tags(drawn(cases["inherit"])[-1]).attributes)["aria-label"]
    assert "at epoch 4 to" in label
    assert label.endswith("at epoch 20.")


def test_curves_never_recorded_are_not_drawn(cases):
    case = cases["hostile"]  # its held-out scores are all missing
    scale = scale_of(case.advice, case.runs)
    assert draw_curves(case.advice, case.runs, "held_out_score", scale, name="x") == ""


@pytest.mark.parametrize("kind", ["hostile", "undecided", "plain", "untried"])
def test_whatever_an_arm_is_called_stays_text(cases, kind):
    for figure in drawn(cases[kind]):
        tags = Tags(figure)
        assert {"script", "img", "style"}.isdisjoint(tags.names)
        if kind == "hostile":
            assert any("_$x^2$" in text for text in tags.text)  # no mathematics, not hidden
            assert "_hidden" in tags.text


def test_pyplot_is_never_imported():
    check = "import sys, legatee.report.page; sys.exit('matplotlib.pyplot' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", check], check=False).returncode == 0
