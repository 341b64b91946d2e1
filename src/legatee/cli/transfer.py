"""The commands ``catalog``, ``inherit`` and ``verify``."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from legatee.cli.options import (
    MODEL,
    AsJson,
    Classes,
    Force,
    Seed,
    Shape,
    Sizes,
    refuse_existing,
    shape_of,
    typed_command,
)
from legatee.errors import TraceError, TransferError, printable
from legatee.text import share

if TYPE_CHECKING:
    from torch import Tensor, nn

    from legatee.surgery.network.catalog import Catalog


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


def inherit(  # noqa: PLR0913 - one parameter for each option
    plan: Annotated[Path, typer.Argument(help="A plan that `legatee plan` or `advise` wrote.")],
    out: Annotated[Path, typer.Option(help="Write the initialised network here (.safetensors).")],
    source: Annotated[
        str | None,
        typer.Argument(help="Upstream network with weights; the plan's own if absent."),
    ] = None,
    target: Annotated[
        str | None, typer.Argument(help="Downstream network; the plan's own if absent.")
    ] = None,
    classes: Classes = None,
    shape: Shape = None,
    seed: Seed = 0,
    allow_rounding: Annotated[
        bool,
        typer.Option("--allow-rounding", help="Allow values to be rounded to a narrower type."),
    ] = False,
    allow_nonfinite: Annotated[
        bool, typer.Option("--allow-nonfinite", help="Allow NaN and infinite values.")
    ] = False,
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Write the weights of the target with everything inherited that a plan says."""
    from legatee.plans.plan import TransferPlan
    from legatee.plans.receipt import Receipt

    refuse_existing(out, force=force)
    made = TransferPlan.load(plan)

    from legatee.fingerprint import weights_fingerprint
    from legatee.models.resolve import ModelSpec, check_planned_sizes, load, weights_of
    from legatee.surgery.applying.apply import Transfer
    from legatee.surgery.applying.casts import Allowed  # what is refused above waits for no torch
    from legatee.surgery.files.checkpoint import write_weights
    from legatee.surgery.files.verify import FileRecord

    source = _planned(made.source, source, "source")
    target = _planned(made.target, target, "target")
    sizes: Sizes = {"num_classes": classes, "input_shape": shape_of(shape)}
    model = ModelSpec.parse(target)
    network = load(model, **sizes, seed=seed, shapes=made.shapes)
    check_planned_sizes(model, made.shapes, **sizes)
    _, given = weights_of(ModelSpec.parse(source), **sizes)
    allowed = Allowed(rounding=allow_rounding, nonfinite=allow_nonfinite)
    weights = Transfer(made, given, network, allowed)  # tensor by tensor, never all at once
    facts = FileRecord.of(
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


def _planned(planned: str, typed: str | None, which: str) -> str:
    """Return the network that was typed, else the one that the plan was made for."""
    if typed is not None:
        return typed
    if ":" not in planned:  # a plan that was made in Python knows a type such as ResNet at most
        raise TransferError(
            f"the plan does not say how to build its {which}, because it was not made by "
            f"`legatee plan`; write legatee inherit PLAN SOURCE TARGET, with the {which} such as "
            "torchvision:resnet18"
        )
    return planned


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
