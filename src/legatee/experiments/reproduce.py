"""Every figure from one command: simulate, read, judge, and keep what was found."""

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from importlib import import_module
from pathlib import Path
from time import perf_counter

from legatee.disk import writable_folder, write_text
from legatee.errors import UnknownNameError
from legatee.experiments.experiment import Experiment, SweepResult
from legatee.experiments.figures import FIGURES
from legatee.experiments.verdicts import LEVEL, judged
from legatee.finding import Finding
from legatee.provenance import provenance
from legatee.sweep.declare import Sweep
from legatee.sweep.run import run as run_sweep
from legatee.work.workers import Workers, processes
from legatee.world.quantity import QUANTITIES
from legatee.world.setting import fields


def experiment(name: str) -> Experiment:
    """Return an experiment.

    Args:
        name: One of :data:`~legatee.experiments.figures.FIGURES`.

    Returns:
        Its declaration.

    Raises:
        UnknownNameError: If there is none of that name; the nearest is suggested.
    """
    if name not in FIGURES:
        raise UnknownNameError("figure", name, FIGURES)
    found: Experiment = import_module(f"legatee.experiments.figures.{name}").EXPERIMENT
    return found


def reproduce(
    names: Sequence[str],
    out: Path,
    *,
    full: bool = False,
    workers: Workers | None = None,
    device: str | None = None,
    done: Callable[[Finding], None] = lambda finding: None,
) -> list[Finding]:
    """Run experiments, or go on with those that were interrupted.

    Args:
        names: Which; all of them if empty.
        out: Folder to fill: a finding ``NAME.json`` for each, and the simulations in ``data``.
        full: Whether to simulate for publication rather than for a first look.
        workers: Who simulates; two processes of this machine if ``None``.
        device: Where they do.
        done: Called after each experiment.

    Returns:
        What was found, in the order of the names.

    Raises:
        UnknownNameError: If there is no such figure.
        OutputError: If the folder holds something else, or cannot be written.
    """
    chosen = [experiment(name) for name in names or FIGURES]
    folder, findings = writable_folder(out), []
    with (workers or processes(2))() as pool:  # opened once: starting takes seconds
        for one in chosen:
            finding = _run(one, folder, full, lambda: nullcontext(pool), device)
            write_text(folder / f"{one.name}.json", finding.to_json())
            findings.append(finding)
            done(finding)
    return findings


def _run(
    one: Experiment, folder: Path, full: bool, workers: Workers, device: str | None
) -> Finding:
    """Run one experiment."""
    began, size = perf_counter(), "full" if full else "quick"
    sweeps = one.full if full else one.quick
    command = f"legatee reproduce {one.name} --{size}"
    about = provenance(command)
    data = Path("data", f"{one.name}-{size}")
    found = [
        SweepResult(
            sweep.grid,
            run_sweep(
                sweep,
                folder / data / str(number),
                workers=workers,
                device=device,
                provenance=about,
            ),
        )
        for number, sweep in enumerate(sweeps, 1)
    ]
    panels, claims = one.read(*found)
    return Finding(
        name=one.name,
        title=one.title,
        caption=one.caption,
        panels=panels,
        claims=judged(claims),
        setting=_in_words(sweeps[0]),
        level=LEVEL,
        command=command,
        version=about["version"],
        date=about["date"],
        device=device or "cpu",
        seconds=perf_counter() - began,
        data=data.as_posix(),
    )


def _in_words(sweep: Sweep) -> dict[str, str]:
    """Say what all runs have in common, and what is varied."""
    common, varied = {}, sweep.grid.coords
    for name, value in fields(sweep.grid.base).items():
        if value is None or name in varied:
            continue
        about = QUANTITIES[name].about if name in QUANTITIES else "which upstream filters"
        common[name] = (
            f"{value:,} ({about})" if not isinstance(value, str) else f"{value} ({about})"
        )
    over = {
        name: f"varied, {len(values)} values from {values[0]} to {values[-1]}"
        for name, (_, values) in varied.items()
    }
    return {**over, **common, "seeds": f"{len(sweep.seeds)}, paired"}
