"""The commands that move parameters: ``plan`` and ``inherit``."""

from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import typer

from legatee.cli.options import (
    AsJson,
    Classes,
    Rule,
    Seed,
    Shape,
    Source,
    Target,
    network_of,
    pairs_of,
    refuse_existing,
    shape_of,
    typed_command,
)
from legatee.errors import TransferRefused


def plan(  # noqa: PLR0913 - one parameter for each option
    source: Source,
    target: Target,
    alpha: Annotated[float, typer.Option(help="Share of each channel group, 0 to 1.")] = 1.0,
    rule: Rule = "uniform",
    match: Annotated[
        list[str] | None, typer.Option(help="TARGET=SOURCE, modules or tensors; repeatable.")
    ] = None,
    classes: Classes = 1000,
    shape: Shape = "3,224,224",
    seed: Seed = 0,
    out: Annotated[Path | None, typer.Option(help="Write the plan here, as JSON.")] = None,
    as_json: AsJson = False,
) -> None:
    """Say what the target would inherit from the source, without copying anything."""
    from legatee.disk import write_text
    from legatee.surgery.plan import plan as make

    size = shape_of(shape)
    made = make(
        network_of(source, classes=classes, shape=size),
        network_of(target, classes=classes, shape=size),
        alpha=alpha,
        rule=rule,
        match=pairs_of(match),
        seed=seed,
    )
    if out is not None:
        refuse_existing(out)
        write_text(out, made.to_json())
    typer.echo(made.to_json() if as_json else str(made))


def inherit(  # noqa: PLR0913 - one parameter for each option
    plan: Annotated[Path, typer.Argument(help="A plan that `legatee plan` or `advise` wrote.")],
    source: Source,
    target: Target,
    out: Annotated[Path, typer.Option(help="The initialised network, as .safetensors.")],
    classes: Classes = 1000,
    shape: Shape = "3,224,224",
    seed: Seed = 0,
    as_json: AsJson = False,
) -> None:
    """Write the target's weights with everything inherited that the plan says."""
    from legatee.surgery.apply import inherit as apply
    from legatee.surgery.checkpoint import write_weights
    from legatee.transfer import TransferPlan

    refuse_existing(out)
    try:
        made = TransferPlan.from_json(plan.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise TransferRefused(f"cannot read the plan {str(plan)!r}: {error}") from error
    size = shape_of(shape)
    upstream = network_of(source, classes=classes, shape=size, trained=True)
    network = network_of(target, classes=classes, shape=size, seed=seed)
    receipt = apply(made, upstream, network)
    facts = {"model": target, "plan": made.digest, "source": made.source_digest}
    facts |= {"version": version("legatee"), "command": typed_command()}
    write_weights(out, network, facts)
    if as_json:
        typer.echo(receipt.to_json())
        return
    typer.echo(f"{receipt.inherited:.1%} of {receipt.elements:,} elements inherited: {out}")
