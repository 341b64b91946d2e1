"""The figures of an advice, each as an ``<svg>`` element whose numbers are also in its text."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from legatee.advice import Advice
from legatee.report.canvas import INK, arm_ink, cut, drawing, to_svg
from legatee.report.words import Scale

WIDTH = 400  # [px] at the size of the text; the page scales it
ROW = 40  # [px] of an arm in a plot of intervals
DASHES = ["-", "--", "-.", ":"]  # so that colour is never the only difference


@dataclass(frozen=True, kw_only=True)
class PlotRow:
    """One arm in a plot of intervals, already in the units shown.

    Attributes:
        name: The arm.
        colour: Its colour while matplotlib draws.
        numbers: What is written at the row's right end.
        estimate: Where the dot stands.
        lower: Where the line begins.
        upper: Where the line ends.
        seeds: Where a faint dot stands for each seed.
    """

    name: str
    colour: str
    numbers: str
    estimate: float
    lower: float
    upper: float
    seeds: Sequence[float] = ()


@dataclass(frozen=True, kw_only=True)
class Curve:
    """One arm's course over training, already in the units shown.

    Attributes:
        name: The arm.
        place: Its place among the arms, which sets its colour and its dashes.
        epochs: Where something was recorded [count].
        mean: Mean over the seeds that recorded it.
        lowest: Lowest seed.
        highest: Highest seed.
    """

    name: str
    place: int
    epochs: np.ndarray
    mean: np.ndarray
    lowest: np.ndarray
    highest: np.ndarray


def draw_scores(advice: Advice, runs: xr.Dataset | None, scale: Scale, *, name: str) -> str:
    """Return the held-out score of every arm, with its standard error and its single seeds.

    Args:
        advice: The arms.
        runs: Where the single seeds' scores are, when they were kept.
        scale: How scores are written.
        name: Identifier of this figure, unique on its page.

    Returns:
        An ``<svg>`` element.
    """
    rows = [
        PlotRow(
            name=arm.name,
            colour=arm_ink(place),
            numbers=f"{scale.score(arm.score)} ± {scale.score(arm.score_error)}",
            estimate=arm.score * scale.factor,
            lower=(arm.score - arm.score_error) * scale.factor,
            upper=(arm.score + arm.score_error) * scale.factor,
            seeds=_seed_scores(runs, arm.name, scale.factor),
        )
        for place, arm in enumerate(advice.arms)
    ]
    unit = " percent" if scale.percent else ""
    texts = "; ".join(f"{row.name} {row.numbers}" for row in rows)
    label = "held-out score (%)" if scale.percent else "held-out score"
    with drawing(name):
        figure = _intervals(rows, label)
        return to_svg(figure, name, f"Held-out score of every arm{unit}: {texts}.")


def draw_gains(advice: Advice, scale: Scale, *, name: str) -> str:
    """Return each arm's gain over scratch, with its simultaneous interval, zero and the margin.

    Args:
        advice: The arms, at least one beside scratch.
        scale: How scores are written.
        name: Identifier of this figure, unique on its page.

    Returns:
        An ``<svg>`` element.
    """
    rows = []
    for place, arm in enumerate(advice.arms):
        if arm.gain is None:
            continue
        estimate, lower, upper = arm.gain.estimate, arm.gain.lower, arm.gain.upper
        rows.append(
            PlotRow(
                name=arm.name,
                colour=arm_ink(place),
                numbers=f"{scale.signed(estimate)} [{scale.signed(lower)}, {scale.signed(upper)}]",
                estimate=estimate * scale.factor,
                lower=lower * scale.factor,
                upper=upper * scale.factor,
            )
        )
    texts = "; ".join(f"{row.name} {row.numbers}" for row in rows)
    label = "gain over scratch (points)" if scale.percent else "gain over scratch"
    words = scale.points(advice.margin)
    reference = [(0.0, "-")]
    if advice.margin:
        reference.append((advice.margin * scale.factor, ":"))
    with drawing(name):
        figure = _intervals(rows, label, reference=reference)
        return to_svg(figure, name, f"{label.capitalize()}: {texts}. The margin is {words}.")


def draw_curves(advice: Advice, runs: xr.Dataset, variable: str, scale: Scale, *, name: str) -> str:
    """Return one learning curve per arm: the mean over seeds in a band from lowest to highest.

    Args:
        advice: The arms.
        runs: Where the curves are.
        variable: ``"train_loss"`` or ``"held_out_score"``.
        scale: How scores are written.
        name: Identifier of this figure, unique on its page.

    Returns:
        An ``<svg>`` element; ``""`` where no arm recorded this variable.
    """
    scored = variable == "held_out_score"
    factor = scale.factor if scored else 1
    courses = (_curve(runs, variable, arm.name, n) for n, arm in enumerate(advice.arms))
    curves = [curve for curve in courses if curve.epochs.size]
    if not curves:
        return ""
    label = "train loss" if not scored else "held-out score" + (" (%)" if scale.percent else "")
    texts = "; ".join(
        f"{c.name} from {c.mean[0] * factor:.3g} at epoch {c.epochs[0]} "
        f"to {c.mean[-1] * factor:.3g} at epoch {c.epochs[-1]}"
        for c in curves
    )
    with drawing(name):
        figure = _lines(curves, label, factor, runs["epoch"].values)
        return to_svg(figure, name, f"{label.capitalize()} per epoch, mean over seeds: {texts}.")


def _seed_scores(runs: xr.Dataset | None, arm: str, factor: float) -> list[float]:
    """Return the mean score of every seed of one arm, none where the runs were not kept."""
    if runs is None:
        return []
    scores: list[float] = (runs["score"].sel(arm=arm).mean("item") * factor).values.tolist()
    return scores


def _curve(runs: xr.Dataset, variable: str, arm: str, place: int) -> Curve:
    """Return what one arm recorded; what is not finite counts as not recorded."""
    course = runs[variable].sel(arm=arm)
    course = course.where(np.isfinite(course)).dropna("epoch", how="all")
    return Curve(
        name=arm,
        place=place,
        epochs=course["epoch"].values,
        mean=course.mean("seed").values,
        lowest=course.min("seed").values,
        highest=course.max("seed").values,
    )


def _intervals(
    rows: Sequence[PlotRow], label: str, *, reference: Sequence[tuple[float, str]] = ()
) -> Figure:
    """Return a figure with a row for each arm: name and numbers, below them the interval.

    ``reference`` holds positions, each with the style of the line that marks it in every row.
    """
    height = ROW * len(rows) + 46
    figure = Figure(figsize=(WIDTH / 72, height / 72), dpi=72)
    axes = figure.add_axes((0, 42 / height, 1, ROW * len(rows) / height))
    marks: list[float] = []
    for place, row in enumerate(rows):
        for x, text, side in ((0.0, cut(row.name, 28), "left"), (1.0, row.numbers, "right")):
            where = axes.get_yaxis_transform()
            axes.text(x, place - 0.22, text, ha=side, va="center", transform=where)
        y, colour = place + 0.2, row.colour
        for mark, style in reference:
            axes.plot([mark, mark], [y - 0.18, y + 0.22], style, color=INK, linewidth=1.2)
            marks.append(mark)
        axes.plot(row.seeds, [y] * len(row.seeds), "o", color=colour, alpha=0.35, markersize=5)
        axes.plot([row.lower, row.upper], [y, y], color=colour, linewidth=3)
        axes.plot([row.estimate], [y], "o", color=colour, markersize=9)
        marks += [row.lower, row.upper, row.estimate, *row.seeds]
    shown = np.array(marks)[np.isfinite(marks)]
    span = np.ptp(shown) if shown.size and np.ptp(shown) else 1.0
    middle = (shown.min() + shown.max()) / 2 if shown.size else 0.0
    axes.set_xlim(middle - 0.55 * span, middle + 0.55 * span)
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.set_yticks([])
    axes.xaxis.set_major_locator(MaxNLocator(6))
    axes.set_xlabel(label)
    return figure


def _lines(curves: Sequence[Curve], label: str, factor: float, epochs: np.ndarray) -> Figure:
    """Return a figure with a line and its band for each arm, named where it ends."""
    height = 250
    names = [cut(curve.name, 14) for curve in curves]
    right = WIDTH - 12 - 7 * max(map(len, names))
    figure = Figure(figsize=(WIDTH / 72, height / 72), dpi=72)
    axes = figure.add_axes((44 / WIDTH, 42 / height, (right - 44) / WIDTH, (height - 66) / height))
    for curve in curves:
        colour = arm_ink(curve.place)
        axes.fill_between(
            curve.epochs,
            curve.lowest * factor,
            curve.highest * factor,
            color=colour,
            alpha=0.15,
            linewidth=0,
        )
        axes.plot(
            curve.epochs,
            curve.mean * factor,
            color=colour,
            linewidth=2,
            linestyle=DASHES[curve.place % len(DASHES)],
            marker="o" if curve.epochs.size < 12 else "",
            markersize=4,
        )
    beside = 0.03 * np.ptp(epochs) or 0.5
    axes.set_xlim(epochs.min() - beside, epochs.max() + beside)
    _name_ends(axes, curves, names, factor)
    axes.grid(axis="y", color=INK, alpha=0.12)
    axes.tick_params(axis="y", length=0)
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    axes.yaxis.set_major_locator(MaxNLocator(5))
    axes.set_xlabel("epoch")
    figure.text(0, 1 - 11 / height, label, va="center")
    return figure


def _name_ends(axes: Axes, curves: Sequence[Curve], names: Sequence[str], factor: float) -> None:
    """Write every curve's name beside its end, moved up or down where names would overlap."""
    low, high = axes.get_ylim()
    ends = np.array([(curve.mean[-1] * factor - low) / (high - low) for curve in curves])
    order = np.argsort(ends, kind="stable")
    gap = 15 / 184  # [share of the axes' height] for a line of text
    heights = ends.copy()
    for below, above in pairwise(order):
        heights[above] = max(heights[above], heights[below] + gap)
    heights[order[-1]] = min(heights[order[-1]], 1)
    for above, below in pairwise(order[::-1]):
        heights[below] = min(heights[below], heights[above] - gap)
    for curve, name, height in zip(curves, names, heights, strict=True):
        axes.text(
            1.03,
            height,
            name,
            color=arm_ink(curve.place),
            va="center",
            transform=axes.transAxes,
        )
