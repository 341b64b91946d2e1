"""The commands that answer whether inheriting helps: ``demo``, ``advise``, ``report``."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from legatee.cli.options import (
    DATA,
    AsJson,
    Device,
    Rule,
    Seed,
    Source,
    Target,
    Workers,
    arm_of,
    image_shape,
    typed_command,
)
from legatee.cli.reproduce import holds_figures, keeping, write_figures
from legatee.disk import path_status
from legatee.errors import LegateeError, OutputError
from legatee.text import share

if TYPE_CHECKING:
    from legatee.advice import Advice


def demo(
    out: Annotated[Path, typer.Option(help="Folder to fill, or to go on with.")] = Path(
        "legatee-demo"
    ),
    seed: Seed = 0,
    workers: Workers = 2,
    as_json: AsJson = False,
) -> None:
    """Real digits, a related upstream network and a harmful one: a few minutes, one page."""
    from legatee.experiments.demo import run

    found = run(out, seed=seed, workers=workers, command=typed_command())
    page = _write_report(out)
    if as_json:
        typer.echo("{" + ", ".join(f'"{k}": {v.to_json()}' for k, v in found.items()) + "}")
        return
    for title, advice in found.items():
        _show(advice, title)
    typer.echo(f"Open {page} in a browser.")


def advise(  # noqa: PLR0913 - one parameter for each option
    source: Source,
    target: Target,
    data: Annotated[str, typer.Argument(help=f"Downstream {DATA}.")],
    held_out: Annotated[
        str | None, typer.Option(help="Data to compare on; 30 % of the data if absent.")
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder to fill, or to go on with.")] = Path("advice"),
    alphas: Annotated[
        str, typer.Option(help="Shares of the channels to try, besides scratch.")
    ] = "1,0.5,0.25",
    rule: Rule = "uniform",
    seeds: Annotated[int, typer.Option(help="Paired trainings of every arm.")] = 5,
    epochs: Annotated[int, typer.Option(help="Epochs of every training.")] = 20,
    batch_size: Annotated[int, typer.Option(help="Examples per step.")] = 50,
    optimizer: Annotated[str, typer.Option(help="adamw or sgd.")] = "adamw",
    learning_rate: Annotated[float, typer.Option(help="The greatest of the schedule.")] = 3e-3,
    margin: Annotated[float, typer.Option(help="Gain that is not worth the trouble.")] = 0.01,
    error_rate: Annotated[float, typer.Option(help="Chance of any wrong interval.")] = 0.05,
    device: Device = None,
    workers: Workers = 1,
    as_json: AsJson = False,
) -> None:
    """Will the target do better if it inherits part of the source, and which part?"""
    from functools import partial

    from legatee.advisor.advise import advise as ask
    from legatee.data.load import load_data
    from legatee.models.build import build
    from legatee.models.resolve import ModelSpec, load, require_weights
    from legatee.training.loop import TrainingLoop

    train = load_data(data)
    shape = image_shape(train)
    upstream = load(
        require_weights(ModelSpec.parse(source)),
        num_classes=len(train.class_names or ()),
        input_shape=shape,
    )
    if "@" in target:
        raise LegateeError(f"target {target!r} names weights; every training starts a fresh one")
    advice = ask(
        upstream,
        partial(build, target, num_classes=len(train.class_names), input_shape=shape),
        train,
        load_data(held_out) if held_out is not None else None,
        fit=TrainingLoop(
            epochs=epochs,
            batch_size=batch_size,
            optimizer=optimizer,
            learning_rate=learning_rate,
            device=device,
        ),
        arms=[arm_of(text, rule) for text in alphas.split(",")],
        seeds=seeds,
        margin=margin,
        error_rate=error_rate,
        workers=workers,
        out=out,
        about={"command": typed_command()},
    )
    page = _write_report(out)
    if as_json:
        typer.echo(advice.to_json())
        return
    _show(advice, "verdict")
    typer.echo(f"Open {page} in a browser.")
    if advice.plan is not None:
        words = ["legatee", "inherit", str(out / "plan.json"), source, target]
        words += ["--classes", str(len(train.class_names)), "--shape", ",".join(map(str, shape))]
        typer.echo(f"Next: {shlex.join([*words, '--out', str(out / 'start.safetensors')])}")


def report(
    folder: Annotated[
        Path, typer.Argument(help="What `legatee demo`, `advise` or `reproduce` filled.")
    ],
) -> None:
    """Write the page again from the files of a finished run; nothing is trained or simulated."""
    typer.echo(write_figures(folder) if holds_figures(folder) else _write_report(folder))


def _write_report(folder: Path) -> Path:
    """Write ``report.html`` beside the advice found in a folder and those below it."""
    from legatee.advice import Advice
    from legatee.report.page import Case, write_page
    from legatee.results import load

    if not (status := path_status(folder)).is_folder:
        raise OutputError(f"no folder {str(folder)!r}: {status.problem or 'it is a file'}")
    found = sorted([*folder.glob("advice.json"), *folder.glob("*/advice.json")])
    if not found:
        raise OutputError(
            f"{str(folder)!r} holds no advice.json; expected a folder that legatee demo, advise or "
            "reproduce filled"
        )
    cases = []
    for file in found:
        runs = file.parent / "runs.zarr"
        advice = Advice.load(file)
        title = file.parent.name if file.parent != folder else "Advice"
        cases.append(
            Case(title=title, advice=advice, runs=load(runs) if path_status(runs).exists else None)
        )
    cases.sort(key=lambda case: case.advice.verdict.value)  # inherit before scratch
    page = folder / "report.html"
    with keeping(page):
        write_page(page, cases, title="Does inheriting help?")
    return page


def _show(advice: "Advice", title: str) -> None:
    """Print a verdict and its arms."""
    from rich.console import Console
    from rich.table import Table

    table = Table(title=f"{title}: {advice}", title_justify="left")
    for column in ("arm", "inherited", "score", "gain", "at least", "at most", "seconds"):
        table.add_column(column, justify="left" if column == "arm" else "right")
    for arm in advice.arms:
        gain = (
            [f"{x:+.3f}" for x in (arm.gain.estimate, arm.gain.lower, arm.gain.upper)]
            if arm.gain
            else [""] * 3
        )
        score = f"{arm.score:.3f} ± {arm.score_error:.3f}"
        table.add_row(arm.name, share(arm.inherited_fraction), score, *gain, f"{arm.seconds:.0f}")
    Console().print(table)
