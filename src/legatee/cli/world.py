"""The commands of the model world: ``predict`` and ``simulate``."""

import json
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from math import isfinite, nan
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from legatee.cli.options import AsJson
from legatee.cli.settings import What, setting_of
from legatee.world.quantity import QUANTITIES
from legatee.world.setting import EXAMPLE, Setting, fields

if TYPE_CHECKING:
    import numpy as np
    import xarray as xr

    from legatee.theory.predict import Prediction

COMPILING = "The first run on a machine compiles for half a minute ..."


def predict(
    what: What = None,
    show_fields: Annotated[
        bool, typer.Option("--fields", help="List the fields of a setting and the example's.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Predict, without simulating, whether inheriting helps in a setting of the model world."""
    if show_fields:
        _show_fields()
        return
    setting = setting_of(what or [])
    from legatee.theory.predict import predict as ask

    with _waiting():
        prediction = ask(setting)
        text = prediction.to_json()
    if as_json:
        typer.echo(text)
        return
    _show_setting(setting)
    _show_prediction(prediction)
    _show_boundaries(setting)


def simulate(
    what: What = None,
    seeds: Annotated[int, typer.Option(min=1, help="Runs, each with a seed of its own.")] = 64,
    log_steps: Annotated[int, typer.Option(min=2, help="Steps to look at.")] = 2,
    dtype: Annotated[str, typer.Option(help="float32 or float64.")] = "float32",
    device: Annotated[str | None, typer.Option(help="Such as cuda; the CPU if absent.")] = None,
    as_json: AsJson = False,
) -> None:
    """Simulate a setting of the model world: upstream, scratch and inherited networks."""
    setting = setting_of(what or [])
    from legatee.simulator.run import simulate as run

    with _waiting():
        found = run(setting, seeds, log_steps=log_steps, dtype=dtype, device=device)
    if as_json:
        typer.echo(json.dumps(_finite(found.isel(setting=0).to_dict()), default=str))
        return
    _show_setting(setting)
    _show_runs(found.isel(setting=0))
    if (found["status"] != "done").any():
        _show_conditions(setting)


def _finite(value: Any) -> Any:
    """Return what JSON can say: ``None`` for what is not finite."""
    if isinstance(value, dict):
        return {key: _finite(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_finite(inner) for inner in value]
    return None if isinstance(value, float) and not isfinite(value) else value


@contextmanager
def _waiting() -> Iterator[None]:
    """Say on a terminal why nothing happens yet."""
    console = Console(stderr=True)
    with console.status(COMPILING) if console.is_terminal else nullcontext():
        yield


def _show_setting(setting: Setting) -> None:
    """Print in what a setting differs from the example."""
    usual = fields(EXAMPLE)
    own = [f"{k}={v}" for k, v in fields(setting).items() if v != usual[k]]
    Console(highlight=False).print(f"The example setting{' with ' * bool(own)}{' '.join(own)}:")


def _show_fields() -> None:
    """Print every field, its range and the example's value."""
    table = Table("field", "example", "what it is", "values")
    for name, value in fields(EXAMPLE).items():
        quantity = QUANTITIES.get(name)
        shown = "the setting's" if value is None else f"{value:g}" if quantity else str(value)
        about = quantity.about if quantity else "which upstream filters"
        values = quantity.range if quantity else "random, selected or active"
        table.add_row(name, shown, about, values)
    Console().print(table)


def _show_prediction(prediction: "Prediction") -> None:
    """Print what is predicted and what follows."""
    from legatee.theory.predict import predict as ask

    console = Console(highlight=False)
    if prediction.outside:
        console.print("No prediction: the theory does not cover this setting.")
        for reason in prediction.outside:
            console.print(f"  {reason}")
        return
    table = Table("network", "test accuracy", "spread over seeds")
    for column in table.columns[1:]:
        column.justify = "right"
    for network in ("scratch", "zero_shot", "inherited"):
        accuracy, spread = (getattr(prediction, network + end) for end in ("", "_spread"))
        table.add_row(network.replace("_", "-"), f"{accuracy:.1%}", f"{100 * spread:.1f} points")
    console.print(table)
    words = {
        "inherit": "Inherit",
        "scratch": "Scratch does better: negative transfer",
        "either": "Either: inheriting makes no difference",
    }
    points, error = 100 * prediction.gain, 100 * prediction.error
    at = f"At the inheritance ratio {prediction.setting.alpha:g}"
    console.print(f"{at}: {words[prediction.verdict]}. Gain {points:+.1f} ± {error:.1f} points.")
    best = ask(replace(prediction.setting, alpha=prediction.best_alpha))
    gains = f"gains {100 * best.gain:+.1f} points" if best.setting.alpha else "is scratch"
    console.print(f"Best inheritance ratio: {best.setting.alpha:g}, which {gains}.")
    console.print(f"Held back by: {prediction.limiting_factor}.")
    if prediction.gain > 0:
        there = prediction.crossover
        needs = f"needs {there:,} downstream samples" if there else "needs more than theory covers"
        console.print(
            f"To get as far, scratch {needs}; here are {prediction.setting.downstream.n}."
        )


def _show_boundaries(setting: Setting) -> None:
    """Print what the paper's theorems say of a setting."""
    from legatee.theory.bounds import (
        inheriting_helps,
        inheriting_hurts,
        scratch_succeeds,
        transfer_succeeds,
    )
    from legatee.theory.conditions import condition_4_1, movement

    table = Table("result", "claims that", "value", "threshold", "margin", "here")
    for name, boundary in (
        ("Theorem 4.2", transfer_succeeds(setting)),
        ("Theorem 4.3", scratch_succeeds(setting)),
        ("Prop. 4.4 (1)", inheriting_helps(setting)),
        ("Prop. 4.4 (2)", inheriting_hurts(setting)),
    ):
        table.add_row(
            name,
            boundary.claim,
            f"{boundary.value:.3g}",
            f"{boundary.threshold:.3g}",
            f"{boundary.margin:+.2f} decades",
            "yes" if boundary.beyond else "no",
        )
    console = Console(highlight=False)
    console.print("The paper's results, with every unnamed constant 1:")
    console.print(table)
    lines = condition_4_1(setting)
    held = sum(line.holds for line in lines)
    worst = min(lines, key=lambda line: line.margin)
    console.print(
        f"Condition 4.1: {held} of {len(lines)} lines hold; the worst is '{worst.name}' "
        f"({worst.task}), by {worst.margin:+.1f} decades."
    )
    moved = min(movement(setting, task) for task in setting.resolved)
    regime = "feature learning" if moved > 10 else "lazy" if moved < 0.1 else "in between"
    console.print(f"Regime: {regime}; filters move {moved:.3g} times their start.")


def _show_runs(found: "xr.Dataset") -> None:
    """Print the means over seeds of every network."""
    import numpy as np

    table = Table("network", "step", "loss", "train", "test", "spread", "status")
    for column in table.columns[1:-1]:
        column.justify = "right"
    table.columns[-1].no_wrap = True
    for run in found["run"].values:
        one = found.sel(run=run)
        kinds, counts = np.unique(one["status"].values, return_counts=True)
        status = ", ".join(f"{n} {kind}" for n, kind in zip(counts, kinds, strict=True))
        for step in range(found.sizes["step"]):
            at = one.isel(step=step)
            mean, spread, error = _mean(at["test_accuracy"].values)
            table.add_row(
                str(run),
                f"{int(at['step_number'])}",
                f"{float(at['train_loss'].mean()):.4g}",
                f"{100 * float(at['train_accuracy'].mean()):.1f} %",
                f"{100 * mean:.1f} ± {100 * error:.1f} %",
                f"{100 * spread:.1f}",
                status,
            )
    console = Console(highlight=False)
    console.print(table)
    last = found["test_accuracy"].isel(step=-1)
    mean, _, error = _mean((last.sel(run="inherited") - last.sel(run="scratch")).values)
    console.print(f"Gain of inheriting: {100 * mean:+.1f} ± {100 * error:.1f} points.")


def _mean(values: "np.ndarray") -> tuple[float, float, float]:
    """Return mean, standard deviation and standard error over seeds; NaN where they are none."""
    spread = float(values.std(ddof=1)) if len(values) > 1 else nan
    return float(values.mean()), spread, spread / len(values) ** 0.5


def _show_conditions(setting: Setting) -> None:
    """Print Condition 4.1 beside runs that did not converge."""
    from legatee.theory.conditions import condition_4_1

    table = Table("Condition 4.1, C = 1", "task", "value", "bound", "margin")
    for line in condition_4_1(setting):
        table.add_row(
            line.name,
            line.task,
            f"{line.value:.3g}",
            f"{line.bound:.3g}",
            f"{line.margin:+.1f} decades",
        )
    console = Console(highlight=False)
    console.print("Not every run ended well; what the paper asks for, line by line:")
    console.print(table)
