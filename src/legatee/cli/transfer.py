"""The commands that move parameters: ``catalog``, ``plan``, ``inherit`` and ``verify``."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from legatee.cli.options import (
    MODEL,
    AsJson,
    Classes,
    ClassMap,
    Exclude,
    Include,
    Match,
    PadKernels,
    Rule,
    Seed,
    Shape,
    Sizes,
    Source,
    Target,
    class_map_of,
    match_of,
    refuse_blind,
    refuse_existing,
    shape_of,
    typed_command,
)
from legatee.disk import path_status
from legatee.errors import OutputError, TraceError, TransferError, printable
from legatee.text import share

if TYPE_CHECKING:
    from torch import Tensor, nn

    from legatee.surgery.network.catalog import Catalog

NAMES = "a text file with one on each line, or a folder with a sub-folder for each"


def catalog(
    model: Annotated[str, typer.Argument(help=f"What to look at: {MODEL}.")],
    classes: Classes = None,
    shape: Shape = None,
    as_json: AsJson = False,
) -> None:
    """List a network's tensors, the role of each axis, and the channels that go together."""
    from legatee.models.build import blank
    from legatee.surgery.network.example_inputs import image
    from legatee.surgery.network.listing import listing

    size = shape_of(shape)
    found = _followed(blank(model, num_classes=classes, input_shape=size), image(size))
    if not as_json:
        typer.echo(listing(found))
        return
    groups = [
        {
            "size": group.size,
            "role": group.role,
            "members": [
                {"tensor": name, "axis": axis, "positions_per_channel": spots.shape[1]}
                for (name, axis), spots in group.members.items()
            ],
        }
        for group in found.groups
    ]
    tensors = [asdict(tensor) for tensor in found.tensors.values()]
    typer.echo(json.dumps({"tensors": tensors, "groups": groups}))


def _followed(network: "nn.Module", example: "Tensor | None") -> "Catalog":
    """Catalogue with images as typed, else with a guess, else the tensors alone, and say so."""
    from legatee.surgery.network.catalog import read, read_tensors

    try:
        return read(network, example)
    except TraceError as error:
        if example is not None:
            return _followed(network, None)
        typer.echo(f"legatee: channels could not be followed: {error}", err=True)
        return read_tensors(network)


def plan(  # noqa: PLR0913 - one parameter for each option
    source: Source,
    target: Target,
    alpha: Annotated[float, typer.Option(help="Share of each channel group, 0 to 1.")] = 1.0,
    rule: Rule = "uniform",
    match: Match = None,
    include: Include = None,
    exclude: Exclude = None,
    class_map: ClassMap = None,
    class_names: Annotated[
        Path | None, typer.Option(help=f"Names of the target's classes: {NAMES}.")
    ] = None,
    source_class_names: Annotated[
        Path | None, typer.Option(help="Names of the source's classes, likewise.")
    ] = None,
    pad_kernels: PadKernels = False,
    classes: Classes = None,
    shape: Shape = None,
    seed: Seed = 0,
    out: Annotated[Path | None, typer.Option(help="Write the plan here, as JSON.")] = None,
    html: Annotated[
        Path | None, typer.Option(help="Write it here as a picture, to open in a browser.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Say what the target would inherit from the source, without copying anything."""
    from legatee.disk import write_text
    from legatee.models.build import blank
    from legatee.models.resolve import ModelSpec, load
    from legatee.surgery.network.example_inputs import image
    from legatee.surgery.planning.plan import plan as make

    for path in (out, html):
        if path is not None:
            refuse_existing(path)
    if out is not None and out == html:
        raise OutputError(f"{str(out)!r} cannot be both plan and picture; choose another name")
    refuse_blind(rule, source)
    size, names = shape_of(shape), (class_names_in(class_names), class_names_in(source_class_names))
    sizes: Sizes = {"num_classes": classes, "input_shape": size}
    needs_weights = rule == "largest"  # all other rules need only shapes
    made = make(
        load(ModelSpec.parse(source), **sizes) if needs_weights else blank(source, **sizes),
        blank(target, **sizes),
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
    )
    if out is not None:
        write_text(out, made.to_json())
    if html is not None:
        from legatee.report.plan import render_plan

        page = render_plan(made, source=source, target=target, command=typed_command())
        write_text(html, page)
    typer.echo(made.to_json() if as_json else str(made))


def class_names_in(path: Path | None) -> list[str] | None:
    """Read the names of classes in their order: lines, or sub-folders as image folders are read."""
    if path is None:
        return None
    try:
        if path_status(path).is_folder:
            folders = (child for child in path.iterdir() if path_status(child).is_folder)
            return sorted(child.name for child in folders if child.name[0] != ".")
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        cause = getattr(error, "strerror", None) or error
        raise TransferError(f"cannot read the names of classes {str(path)!r}: {cause}") from error
    return [line.strip() for line in lines if line.strip()]


def inherit(  # noqa: PLR0913 - one parameter for each option
    plan: Annotated[Path, typer.Argument(help="A plan that `legatee plan` or `advise` wrote.")],
    source: Source,
    target: Target,
    out: Annotated[Path, typer.Option(help="The initialised network, as .safetensors.")],
    classes: Classes = None,
    shape: Shape = None,
    seed: Seed = 0,
    allow_rounding: Annotated[
        bool, typer.Option("--allow-rounding", help="Let numbers pass into a narrower type.")
    ] = False,
    allow_nonfinite: Annotated[
        bool, typer.Option("--allow-nonfinite", help="Let NaN and infinities pass.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Write the target's weights with everything inherited that the plan says."""
    from legatee.plans.plan import TransferPlan
    from legatee.plans.receipt import Receipt

    refuse_existing(out)
    try:
        made = TransferPlan.from_json(plan.read_text(encoding="utf-8"))
    except OSError as error:
        raise TransferError(f"cannot read the plan {str(plan)!r}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise TransferError(f"the plan {str(plan)!r} is no text: {error}") from error

    from legatee.fingerprint import weights_fingerprint
    from legatee.models.resolve import ModelSpec, check_planned_sizes, load, weights_of
    from legatee.surgery.applying.apply import Transfer
    from legatee.surgery.applying.casts import Allowed  # what is refused above waits for no torch
    from legatee.surgery.files.checkpoint import write_weights
    from legatee.surgery.files.verify import Provenance

    sizes: Sizes = {"num_classes": classes, "input_shape": shape_of(shape)}
    model = ModelSpec.parse(target)
    network = load(model, **sizes, seed=seed, shapes=made.shapes)
    check_planned_sizes(model, made.shapes, **sizes)
    _, given = weights_of(ModelSpec.parse(source), **sizes)
    allowed = Allowed(rounding=allow_rounding, nonfinite=allow_nonfinite)
    weights = Transfer(made, given, network, allowed)  # tensor by tensor, never all at once
    facts = Provenance.of(
        made, source_digest=weights_fingerprint(given), model=target, command=typed_command()
    )
    write_weights(out, network, facts.model_dump(), weights)
    receipt = Receipt.of(made)
    if as_json:
        typer.echo(receipt.to_json())
        return
    zeros = f", {share(made.zeroed, 1)} set to zero" if made.zeroed else ""
    filled = (
        f"{share(receipt.inherited_fraction, 1)} of {receipt.elements:,} elements inherited{zeros}"
    )
    typer.echo(f"{filled}: {out}")


def verify(
    file: Annotated[Path, typer.Argument(help="A file that `legatee inherit` wrote.")],
    source: Annotated[
        str | None, typer.Option(help="MODEL@FILE that it inherited from, to compare with.")
    ] = None,
    classes: Classes = None,
    shape: Shape = None,
    as_json: AsJson = False,
) -> None:
    """Check that a file of inherited weights is what it says, and what its source holds."""
    from legatee.models.resolve import ModelSpec, weights_of
    from legatee.surgery.files.verify import verify as check

    given = None
    if source is not None:
        sizes: Sizes = {"num_classes": classes, "input_shape": shape_of(shape)}
        _, given = weights_of(ModelSpec.parse(source), **sizes)
    record, made = check(file, given)
    if as_json:
        facts = record.model_dump(exclude={"plan"})
        facts |= {"inherited": made.inherited_fraction, "compared_with_source": source is not None}
        typer.echo(json.dumps(facts))
        return
    writer = f"{record.command!r} (legatee {record.version})"
    typer.echo(printable(f"{file} is as it was written by {writer}"))
    part = share(made.inherited_fraction, 1)
    filled = f"{part} of {made.elements:,} elements of {record.model} inherited"
    compared = "and equal to the source's" if given is not None else "not compared: give --source"
    typer.echo(printable(f"{filled}, {compared}"))
