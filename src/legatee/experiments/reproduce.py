"""Reproducing figures: simulate, draw, decide claims, and keep the findings."""

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from time import perf_counter

from legatee.disk import writable_folder, write_text
from legatee.errors import LegateeError, UnknownNameError
from legatee.experiments.experiment import Experiment, SweepResult
from legatee.experiments.figures import FIGURES
from legatee.experiments.verdicts import LEVEL, judged
from legatee.finding import Finding
from legatee.provenance import provenance
from legatee.sweep.declare import Sweep
from legatee.sweep.run import run as run_sweep
from legatee.work.workers import Workers, processes
from legatee.world.quantity import QUANTITIES, Quantity
from legatee.world.setting import fields

SEEDS = Quantity(about="seeds of every simulation", units="count", low=1, high=10**6, whole=True)


def experiment(name: str) -> Experiment:
    """Return an experiment.

    Args:
        name: One of :data:`~legatee.experiments.figures.FIGURES`, or its number on the page, from
            ``"1"`` on.

    Returns:
        Its declaration.

    Raises:
        LegateeError: If there is no figure of that number.
        UnknownNameError: If there is none of that name; the nearest is suggested.
    """
    if name.isdecimal() and 1 <= int(name) <= len(FIGURES):
        name = FIGURES[int(name) - 1]
    if name not in FIGURES:
        if name.isdecimal():
            raise LegateeError(
                f"there is no figure {name}; expected a number from 1 to {len(FIGURES)}, or a name"
            )
        raise UnknownNameError("figure", name, FIGURES)
    declared: Experiment = import_module(f"legatee.experiments.figures.{name}").EXPERIMENT
    return declared


def reproduce(  # noqa: PLR0913 - a front door
    names: Sequence[str],
    out: Path,
    *,
    full: bool = False,
    seeds: int | None = None,
    workers: Workers | None = None,
    device: str = "cpu",
    on_finding: Callable[[Finding], None] = lambda finding: None,
) -> list[Finding]:
    """Run experiments, or resume those that were interrupted.

    Args:
        names: Figures by name or number; all of them if empty.
        out: Folder to fill: a finding ``NAME.json`` for each, and the simulations in ``data``.
        full: Whether to simulate for publication rather than for a first look.
        seeds: Seeds of every simulation; those of the experiment if ``None``. With more seeds, only
            the new ones are simulated [count].
        workers: Where to simulate; two processes of this machine if ``None``.
        device: Device that the workers simulate on.
        on_finding: Called after each experiment.

    Returns:
        The findings, in the order of the names.

    Raises:
        LegateeError: If there is no such figure, or ``seeds`` is out of its range.
        OutputError: If the folder holds something else, or cannot be written.
    """
    chosen = [experiment(name) for name in names or FIGURES]
    if seeds is not None:
        SEEDS.check("seeds", seeds)
    folder, findings = writable_folder(out), []
    with (workers or processes(2))() as pool:  # opened once: starting takes seconds
        run = _Run(folder, full, seeds, lambda: nullcontext(pool), device)
        for declared in chosen:
            finding = run.finding(declared)
            write_text(folder / f"{declared.name}.json", finding.to_json())
            findings.append(finding)
            on_finding(finding)
    return findings


@dataclass(frozen=True)
class _Run:
    """How experiments are run; see :func:`reproduce`."""

    folder: Path
    full: bool
    seeds: int | None
    workers: Workers
    device: str

    def finding(self, declared: Experiment) -> Finding:
        """Run one experiment."""
        began, size = perf_counter(), "full" if self.full else "quick"
        command = f"legatee reproduce {declared.name} --{size}"
        if self.seeds is not None:
            command += f" --seeds {self.seeds}"
        data, about = Path("data", f"{declared.name}-{size}"), provenance(command)
        sweeps = [self._with_seeds(sweep) for sweep in getattr(declared, size)]
        results = [
            SweepResult(
                sweep.grid,
                run_sweep(
                    sweep,
                    self.folder / data / str(number),
                    workers=self.workers,
                    device=self.device,
                    provenance=about,
                ),
            )
            for number, sweep in enumerate(sweeps, 1)
        ]
        panels, claims = declared.read(*results)
        return Finding(
            name=declared.name,
            title=declared.title,
            caption=declared.caption,
            panels=panels,
            claims=judged(claims),
            setting=_in_words(sweeps[0]),
            level=LEVEL,
            command=command,
            version=about["version"],
            date=about["date"],
            device=self.device or "cpu",
            seconds=perf_counter() - began,
            data=data.as_posix(),
        )

    def _with_seeds(self, sweep: Sweep) -> Sweep:
        """Return a sweep with as many seeds as are asked for."""
        return sweep if self.seeds is None else replace(sweep, seeds=tuple(range(self.seeds)))


def _in_words(sweep: Sweep) -> dict[str, str]:
    """Return in words what all runs have in common, and what is varied."""
    common, varied = {}, sweep.grid.coords
    for name, value in fields(sweep.grid.base).items():
        if value is None or name in varied:
            continue
        about = QUANTITIES[name].about if name in QUANTITIES else "which filters are inherited"
        common[name] = (
            f"{value:,} ({about})" if not isinstance(value, str) else f"{value} ({about})"
        )
    over = {
        name: f"varied, {len(values)} values from {values[0]} to {values[-1]}"
        for name, (_, values) in varied.items()
    }
    return {**over, **common, "seeds": f"{len(sweep.seeds)}, paired"}
