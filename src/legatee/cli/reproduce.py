"""The command ``reproduce``: every published synthetic figure, each with a verdict, on one page."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from legatee.cli.options import AsJson
from legatee.cli.sweep import Dask, Processes, workers_of
from legatee.disk import path_status
from legatee.errors import OutputError
from legatee.experiments.figures import FIGURES

if TYPE_CHECKING:
    from legatee.finding import Finding


def reproduce(  # noqa: PLR0913 - one parameter for each option
    figures: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="FIGURE", help=f"Which; all of them if none is named: {', '.join(FIGURES)}."
        ),
    ] = None,
    full: Annotated[
        bool,
        typer.Option("--full/--quick", help="For publication: hours; or a few minutes for all."),
    ] = False,
    out: Annotated[Path, typer.Option(help="Folder to fill, or to go on with.")] = Path(
        "legatee-figures"
    ),
    workers: Processes = 2,
    dask: Dask = None,
    device: Annotated[str | None, typer.Option(help="Such as cuda; the CPU if absent.")] = None,
    as_json: AsJson = False,
) -> None:
    """The paper's synthetic figures, and ours beside them, with a verdict on each claim."""
    from legatee.experiments.reproduce import reproduce as run

    findings = run(
        figures or [],
        out,
        full=full,
        workers=workers_of(workers, dask),
        device=device,
        done=(lambda finding: None) if as_json else _show,
    )
    page = write_figures(out)
    if as_json:
        typer.echo("[" + ", ".join(finding.to_json() for finding in findings) + "]")
        return
    typer.echo(f"Open {page} in a browser.")


def holds_figures(folder: Path) -> bool:
    """Tell whether ``legatee reproduce`` has filled a folder."""
    return any(path_status(folder / f"{name}.json").is_file for name in FIGURES)


def write_figures(folder: Path) -> Path:
    """Write the page of all findings in a folder; nothing is simulated.

    Args:
        folder: What ``legatee reproduce`` filled.

    Returns:
        The page.

    Raises:
        OutputError: If there is no finding.
    """
    from legatee.experiments.explorer import part
    from legatee.finding import Finding
    from legatee.report.findings import write_findings

    files = [folder / f"{name}.json" for name in FIGURES]
    found = [Finding.load(file) for file in files if path_status(file).is_file]
    if not found:
        raise OutputError(f"{str(folder)!r} holds no figures; run legatee reproduce first")
    page = folder / "figures.html"
    title = "When does partial parameter transfer help?"
    with keeping(page):
        write_findings(page, found, title=title, explorer=part())
    return page


@contextmanager
def keeping(page: Path) -> Iterator[None]:
    """Let a page be as it is where its folder cannot be written, and say so.

    Args:
        page: The page that the block writes.

    Raises:
        OutputError: If it cannot be written and there is none yet.
    """
    try:
        yield
    except OutputError as error:
        if not path_status(page).is_file:
            raise
        typer.echo(f"legatee: {error}; the page is the one that was written before", err=True)


def _show(finding: "Finding") -> None:
    """Print what became of each claim."""
    from rich.console import Console

    from legatee.finding import Outcome

    colours = {"confirmed": "green", "refuted": "red", "undecided": "yellow"}
    console = Console(highlight=False)
    console.print(f"[bold]{finding.title}[/bold] ({finding.name}, {finding.seconds:.0f} s)")
    for claim in finding.claims:
        word = claim.outcome.value
        console.print(f"  [{colours[word]}]{word:9}[/] {claim.text}")
        console.print(f"            {claim.because}", style="dim")
        needed = [test.seeds_needed for test in claim.tests if test.seeds_needed]
        if claim.outcome is Outcome.UNDECIDED:
            console.print(f"            about {max(needed):,} seeds would decide it", style="dim")
