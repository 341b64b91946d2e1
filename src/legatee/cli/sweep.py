"""The command ``sweep``: any grid of settings, resumable, on this machine or a cluster."""

import json
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from legatee.cli.options import AsJson, typed_command
from legatee.cli.settings import flat
from legatee.errors import LegateeError, SettingError, UnknownNameError
from legatee.world.grid import Grid
from legatee.world.quantity import QUANTITIES, Quantity, brief
from legatee.world.setting import EXAMPLE, Setting, fields

if TYPE_CHECKING:
    from legatee.sweep.declare import Sweep
    from legatee.work.workers import Workers

OPTIONS = ("seeds", "record_steps", "test_draws", "dtype", "layers")
TABLES = ("setting", "axes")
SPAN = ("from", "to", "count", "log")
SEEDS = Quantity(about="seeds, or values of an axis", units="count", low=1, high=10**6, whole=True)
Processes = Annotated[int, typer.Option(min=1, help="Processes on this machine, one thread each.")]
Dask = Annotated[
    str | None,
    typer.Option(help="Address or scheduler file of a Dask cluster to use instead of processes."),
]


def sweep_command(  # noqa: PLR0913 - one parameter for each option
    file: Annotated[Path, typer.Argument(help="A .toml file: [setting], [axes], seeds.")],
    out: Annotated[
        Path | None, typer.Option(help="Folder to fill or resume; default: FILE without .toml.")
    ] = None,
    workers: Processes = 2,
    dask: Dask = None,
    device: Annotated[str, typer.Option(help="Where to compute, such as cuda.")] = "cpu",
    repair: Annotated[
        bool, typer.Option("--repair", help="Check all results; compute damaged blocks again.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Simulate every setting of a grid; the same command resumes after an interruption."""
    sweep = read_sweep(file)
    from legatee.provenance import provenance
    from legatee.sweep.read import tally
    from legatee.sweep.run import fill

    folder = out or file.with_suffix("")
    fill(
        sweep,
        folder,
        workers=workers_of(workers, dask),
        device=device,
        provenance=provenance(typed_command()),
        repair=repair,
    )
    statuses, sizes = tally(folder), {dim: len(values) for dim, values in sweep.box.items()}
    if as_json:
        typer.echo(json.dumps({"folder": str(folder), "sizes": sizes, "statuses": statuses}))
        return
    typer.echo(f"{' x '.join(f'{n} {dim}' for dim, n in sizes.items())}: {sweep.cells:,} cells.")
    typer.echo("Runs: " + ", ".join(f"{n:,} {status}" for status, n in statuses.items()) + ".")
    typer.echo(f"In Python: from legatee.sweep.read import load; data = load({str(folder)!r})")


def workers_of(count: int, scheduler: str | None) -> "Workers":
    """Return workers as options ask for them.

    Args:
        count: Processes of this machine [count].
        scheduler: Address of a Dask scheduler, or its scheduler file, instead of them.

    Returns:
        The workers.

    Raises:
        LegateeError: If the scheduler file cannot be read, or there is no Dask.
    """
    from legatee.work.workers import dask, processes

    if scheduler is None:
        return processes(count)
    if not scheduler.endswith(".json"):
        return dask(scheduler)
    try:
        address = json.loads(Path(scheduler).read_text(encoding="utf-8"))["address"]
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise LegateeError(f"cannot read the Dask scheduler file {scheduler!r}: {error}") from error
    return dask(address)


def read_sweep(path: Path) -> "Sweep":
    """Read a sweep from a file.

    Args:
        path: A TOML file: ``seeds`` and other options of a sweep, a table ``setting`` of fields
            that differ from the example's, and a table ``axes`` of lists, or spans such as
            ``{from = 1, to = 4, count = 7}``, with ``log = true`` for equal ratios.

    Returns:
        The sweep.

    Raises:
        SettingError: If the file cannot be read, a field is given twice, or a value is out of
            range.
        UnknownNameError: If there is no such field or option; the nearest is suggested.
    """
    try:
        options = tomllib.loads(path.read_text(encoding="utf-8"))
        for name in TABLES:
            if not isinstance(options.setdefault(name, {}), dict):
                raise SettingError(f"{name} is {brief(options[name])}; expected a table [{name}]")
    except (OSError, ValueError, RecursionError) as error:
        cause = getattr(error, "strerror", None) or error
        raise SettingError(f"cannot read the sweep {str(path)!r}: {cause}") from error
    setting, axes = flat(options.pop("setting")), flat(options.pop("axes"))
    for name in options:
        if name not in OPTIONS:
            raise UnknownNameError("part of a sweep", name, (*OPTIONS, *TABLES))
    for field in (field.strip() for name in axes for field in name.split(",")):
        if field in setting:
            raise SettingError(f"{field} is given in [setting] and in [axes]; expected it in one")
    base = {name: value for name, value in fields(EXAMPLE).items() if value is not None}
    grid = Grid(
        base=Setting.of(base | setting),
        axes={name: _values(name, values) for name, values in axes.items()},
    )
    seeds = SEEDS.check("seeds", options.pop("seeds", 8))
    from legatee.sweep.declare import Sweep

    return Sweep(grid=grid, seeds=tuple(range(seeds)), **options)


def _values(name: str, axis: Any) -> Any:
    """Return the values of an axis, with a span written out."""
    if not isinstance(axis, dict) or name not in QUANTITIES:
        return axis
    log = axis.get("log", False)
    if not {"from", "to", "count"} <= set(axis) <= set(SPAN) or not isinstance(log, bool):
        raise SettingError(
            f"the axis {name} is {brief(axis)}; expected values, or "
            "{from = 1, to = 4, count = 7}, with log = true for equal ratios"
        )
    import numpy as np

    quantity = QUANTITIES[name]
    start, stop = (float(quantity.check(f"axes.{name}.{end}", axis[end])) for end in SPAN[:2])
    count = SEEDS.check(f"axes.{name}.count", axis["count"])
    if log and not (start > 0 and stop > 0):
        raise SettingError(f"the axis {name} has log = true; expected ends above 0")
    values = (np.geomspace if log else np.linspace)(start, stop, count).tolist()
    return [round(value) for value in values] if quantity.whole else values
