"""The page of an advice: one HTML file, the verdict first, that needs no network connection."""

import os
from collections.abc import Sequence
from dataclasses import dataclass

import xarray as xr
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from legatee.advice import Advice
from legatee.disk import write_text
from legatee.errors import LegateeError
from legatee.report import words
from legatee.report.advice_figures import draw_curves, draw_gains, draw_scores
from legatee.report.canvas import arm_colour
from legatee.report.plan_tree import picture
from legatee.text import plain, share


@dataclass(frozen=True, kw_only=True)
class Case:
    """One pair of networks on a page: what is advised, and the runs that the advice rests on.

    Attributes:
        title: What the reader calls this case.
        advice: What was found.
        runs: ``score[arm, seed, item]``, ``train_loss`` and ``held_out_score[arm, seed, epoch]``
            (not a number where nothing was recorded) and ``seconds[arm, seed]``; ``None`` where
            only the advice was kept.
    """

    title: str
    advice: Advice
    runs: xr.Dataset | None = None

    def __post_init__(self) -> None:
        if self.runs is None:
            return
        known = {str(arm) for arm in self.runs["arm"].values}
        if missing := [arm.name for arm in self.advice.arms if arm.name not in known]:
            raise LegateeError(
                f"the runs of case {self.title!r} lack the arm {missing[0]!r} of its advice"
            )


def render(cases: Sequence[Case], *, title: str) -> str:
    """Return the page that shows these cases side by side.

    Args:
        cases: What to show, at least one.
        title: The page's title.

    Returns:
        A whole HTML document; the same cases give the same text.

    Raises:
        LegateeError: If there is no case.
    """
    if not cases:
        raise LegateeError("a page needs at least one case")
    views = [_view(case, f"case-{place}") for place, case in enumerate(cases, start=1)]
    return templates().get_template("advice.html").render(title=title, cases=views)


def write_page(path: str | os.PathLike[str], cases: Sequence[Case], *, title: str) -> None:
    """Write the page that shows these cases side by side, all or nothing.

    Args:
        path: The HTML file to write.
        cases: What to show, at least one.
        title: The page's title.

    Raises:
        LegateeError: If there is no case, or the file cannot be written.
    """
    write_text(path, render(cases, title=title))


def templates() -> Environment:
    """Return the templates, which escape whatever is not markup by type."""
    environment = Environment(
        loader=PackageLoader("legatee.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "duration": words.duration,
        "plain": plain,
        "positions": words.positions,
        "share": share,
    }
    return environment


def _view(case: Case, name: str) -> dict[str, object]:
    """Return what the template shows of one case, whose identifiers all begin with ``name``."""
    advice, runs = case.advice, case.runs
    scale = words.scale_of(advice, runs)
    tried = words.leader(advice) is not None
    curves = []
    if runs is not None and runs.sizes["epoch"]:
        curves = [
            draw_curves(advice, runs, variable, scale, name=f"{name}-{variable.replace('_', '-')}")
            for variable in ("train_loss", "held_out_score")
        ]
    return {
        "name": name,
        "title": case.title,
        "advice": advice,
        "scale": scale,
        "word": words.VERDICT_WORDS[advice.verdict],
        "sentence": words.sentence(advice, scale),
        "arms": [(arm, arm_colour(place)) for place, arm in enumerate(advice.arms)],
        "has_runs": runs is not None,
        "gains": Markup(draw_gains(advice, scale, name=f"{name}-gains") if tried else ""),
        "scores": Markup(draw_scores(advice, runs, scale, name=f"{name}-scores")),
        "curves": [Markup(figure) for figure in curves if figure],
        "parts": picture(advice.plan) if advice.plan else (),
    }
