"""What the figures of an advice draw, read from the figure itself rather than from its text."""

import re
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest
from report_cases import an_advice, resnet_plan, some_runs

import legatee.report
from legatee.advice import Verdict
from legatee.report import advice_figures
from legatee.report.advice_figures import draw_curves, draw_gains, draw_scores
from legatee.report.canvas import ARM_COLOURS, arm_colour, arm_ink
from legatee.report.plan import render_plan
from legatee.report.words import scale_of

SCORES = (0.70, 0.82, 0.76)
GAINS = [(0.12, 0.05, 0.19), (0.06, 0.01, 0.11)]
ADVICE = an_advice(Verdict.INHERIT, SCORES, GAINS)
STYLE = Path(legatee.report.__file__).parent / "templates" / "style.css"


@pytest.fixture
def axes_of(monkeypatch):
    """Draw something and return the axes it was drawn on."""

    def axes(draw, *given, **named):
        kept = []
        to_svg = advice_figures.to_svg
        monkeypatch.setattr(
            advice_figures, "to_svg", lambda f, *rest: kept.append(f) or to_svg(f, *rest)
        )
        assert draw(*given, **named, name="figure").startswith("<svg")
        return kept[0].axes[0]

    return axes


def in_colour(axes, place):
    """The horizontal numbers of everything that is drawn in an arm's colour."""
    lines = [line for line in axes.lines if line.get_color() == arm_ink(place)]
    return [[round(float(x), 6) for x in line.get_xdata()] for line in lines]


def test_every_arm_is_drawn_in_its_colour_with_its_seeds_its_error_and_its_score(axes_of):
    runs = some_runs(ADVICE)
    axes = axes_of(draw_scores, ADVICE, runs, scale_of(ADVICE, runs))
    for place, arm in enumerate(ADVICE.arms):
        seeds = 100 * runs["score"].sel(arm=arm.name).mean("item").values
        ends = [100 * (arm.score - arm.score_error), 100 * (arm.score + arm.score_error)]
        expected = [seeds, ends, [100 * arm.score]]
        found = in_colour(axes, place)
        assert len(found) == 3
        for numbers, own in zip(found, expected, strict=True):
            assert numbers == pytest.approx(list(own), abs=1e-4)
    low, high = axes.get_xlim()
    everything = [x for line in axes.lines for x in line.get_xdata()]
    assert low < min(everything) < max(everything) < high
    assert high - low < 1.2 * (max(everything) - min(everything))


def test_every_gain_is_drawn_with_its_interval_zero_and_the_margin(axes_of):
    axes = axes_of(draw_gains, ADVICE, scale_of(ADVICE, None))
    assert in_colour(axes, 1) == [[], [5, 19], [12]]
    assert in_colour(axes, 2) == [[], [1, 11], [6]]
    assert in_colour(axes, 0) == []
    references = [list(line.get_xdata()) for line in axes.lines if line.get_linewidth() == 1.2]
    assert references == [[0, 0], [1, 1]] * 2


def test_without_a_margin_only_zero_is_marked(axes_of):
    advice = an_advice(Verdict.INHERIT, SCORES, GAINS, margin=0.0)
    axes = axes_of(draw_gains, advice, scale_of(advice, None))
    references = [list(line.get_xdata()) for line in axes.lines if line.get_linewidth() == 1.2]
    assert references == [[0, 0]] * 2


def curves(axes_of, scores, variable="held_out_score"):
    advice = an_advice(Verdict.INHERIT, scores, GAINS)
    runs = some_runs(advice)
    if variable == "held_out_score":  # flat, so that a test knows where each curve ends
        flat = np.broadcast_to(np.array(scores)[:, None, None], runs["held_out_score"].shape)
        runs["held_out_score"] = runs["held_out_score"].dims, flat.copy()
    return axes_of(draw_curves, advice, runs, variable, scale_of(advice, runs)), runs


def test_curves_are_named_at_the_height_at_which_they_end(axes_of):
    axes, _ = curves(axes_of, (0.2, 0.5, 0.8))
    assert [text.get_text() for text in axes.texts] == ["scratch", "half", "all"]
    low, high = axes.get_ylim()
    for text, score in zip(axes.texts, (20, 50, 80), strict=True):
        assert text.get_position()[1] == pytest.approx((score - low) / (high - low))
    assert [text.get_color() for text in axes.texts] == [arm_ink(place) for place in range(3)]


def test_names_of_curves_that_end_together_are_a_line_of_text_apart(axes_of):
    axes, _ = curves(axes_of, (0.5, 0.2, 0.501))
    heights = dict(zip("sha", (text.get_position()[1] for text in axes.texts), strict=True))
    assert heights["a"] - heights["s"] == pytest.approx(15 / 184)
    assert heights["h"] < heights["s"] < heights["a"] <= 1


@pytest.mark.parametrize(("variable", "factor"), [("held_out_score", 100), ("train_loss", 1)])
def test_curves_are_the_means_over_seeds(axes_of, variable, factor):
    axes, runs = curves(axes_of, (0.2, 0.5, 0.8), variable)
    for line, arm in zip(axes.lines, ("scratch", "half", "all"), strict=True):
        expected = factor * runs[variable].sel(arm=arm).mean("seed").values
        assert list(line.get_ydata()) == pytest.approx(list(expected))
        assert list(line.get_xdata()) == list(range(1, 21))


def test_the_page_has_a_colour_for_every_colour_that_an_arm_may_have():
    places = [re.findall(rf"--arm-{n}:", STYLE.read_text("utf-8")) for n in range(20)]
    assert [len(found) for found in places] == [2] * ARM_COLOURS + [0] * (20 - ARM_COLOURS)
    used = [arm_colour(place) for place in range(20)]
    assert set(used) == set(range(ARM_COLOURS))
    assert used.count(0) == 1  # scratch keeps its own
    assert used[1:7] == used[7:13] == [1, 2, 3, 4, 5, 6]


def test_the_page_of_a_plan_names_both_networks_and_the_version():
    plan = resnet_plan().model_copy(update={"source": "Large", "target": "Small"})
    page = render_plan(plan, command="legatee plan a b")
    assert "<title>What Small would inherit from Large</title>" in page
    assert f"legatee {version('legatee')}" in page
    assert "legatee plan a b" in page
    assert plan.digest in page
    assert plan.warnings[0] in page
