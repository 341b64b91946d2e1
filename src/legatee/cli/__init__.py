"""The command ``legatee``: parse, call, print. What takes seconds to import waits for its use."""

import sys
from importlib.metadata import version
from typing import Annotated

import typer

from legatee.cli import advise, plan, reproduce, sweep, transfer, world
from legatee.errors import LegateeError

INTERRUPTED = 130  # how typer leaves after Ctrl-C
app = typer.Typer(
    name="legatee",
    help="Start a network with part of another network's parameters, and know whether it helps.",
    epilog="Start with: `legatee demo`",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("demo", epilog="Example: `legatee demo --out legatee-demo`")(advise.demo_command)
app.command(
    "advise",
    epilog="Example: `legatee advise torchvision:resnet50@weights.safetensors torchvision:resnet18 "
    "folder:photos --out advice`",
)(advise.advise_command)
app.command("report", epilog="Example: `legatee report legatee-demo`")(advise.report_command)
app.command(epilog="Example: `legatee catalog timm:vit_tiny_patch16_224`")(transfer.catalog)
app.command("plan", epilog="Example: `legatee plan torchvision:resnet34 torchvision:resnet18`")(
    plan.plan_command
)
app.command(
    epilog="Example: `legatee inherit advice/plan.json torchvision:resnet50@weights.safetensors "
    "torchvision:resnet18 --out start.safetensors`"
)(transfer.inherit)
app.command(
    epilog="Example: `legatee verify start.safetensors "
    "--source torchvision:resnet50@weights.safetensors`"
)(transfer.verify)
app.command("predict", epilog="Example: `legatee predict u_norm=0.5 alpha=1`")(
    world.predict_command
)
app.command(
    "simulate", epilog="Example: `legatee simulate setting.toml upstream.n=400 --seeds 16`"
)(world.simulate_command)
app.command("sweep", epilog="Example: `legatee sweep grid.toml --workers 2`")(sweep.sweep_command)
app.command("reproduce", epilog="Example: `legatee reproduce universal_signal phase_diagram`")(
    reproduce.reproduce_command
)


def main() -> None:
    """Run the command line; refusals are one line on stderr and exit code 1, Ctrl-C is 130."""
    try:
        app()
    except LegateeError as error:
        sys.exit(f"legatee: {error}")
    except SystemExit as left:
        if left.code == INTERRUPTED:
            sys.stderr.write(
                "legatee: interrupted; finished work is kept, and the same command resumes it\n"
            )
        raise


def _version(asked: bool) -> None:
    if asked:
        typer.echo(version("legatee"))
        raise typer.Exit


@app.callback()
def _legatee(
    show: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass
