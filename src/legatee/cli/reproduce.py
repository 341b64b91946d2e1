"""The command ``reproduce``: every published synthetic figure, each with a verdict, on one page."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from legatee.cli.options import AsJson
from legatee.cli.output import console
from legatee.cli.sweep import Dask, Processes, workers_of
from legatee.disk import path_status
from legatee.errors import OutputError
from legatee.experiments.figures import FIGURES

if TYPE_CHECKING:
    from legatee.finding import Finding


def reproduce_command(  # noqa: PLR0913 - one parameter for each option
    figures: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="FIGURE",
            help="Figures by name or number; default: all of them. "
            + ", ".join(f"{number} {name}" for number, name in enumerate(FIGURES, 1))
            + ".",
        ),
    ] = None,
    full: Annotated[
        bool,
        typer.Option("--full/--quick", help="For publication: hours; or minutes for all of them."),
    ] = False,
    seeds: Annotated[
        int | None,
        typer.Option(
            min=1, help="Seeds of every simulation; default: the figure's. More can be added later."
        ),
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder to fill or resume.")] = Path("legatee-figures"),
    workers: Processes = 2,
    dask: Dask = None,
    device: Annotated[str, typer.Option(help="Where to compute, such as cuda.")] = "cpu",
    as_json: AsJson = False,
) -> None:
    """The paper's synthetic figures and our own, with a verdict on each claim."""
    from legatee.experiments.reproduce import reproduce

    findings = reproduce(
        figures or [],
        out,
        full=full,
        seeds=seeds,
        workers=workers_of(workers, dask),
        device=device,
        on_finding=(lambda finding: None) if as_json else _show,
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
        folder: Folder that ``legatee reproduce`` filled.

    Returns:
        The page.

    Raises:
        OutputError: If there is no finding.
    """
    from legatee.experiments.explorer import part
    from legatee.finding import Finding
    from legatee.report.findings import write_findings

    files = [folder / f"{name}.json" for name in FIGURES]
    findings = [Finding.load(file) for file in files if path_status(file).is_file]
    if not findings:
        raise OutputError(f"{str(folder)!r} holds no figures; run legatee reproduce first")
    page = folder / "figures.html"
    title = "When does partial parameter transfer help?"
    with keeping(page):
        write_findings(page, findings, title=title, explorer=part())
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
    """Print the verdict on each claim."""
    from rich.markup import escape

    from legatee.finding import Outcome

    colours = {"confirmed": "green", "refuted": "red", "undecided": "yellow"}
    output = console()
    output.print(f"[bold]{escape(finding.title)}[/bold] ({finding.name}, {finding.seconds:.0f} s)")
    for claim in finding.claims:
        word = claim.outcome.value
        output.print(f"  [{colours[word]}]{word:9}[/] {escape(claim.text)}")
        output.print(f"            {escape(claim.because)}", style="dim")
        needed = [test.seeds_needed for test in claim.tests if test.seeds_needed]
        if claim.outcome is Outcome.UNDECIDED and needed:
            output.print(
                f"            about {max(needed):,} seeds would decide it: --seeds {max(needed)}",
                style="dim",
            )
