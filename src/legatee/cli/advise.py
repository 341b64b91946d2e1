"""The commands that answer whether inheriting helps: ``demo``, ``advise``, ``report``."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from legatee.cli.arms import arms_of, score_margin
from legatee.cli.config import Config
from legatee.cli.options import (
    DATA,
    NAMES,
    AsJson,
    ClassMap,
    Device,
    Exclude,
    Include,
    Match,
    PadKernels,
    Seed,
    Source,
    Target,
    Workers,
    class_map_of,
    class_names_in,
    image_shape,
    match_of,
    typed_command,
)
from legatee.cli.pages import show, write_report
from legatee.cli.reproduce import holds_figures, write_figures
from legatee.errors import LegateeError

if TYPE_CHECKING:
    from legatee.data.examples import Examples


def demo_command(
    out: Annotated[
        Path, typer.Option(help="Folder to fill; a run that is there is resumed.")
    ] = Path("legatee-demo"),
    seed: Seed = 0,
    workers: Workers = 2,
    as_json: AsJson = False,
) -> None:
    """Real digits, a related upstream network and a harmful one: a few minutes, one page."""
    from legatee.experiments.demo import run

    advice = run(out, seed=seed, workers=workers, command=typed_command())
    page = write_report(out)
    if as_json:
        pairs = ", ".join(f'"{title}": {each.to_json()}' for title, each in advice.items())
        typer.echo("{" + pairs + "}")
        return
    for title, each in advice.items():
        show(each, title)
    typer.echo(f"Open {page} in a browser.")


def advise_command(  # noqa: PLR0913 - one parameter for each option
    source: Source,
    target: Target,
    data: Annotated[str, typer.Argument(help=f"Downstream {DATA}.")],
    held_out: Annotated[
        str | None,
        typer.Option(help="Data to compare on, never trained on; 30 % of the data if absent."),
    ] = None,
    out: Annotated[
        Path,
        typer.Option(help="Folder to fill; trainings that are there are used again."),
    ] = Path("advice"),
    config: Config = None,
    method: Annotated[
        list[str] | None,
        typer.Option(
            help="What to compare with scratch, repeatable: inherit (the default) copies and "
            "trains everything; linear_probe copies all but the classification head, and trains "
            "only that head."
        ),
    ] = None,
    alpha: Annotated[
        str, typer.Option(help="Shares of each channel group to inherit, each an arm.")
    ] = "1,0.5,0.25",
    rule: Annotated[
        str,
        typer.Option(
            help="Which channels: uniform, first, random, largest, or, by the training data, "
            "active or signal."
        ),
    ] = "uniform",
    match: Match = None,
    include: Include = None,
    exclude: Exclude = None,
    class_map: ClassMap = None,
    source_class_names: Annotated[
        Path | None,
        typer.Option(help=f"Names of the source's classes: {NAMES}; equal names are inherited."),
    ] = None,
    pad_kernels: PadKernels = False,
    seeds: Annotated[
        int,
        typer.Option(help="Paired trainings of every arm; a greater number adds to what is there."),
    ] = 5,
    epochs: Annotated[int, typer.Option(help="Epochs of every training.")] = 20,
    batch_size: Annotated[int, typer.Option(help="Examples per step.")] = 50,
    optimizer: Annotated[str, typer.Option(help="adamw or sgd.")] = "adamw",
    learning_rate: Annotated[float, typer.Option(help="The peak of the schedule.")] = 3e-3,
    weight_decay: Annotated[float, typer.Option(help="Of the optimizer.")] = 0.01,
    margin: Annotated[
        float,
        typer.Option(
            help="Smallest gain that is worth the trouble, in percentage points of accuracy "
            "(for targets that are numbers, in units of the score)."
        ),
    ] = 1.0,
    error_rate: Annotated[
        float, typer.Option(help="Chance that any interval misses, between 0 and 1.")
    ] = 0.05,
    device: Device = None,
    workers: Workers = 1,
    as_json: AsJson = False,
) -> None:
    """Will the target do better if it inherits part of the source, and which part?"""
    from functools import partial

    from legatee.advisor.advise import advise
    from legatee.data.load import load_data
    from legatee.models.build import build
    from legatee.models.resolve import ModelSpec, load, require_weights
    from legatee.training.loop import TrainingLoop

    train = load_data(data)
    shape, outputs = image_shape(train), _outputs(train)
    source_names = class_names_in(source_class_names)
    options: dict[str, Any] = {
        "rule": rule,
        "match": match_of(match),
        "include": tuple(include or ()),
        "exclude": tuple(exclude or ()),
        "pad_kernels": pad_kernels,
    }
    if class_map:
        names = list(train.class_names or ())
        options["class_map"] = class_map_of(class_map, names, source_names)
        options |= {"class_names": names, "source_class_names": source_names}
    arms = arms_of(alpha, method or ["inherit"], options)
    upstream = load(
        require_weights(ModelSpec.parse(source)), num_classes=outputs, input_shape=shape
    )
    if "@" in target:
        raise LegateeError(f"target {target!r} names weights; every training starts a fresh one")
    advice = advise(
        upstream,
        partial(build, target, num_classes=outputs, input_shape=shape),
        train,
        load_data(held_out) if held_out is not None else None,
        fit=TrainingLoop(
            epochs=epochs,
            batch_size=batch_size,
            optimizer=optimizer,
            learning_rate=learning_rate,
            weight_decay=weight_decay,
            device=device,
        ),
        arms=arms,
        seeds=seeds,
        margin=score_margin(margin, percent=train.class_names is not None),
        error_rate=error_rate,
        source_class_names=source_names,
        workers=workers,
        out=out,
        about={"command": typed_command()},
    )
    page = write_report(out)
    if as_json:
        typer.echo(advice.to_json())
        return
    show(advice, "Verdict")
    typer.echo(f"Open {page} in a browser.")
    if advice.plan is not None:
        words = ["legatee", "inherit", str(out / "plan.json"), source, target]
        words += ["--classes", str(outputs), "--shape", ",".join(map(str, shape))]
        typer.echo(f"Next: {shlex.join([*words, '--out', str(out / 'start.safetensors')])}")


def report_command(
    folder: Annotated[
        Path, typer.Argument(help="What `legatee demo`, `advise` or `reproduce` filled.")
    ],
    out: Annotated[
        Path | None,
        typer.Option(help="Write the page of an advice here, where the folder is read-only."),
    ] = None,
) -> None:
    """Write the page again from the files of a finished run; nothing is trained or simulated."""
    if holds_figures(folder):
        if out is not None:
            raise LegateeError("--out is for the page of an advice; figures are files of their own")
        typer.echo(write_figures(folder))
    else:
        typer.echo(write_report(folder, out))


def _outputs(train: "Examples") -> int:
    """Return how many outputs a network for these examples has."""
    if train.class_names is not None:
        return len(train.class_names)
    return 1 if train.targets.ndim == 1 else int(train.targets.shape[1])
