"""What the commands' arguments and options mean, and how their texts are read."""

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from legatee.errors import LegateeError, UnusableOutput

if TYPE_CHECKING:
    from torch import nn

    from legatee.advisor.race import Arm
    from legatee.training.examples import Examples

MODEL = (
    "a network: `cnn:widths=16-32`, `resnet:depth=8,width=16`, `torchvision:NAME`, `timm:NAME` or "
    "`package.module:factory`; with weights: `MODEL@FILE.safetensors`"
)
DATA = (
    "data: `digits:classes=5-9,n=100`, `folder:PATH,size=64` (a sub-folder of images for each "
    "class, cropped to a square of that many pixels) or `npz:PATH` (arrays `inputs` and `labels`)"
)
Source = Annotated[str, typer.Argument(help=f"Upstream: {MODEL}.")]
Target = Annotated[str, typer.Argument(help="Downstream: likewise, usually without weights.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for machines on stdout.")]
Rule = Annotated[str, typer.Option(help="Which channels: uniform, first or random.")]
Classes = Annotated[int, typer.Option(min=1, help="Classes of networks without weights.")]
Shape = Annotated[str, typer.Option(help="Channels, height and width of one input.")]
Seed = Annotated[int, typer.Option(min=0, help="Seed of whatever is drawn.")]
Workers = Annotated[int, typer.Option(min=1, help="Processes to train in, one thread each.")]
Device = Annotated[str | None, typer.Option(help="Where to train; a GPU when there is one.")]


def network_of(
    spec: str,
    *,
    classes: int,
    shape: tuple[int, int, int],
    seed: int = 0,
    trained: bool = False,
) -> "nn.Module":
    """Build ``MODEL`` or ``MODEL@FILE``; with a file, classes and channels are read off it.

    Args:
        spec: What the user typed.
        classes: Outputs of a network without weights [count].
        shape: Channels, height and width of one input [count].
        seed: Of random weights.
        trained: Whether a network without weights is refused.

    Returns:
        The network.

    Raises:
        LegateeError: If there is no such network, or the file does not hold its weights.
    """
    from legatee.surgery.catalog import state, without_wrappers
    from legatee.surgery.checkpoint import load_weights, read_weights
    from legatee.training.models import build

    model, at, file = spec.partition("@")
    if not at:
        if trained:
            raise LegateeError(f"{spec!r} has no weights to inherit; give {spec}@FILE")
        return build(model, classes=classes, shape=shape, seed=seed)
    network = build(model, classes=classes, shape=shape, seed=seed)
    given = read_weights(file)
    given = dict(zip(without_wrappers(list(given)), given.values(), strict=True))
    held = [name for name, value in state(network).items() if value.ndim > 1 and name in given]
    images = [name for name in held if given[name].ndim == 4]
    if held:  # the first convolution reads the channels, the last layer shows the classes
        channels = given[images[0]].shape[1] if images else shape[0]
        outputs, inputs = len(given[held[-1]]), (channels, *shape[1:])
        network = build(model, classes=outputs, shape=inputs, seed=seed)
    return load_weights(network, file).eval()


def shape_of(text: str) -> tuple[int, int, int]:
    """Read ``C,H,W``."""
    try:
        channels, height, width = (int(part) for part in text.split(","))
    except ValueError:
        raise LegateeError(
            f"shape is {text!r}; expected three numbers, such as 3,224,224"
        ) from None
    return channels, height, width


def image_shape(examples: "Examples") -> tuple[int, int, int]:
    """Return the shape of one image, or say that these are none."""
    if len(examples.shape) != 3:
        raise LegateeError(
            f"inputs of {examples.name!r} have shape {examples.shape}; expected images; for other "
            "inputs call legatee.advise from Python"
        )
    channels, height, width = examples.shape
    return channels, height, width


def arm_of(text: str, rule: str) -> "Arm":
    """Read one share of ``--alphas`` as an arm."""
    from legatee.advisor.race import ARMS, Arm

    try:
        alpha = float(text)
    except ValueError:
        raise LegateeError(f"alphas holds {text!r}; expected shares such as 1,0.5,0.25") from None
    names = {arm.alpha: arm.name for arm in ARMS}
    return Arm(name=names.get(alpha, f"share {alpha:g}"), alpha=alpha, rule=rule)


def pairs_of(match: list[str] | None) -> dict[str, str] | None:
    """Read ``TARGET=SOURCE`` pairs."""
    if not match:
        return None
    if wrong := [pair for pair in match if pair.count("=") != 1]:
        raise LegateeError(f"match is {wrong[0]!r}; expected TARGET=SOURCE")
    return dict(pair.split("=") for pair in match)


def refuse_existing(path: Path) -> None:
    """Refuse to write over a file."""
    if path.exists():
        raise UnusableOutput(f"{str(path)!r} exists; choose another name, or delete it")


def typed_command() -> str:
    """Return what was typed."""
    return shlex.join(["legatee", *sys.argv[1:]])
