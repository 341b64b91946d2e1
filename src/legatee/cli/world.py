"""The commands of the model world: ``predict`` and ``simulate``."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from math import isfinite
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Column, Table

from legatee.cli.options import AsJson
from legatee.cli.output import console
from legatee.cli.settings import Words, record_steps_of, setting_of
from legatee.world.quantity import QUANTITIES
from legatee.world.setting import EXAMPLE, RULES, Setting, fields

if TYPE_CHECKING:
    import numpy as np
    import xarray as xr

    from legatee.theory.predict import Prediction

COMPILING = "legatee: compiling, once on a machine; this takes about half a minute ..."
VERDICTS = {
    "inherit": "Inherit",
    "scratch": "Train from scratch: inheriting would hurt (negative transfer)",
    "either": "Either: inheriting makes no difference",
}


def predict_command(
    words: Words = None,
    show_fields: Annotated[
        bool, typer.Option("--fields", help="List the fields of a setting and the example's.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Predict, without simulating, whether inheriting helps in a setting of the model world."""
    if show_fields:
        _show_fields(as_json)
        return
    setting = setting_of(words or [])
    from legatee.theory.predict import predict
    from legatee.theory.reduced.solve import solve

    with _waiting_for(solve):
        prediction = predict(setting)
    if as_json:
        typer.echo(_prediction_json(prediction))
        return
    _show_setting(setting)
    _show_prediction(prediction)
    _show_boundaries(setting)


def simulate_command(
    words: Words = None,
    seeds: Annotated[int, typer.Option(min=1, help="Runs, each with its own seed.")] = 64,
    record_steps: Annotated[
        str | None,
        typer.Option(
            metavar="STEPS",
            help="Steps to record, such as `50,100`; the first and the last always are.",
        ),
    ] = None,
    dtype: Annotated[str, typer.Option(help="float32 or float64.")] = "float32",
    device: Annotated[str, typer.Option(help="Where to compute, such as cuda.")] = "cpu",
    as_json: AsJson = False,
) -> None:
    """Simulate a setting of the model world: upstream, scratch and inherited networks."""
    setting, steps = setting_of(words or []), record_steps_of(record_steps)
    from legatee.simulator.kernel import descend
    from legatee.simulator.run import simulate

    with _waiting_for(descend):
        data = simulate(setting, seeds, record_steps=steps, dtype=dtype, device=device)
    if as_json:
        typer.echo(json.dumps(_finite(data.isel(setting=0).to_dict()), default=str))
        return
    _show_setting(setting)
    _show_runs(data.isel(setting=0))
    if (data["status"] != "done").any():
        _show_conditions(setting)


def _prediction_json(prediction: "Prediction") -> str:
    """Return a prediction and what follows from it as JSON."""
    from legatee.theory.consequences import best_alpha, crossover, limiting_factor

    setting, own = prediction.setting, json.loads(prediction.to_json())
    own |= {"best_alpha": _finite(best_alpha(setting)), "crossover": crossover(setting)}
    return json.dumps(own | {"limiting_factor": limiting_factor(setting)}, indent=1)


def _finite(value: Any) -> Any:
    """Return a value for JSON: ``None`` for numbers that are not finite."""
    if isinstance(value, dict):
        return {key: _finite(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_finite(inner) for inner in value]
    return None if isinstance(value, float) and not isfinite(value) else value


@contextmanager
def _waiting_for(function: Any) -> Iterator[None]:
    """Say on standard error that a function has to be compiled first, if it has to."""
    from legatee.compiling import is_compiled

    if not is_compiled(function):
        typer.echo(COMPILING, err=True)
    yield


def _show_setting(setting: Setting) -> None:
    """Print how a setting differs from the example."""
    usual = fields(EXAMPLE)
    own = [f"{k}={v}" for k, v in fields(setting).items() if v != usual[k]]
    differences = f" with {' '.join(own)}" if own else ""
    console().print(f"The example setting{differences}:")


def _show_fields(as_json: bool) -> None:
    """Print every field, its range and the example's value."""
    rows = [_field(name, value) for name, value in fields(EXAMPLE).items()]
    if as_json:
        typer.echo(json.dumps(rows, indent=1))
        return
    field = Column("field", no_wrap=True, min_width=max(map(len, fields(EXAMPLE))))
    table = Table(field, "example", "what it is", "values")
    for row in rows:
        example = "the setting's" if row["example"] is None else f"{row['example']}"
        table.add_row(row["field"], example, row["about"], row["values"])
    console().print(table)


def _field(name: str, value: Any) -> dict[str, Any]:
    """Return what a field is."""
    if name not in QUANTITIES:
        values = f"{', '.join(RULES[:-1])} or {RULES[-1]}"
        return {"field": name, "example": value, "about": "which filters", "values": values}
    quantity = QUANTITIES[name]
    return {
        "field": name,
        "example": value,
        "about": quantity.about,
        "values": quantity.range,
        "units": quantity.units,
    }


def _show_prediction(prediction: "Prediction") -> None:
    """Print what is predicted."""
    output = console()
    if prediction.outside:
        output.print("No prediction: the theory does not cover this setting.")
        for reason in prediction.outside:
            output.print(f"  {reason}")
        return
    table = Table("network", "test accuracy", "spread over seeds")
    for column in table.columns[1:]:
        column.justify = "right"
    for network in ("scratch", "zero_shot", "inherited"):
        accuracy, spread = (getattr(prediction, network + end) for end in ("", "_spread"))
        table.add_row(network.replace("_", "-"), f"{accuracy:.1%}", f"{100 * spread:.1f} points")
    output.print(table)
    points, error = 100 * prediction.gain, 100 * prediction.error
    verdict, alpha = VERDICTS[prediction.verdict], prediction.setting.alpha
    output.print(
        f"At inheritance ratio {alpha:g}: {verdict}. Gain {points:+.1f} ± {error:.1f} points."
    )
    _show_consequences(prediction)


def _show_consequences(prediction: "Prediction") -> None:
    """Print what follows from a prediction."""
    from legatee.theory.consequences import WORDS, best_alpha, crossover, limiting_factor
    from legatee.theory.predict import predict

    output, setting = console(), prediction.setting
    best = predict(replace(setting, alpha=best_alpha(setting)))
    gains = f"gains {100 * best.gain:+.1f} points" if best.setting.alpha else "is scratch"
    output.print(f"Best inheritance ratio: {best.setting.alpha:g}, which {gains}.")
    output.print(f"Limiting factor: {WORDS[limiting_factor(setting)]}.")
    if prediction.gain > 0:
        samples = crossover(setting)
        needs = f"{samples:,} downstream samples" if samples else "more than the theory covers"
        output.print(
            f"To be as accurate, scratch needs {needs}; this setting has {setting.downstream.n}."
        )


def _show_boundaries(setting: Setting) -> None:
    """Print what the paper's theorems say of a setting."""
    from legatee.theory.bounds import (
        inheriting_helps,
        inheriting_hurts,
        scratch_succeeds,
        transfer_succeeds,
    )
    from legatee.theory.conditions import condition_4_1, movement, regime

    table = Table("result", "claims that", "value", "threshold", "margin", "applies")
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
    output = console()
    output.print("The paper's results, with constants that it does not name set to 1:")
    output.print(table)
    lines = condition_4_1(setting)
    hold = sum(line.holds for line in lines)
    worst = min(lines, key=lambda line: line.margin)
    output.print(
        f"Condition 4.1: {hold} of {len(lines)} inequalities hold; the one that is missed most is "
        f"'{worst.name}' ({worst.task}), with a margin of {worst.margin:+.1f} decades."
    )
    moved = min(movement(setting, task) for task in setting.resolved)
    output.print(
        f"Regime: {regime(setting).value}; training moves filters by {moved:.3g} times their "
        "initial norm."
    )


def _show_runs(data: "xr.Dataset") -> None:
    """Print the means over seeds of every network."""
    import numpy as np

    table = Table("network", "step", "loss", "train", "test", "spread", "status")
    for column in table.columns[1:-1]:
        column.justify = "right"
    table.columns[-1].no_wrap = True
    for run in data["run"].values:
        of_run = data.sel(run=run)
        kinds, counts = np.unique(of_run["status"].values, return_counts=True)
        status = ", ".join(f"{n} {kind}" for n, kind in zip(counts, kinds, strict=True))
        _, places = np.unique(of_run["step_number"].values, return_index=True)
        for place in places:  # a step beyond the end of a training is its end once more
            at = of_run.isel(step=place)
            table.add_row(
                str(run),
                f"{int(at['step_number'])}",
                f"{float(at['train_loss'].mean()):.4g}",
                f"{100 * float(at['train_accuracy'].mean()):.1f} %",
                _with_error(100 * at["test_accuracy"].values, "%", ".1f"),
                _spread(100 * at["test_accuracy"].values),
                status,
            )
    output = console()
    output.print(table)
    last = data["test_accuracy"].isel(step=-1)
    gains = 100 * (last.sel(run="inherited") - last.sel(run="scratch")).values
    output.print(f"Gain of inheriting: {_with_error(gains, 'points', '+.1f')}.")


def _with_error(values: "np.ndarray", unit: str, number: str) -> str:
    """Return the mean over seeds with its standard error, in words where one seed gives none."""
    mean = format(float(values.mean()), number)
    if len(values) == 1:
        return f"{mean} {unit} (error unknown with one seed)"
    return f"{mean} ± {float(values.std(ddof=1)) / len(values) ** 0.5:.1f} {unit}"


def _spread(values: "np.ndarray") -> str:
    """Return the standard deviation over seeds."""
    return f"{float(values.std(ddof=1)):.1f}" if len(values) > 1 else "unknown"


def _show_conditions(setting: Setting) -> None:
    """Print Condition 4.1 if runs did not converge."""
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
    output = console()
    output.print("Some runs did not converge. The paper's assumptions, line by line:")
    output.print(table)
