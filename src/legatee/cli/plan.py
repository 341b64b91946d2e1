"""The command ``plan``: what a target would inherit from a source, before anything is copied."""

from pathlib import Path
from time import perf_counter
from typing import Annotated

import typer

from legatee.cli.options import (
    NAMES,
    AsJson,
    Classes,
    ClassMap,
    Exclude,
    Force,
    Grow,
    Include,
    Match,
    PadKernels,
    Rule,
    Seed,
    Shape,
    Sizes,
    Source,
    Target,
    UnevenCopies,
    class_map_of,
    class_names_in,
    match_of,
    refuse_blind,
    refuse_existing,
    shape_of,
    typed_command,
)
from legatee.errors import OutputError


def plan_command(  # noqa: PLR0913 - one parameter for each option
    source: Source,
    target: Target,
    alpha: Annotated[
        float, typer.Option(help="Share of each channel group that is inherited, 0 to 1.")
    ] = 1.0,
    rule: Rule = "uniform",
    match: Match = None,
    include: Include = None,
    exclude: Exclude = None,
    class_map: ClassMap = None,
    class_names: Annotated[
        Path | None, typer.Option(help=f"Names of the target's classes in order: {NAMES}.")
    ] = None,
    source_class_names: Annotated[
        Path | None, typer.Option(help="Names of the source's classes in order, likewise.")
    ] = None,
    pad_kernels: PadKernels = False,
    grow: Grow = None,
    uneven_copies: UnevenCopies = 0.0,
    check: Annotated[
        bool,
        typer.Option(
            "--check",
            help="Run both networks on random numbers and compare what inherited layers compute.",
        ),
    ] = False,
    classes: Classes = None,
    shape: Shape = None,
    seed: Seed = 0,
    out: Annotated[Path | None, typer.Option(help="Write the plan here, as JSON.")] = None,
    html: Annotated[
        Path | None, typer.Option(help="Write a page with the plan here, to open in a browser.")
    ] = None,
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Print what the target would inherit from the source; nothing is copied."""
    from legatee.models.build import blank
    from legatee.models.resolve import ModelSpec, load
    from legatee.surgery.network.example_inputs import image
    from legatee.surgery.planning.plan import plan
    from legatee.surgery.planning.rules import find

    _check_places(out, html, force=force)
    refuse_blind(rule, source)
    if "@" in target and "@" not in source:
        typer.echo(
            "legatee: the target has weights and the source has none; are they swapped? "
            "(legatee plan SOURCE TARGET)",
            err=True,
        )
    size, names = shape_of(shape), (class_names_in(class_names), class_names_in(source_class_names))
    sizes: Sizes = {"num_classes": classes, "input_shape": size}
    has_weights = find(rule).needs == "weights"  # all other rules need only shapes
    networks = (
        load(ModelSpec.parse(source), **sizes) if has_weights else blank(source, **sizes),
        blank(target, **sizes),
    )
    made = plan(
        *networks,
        alpha=alpha,
        rule=rule,
        match=match_of(match),
        include=include or (),
        exclude=exclude or (),
        class_map=class_map_of(class_map, *names),
        class_names=names[0],
        source_class_names=names[1],
        example_inputs=image(size),
        seed=seed,
        pad_kernels=pad_kernels,
        grow=grow,
        uneven_copies=uneven_copies,
    ).model_copy(update={"source": source, "target": target})
    if check:
        from legatee.surgery.checking.check import self_check

        start = perf_counter()
        made = self_check(made, *networks, example_inputs=image(size))
        typer.echo(f"legatee: the check took {perf_counter() - start:.1f} s", err=True)
    if out is not None:
        made.save(out)
    if html is not None:
        from legatee.disk import write_text
        from legatee.report.plan import render_plan

        write_text(html, render_plan(made, command=typed_command()))
    typer.echo(made.to_json() if as_json else str(made))


def _check_places(out: Path | None, html: Path | None, *, force: bool) -> None:
    """Refuse to write where something is, or two files to one place."""
    for path in (out, html):
        if path is not None:
            refuse_existing(path, force=force)
    if out is not None and out == html:
        raise OutputError(
            f"--out and --html are both {str(out)!r}; give the plan and the page different names"
        )
