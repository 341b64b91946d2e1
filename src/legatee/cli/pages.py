"""What the commands about advice show: the page, and a table on the terminal."""

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from legatee.cli.reproduce import keeping
from legatee.disk import path_status
from legatee.errors import OutputError
from legatee.text import share

if TYPE_CHECKING:
    from legatee.advice import Advice, ArmResult

MOST_CLASSES = 12  # whose counts are printed
WIDTH = 100  # of a table that is not on a terminal [characters]


def write_report(folder: Path, out: Path | None = None) -> Path:
    """Write the page of the advice in a folder and those below it.

    Args:
        folder: What ``legatee demo`` or ``advise`` filled.
        out: Where to write the page; ``report.html`` in the folder if ``None``.

    Returns:
        The page.

    Raises:
        OutputError: If there is no advice, or the page cannot be written.
    """
    from legatee.advice import Advice
    from legatee.advisor.runs import has_runs, load_runs
    from legatee.report.page import Case, write_page

    if not (status := path_status(folder)).is_folder:
        raise OutputError(f"no folder {str(folder)!r}: {status.problem or 'it is a file'}")
    files = sorted([*folder.glob("advice.json"), *folder.glob("*/advice.json")])
    if not files:
        unfinished = has_runs(folder) or any(has_runs(path) for path in folder.glob("*/"))
        reason = (
            "holds trainings that are not finished; type the command that made it again"
            if unfinished
            else "holds no advice.json; expected a folder that legatee demo, advise or reproduce "
            "filled"
        )
        raise OutputError(f"{str(folder)!r} {reason}")
    cases = []
    for file in files:
        advice, runs = Advice.load(file), None
        if has_runs(file.parent):
            arms = [arm.name for arm in advice.arms]
            runs = load_runs(file.parent).sel(arm=arms, seed=list(advice.seeds))
        title = file.parent.name if file.parent != folder else "Advice"
        cases.append(Case(title=title, advice=advice, runs=runs))
    cases.sort(key=lambda case: case.advice.verdict.value)  # inherit before scratch
    page = out if out is not None else folder / "report.html"
    with keeping(page):
        write_page(page, cases, title="Does inheriting help?")
    return page


def show(advice: "Advice", title: str) -> None:
    """Print a verdict with its reasons, the arms, and what was trained on.

    Args:
        advice: The advice.
        title: What stands before the verdict.
    """
    from rich.console import Console
    from rich.table import Table

    typer.echo(f"{title}: {advice}")
    for reason in advice.reasons[1:]:
        typer.echo(f"  {reason.severity.value}: {reason.text}")
    for what, counts in (("trained on", advice.train_counts), ("held out", advice.held_out_counts)):
        if counts:
            typer.echo(f"  {what}: {_counted(counts)}")
    percent = all(0 <= arm.score <= 1 for arm in advice.arms if arm.score == arm.score)
    factor, unit = (100, " (%)") if percent else (1, "")
    points = " (points)" if percent else ""
    table = Table(
        "arm", "inherited", f"score{unit}", f"gain{points}", "at least", "at most", "time"
    )
    for column in table.columns[1:]:
        column.justify = "right"
    for arm in advice.arms:
        table.add_row(*_cells(arm, factor))
    console = Console()
    Console(width=None if console.is_terminal else WIDTH).print(table)


def _cells(arm: "ArmResult", factor: int) -> list[str]:
    """Return the cells of one arm's row."""
    digits = 1 if factor == 100 else 4
    score = f"{factor * arm.score:.{digits}f} ± {factor * arm.score_error:.{digits}f}"
    gains = ["", "", ""]
    if arm.gain is not None:
        bounds = (arm.gain.estimate, arm.gain.lower, arm.gain.upper)
        gains = [f"{factor * bound:+.{digits}f}" for bound in bounds]
    elif arm.diverged_seeds:
        gains[0] = f"{arm.diverged_seeds} diverged"
    return [arm.name, share(arm.inherited_fraction), score, *gains, f"{arm.seconds:.0f} s"]


def _counted(counts: dict[str, int]) -> str:
    """Return how many examples each class has, in a line."""
    shown = [f"{name} {count:,}" for name, count in list(counts.items())[:MOST_CLASSES]]
    more = f", and {len(counts) - MOST_CLASSES} more" if len(counts) > MOST_CLASSES else ""
    return f"{sum(counts.values()):,} examples of {len(counts)} classes: {', '.join(shown)}{more}"
