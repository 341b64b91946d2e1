"""The command ``sweep``: any grid of settings, resumable, here or on a cluster."""

import json
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from legatee.cli.options import AsJson, typed_command
from legatee.errors import LegateeError, SettingError, UnknownNameError
from legatee.world.grid import Grid
from legatee.world.quantity import QUANTITIES, Quantity
from legatee.world.setting import EXAMPLE, FIELDS, Setting, fields

if TYPE_CHECKING:
    from legatee.sweep.declare import Sweep
    from legatee.work.workers import Workers

OPTIONS = ("seeds", "log_steps", "test_draws", "dtype", "layers")
TABLES = ("setting", "axes")
SPAN = ("from", "to", "count", "log")
SEEDS = Quantity(about="seeds, or values of an axis", units="count", low=1, high=10**6, whole=True)
Processes = Annotated[int, typer.Option(min=1, help="Processes of this machine, a thread each.")]
Dask = Annotated[
    str | None,
    typer.Option(help="Address or scheduler file of a Dask cluster; instead of processes."),
]


def sweep(  # noqa: PLR0913 - one parameter for each option
    file: Annotated[Path, typer.Argument(help="A .toml file: [setting], [axes], seeds.")],
    out: Annotated[
        Path | None, typer.Option(help="Folder to fill or go on with; FILE without .toml.")
    ] = None,
    workers: Processes = 2,
    dask: Dask = None,
    device: Annotated[str | None, typer.Option(help="Such as cuda; the CPU if absent.")] = None,
    repair: Annotated[
        bool, typer.Option("--repair", help="Read all that is there; compute damaged blocks again.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Simulate every setting of a grid; the same command goes on where it was interrupted."""
    wanted = read_sweep(file)
    from legatee.provenance import provenance
    from legatee.sweep.read import tally
    from legatee.sweep.run import fill

    folder = out or file.with_suffix("")
    fill(
        wanted,
        folder,
        workers=workers_of(workers, dask),
        device=device,
        provenance=provenance(typed_command()),
        repair=repair,
    )
    statuses, sizes = tally(folder), {dim: len(values) for dim, values in wanted.box.items()}
    if as_json:
        typer.echo(json.dumps({"folder": str(folder), "sizes": sizes, "statuses": statuses}))
        return
    typer.echo(f"{' x '.join(f'{n} {dim}' for dim, n in sizes.items())}: {wanted.cells:,} cells.")
    typer.echo("Runs: " + ", ".join(f"{n:,} {status}" for status, n in statuses.items()) + ".")
    typer.echo(f"In Python: legatee.sweep.read.load({str(folder)!r})")


def workers_of(count: int, scheduler: str | None) -> "Workers":
    """Return the workers that were asked for.

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
        path: A TOML file: ``seeds`` and other options of a sweep, a table ``setting`` of what
            differs from the example, and a table ``axes`` of lists, or spans such as
            ``{from = 1, to = 4, count = 7}``, with ``log = true`` for equal ratios.

    Returns:
        The sweep.

    Raises:
        SettingError: If the file cannot be read, or something in it is out of range.
        UnknownNameError: If there is no such field or option; the nearest is suggested.
    """
    try:
        given = tomllib.loads(path.read_text(encoding="utf-8"))
        for name in TABLES:
            if not isinstance(given.setdefault(name, {}), dict):
                raise SettingError(f"{name} is {given[name]!r}; expected a table [{name}]")
        setting, axes = _flat(given.pop("setting")), _flat(given.pop("axes"))
    except (OSError, ValueError, RecursionError) as error:
        cause = getattr(error, "strerror", None) or error
        raise SettingError(f"cannot read the sweep {str(path)!r}: {cause}") from error
    for name in given:
        if name not in OPTIONS:
            raise UnknownNameError("part of a sweep", name, (*OPTIONS, *TABLES))
    base = {name: value for name, value in fields(EXAMPLE).items() if value is not None}
    grid = Grid(
        base=Setting.of(base | setting),
        axes={name: _values(name, value) for name, value in axes.items()},
    )
    seeds = SEEDS.check("seeds", given.pop("seeds", 8))
    from legatee.sweep.declare import Sweep

    return Sweep(grid=grid, seeds=tuple(range(seeds)), **given)


def _flat(table: dict[str, Any], above: str = "") -> dict[str, Any]:
    """Return a table with dotted names: TOML reads ``upstream.n`` as a table in a table."""
    flat: dict[str, Any] = {}
    for name, value in table.items():
        if isinstance(value, dict) and above + name not in FIELDS and not set(value) <= set(SPAN):
            flat |= _flat(value, f"{above}{name}.")
        else:
            flat[above + name] = value
    return flat


def _values(name: str, given: Any) -> Any:
    """Return the values of an axis, a span written out."""
    if not isinstance(given, dict) or name not in QUANTITIES:
        return given
    log = given.get("log", False)
    if not {"from", "to", "count"} <= set(given) <= set(SPAN) or not isinstance(log, bool):
        raise SettingError(
            f"the axis {name} is {given!r}; expected values, or {{from = 1, to = 4, count = 7}}, "
            "with log = true for equal ratios"
        )
    import numpy as np

    quantity = QUANTITIES[name]
    start, stop = (float(quantity.check(f"axes.{name}.{end}", given[end])) for end in SPAN[:2])
    count = SEEDS.check(f"axes.{name}.count", given["count"])
    if log and not (start > 0 and stop > 0):
        raise SettingError(f"the axis {name} has log = true; expected ends above 0")
    values = (np.geomspace if log else np.linspace)(start, stop, count).tolist()
    return [round(value) for value in values] if quantity.whole else values
