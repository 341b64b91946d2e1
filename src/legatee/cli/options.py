"""What the commands' arguments and options mean, and how their texts are read."""

import shlex
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from legatee.errors import LegateeError, OutputError

if TYPE_CHECKING:
    from torch import Tensor, nn

    from legatee.advisor.race import Arm
    from legatee.data.examples import Examples

MODEL = (
    "a network: `cnn:widths=16-32`, `resnet:depth=8,width=16`, `torchvision:NAME`, `timm:NAME`, "
    "`transformers:FOLDER-or-ID` or `package.module:factory`; with weights: "
    "`MODEL@FILE.safetensors`, `MODEL@FILE.pt#KEY` where a file holds several, "
    "`torchvision:NAME@pretrained`, `timm:NAME@pretrained`, `transformers:FOLDER-or-ID@pretrained` "
    "or `hf:OWNER/NAME@pretrained`"
)
DATA = (
    "data: `digits:classes=5-9,n=100`, `folder:PATH,size=64` (a sub-folder of images for each "
    "class, cropped to a square of that many pixels) or `npz:PATH` (arrays `inputs` and `labels`)"
)
MATCHES = ("first", "last", "spaced", "roles")  # words that `plan` takes in place of pairs
DATA_RULES = ("active", "signal")
PUBLISHED = "pretrained"  # in the place of a file: the weights that a publisher gives away
Source = Annotated[str, typer.Argument(help=f"Upstream: {MODEL}.")]
Target = Annotated[str, typer.Argument(help="Downstream: likewise, usually without weights.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for machines on stdout.")]
Rule = Annotated[str, typer.Option(help="Which channels: uniform, first, random or largest.")]
Classes = Annotated[
    int | None,
    typer.Option(
        min=1,
        help="Classes of networks without weights; where absent, those that a config of "
        "transformers or timm names, else 1000.",
    ),
]
Shape = Annotated[
    str | None,
    typer.Option(
        help="Channels, height and width of one input; where absent, likewise, else 3,224,224."
    ),
]
Size = tuple[int, int, int]  # channels, height and width of one input
Seed = Annotated[int, typer.Option(min=0, help="Seed of whatever is drawn.")]
Workers = Annotated[int, typer.Option(min=1, help="Processes to train in, one thread each.")]
Device = Annotated[str | None, typer.Option(help="Where to train; a GPU when there is one.")]


def network_of(
    spec: str,
    *,
    classes: int | None,
    shape: Size | None,
    seed: int = 0,
    trained: bool = False,
    told: Mapping[str, tuple[int, ...]] | None = None,
) -> "nn.Module":
    """Build ``MODEL`` or ``MODEL@FILE``; with a file, classes and channels are read off it.

    Args:
        spec: What the user typed.
        classes: Outputs of a network without weights; ``None`` for its usual ones [count].
        shape: Channels, height and width of one input; ``None`` for its usual ones [count].
        seed: Of random weights.
        trained: Whether a network without weights is refused.
        told: Shapes of its tensors, where a plan or a file knows them [count per axis].

    Returns:
        The network.

    Raises:
        LegateeError: If there is no such network, or the file does not hold its weights.
    """
    from legatee.models.build import build
    from legatee.surgery.files.checkpoint import load_weights

    model, at, file = _parts(spec)
    if (whole := _loaded(model, file, classes, shape)) is not None:
        return whole
    if trained and not at:
        raise LegateeError(f"{spec!r} has no weights to inherit; give {spec}@FILE")
    sizes = _sizes(model, _shapes(file) or told, classes, shape)
    network = build(model, num_classes=sizes[0], input_shape=sizes[1], seed=seed)
    return load_weights(network, *_place(file)).eval() if at else network


def outline_of(spec: str, *, classes: int | None, shape: Size | None) -> "nn.Module":
    """Build ``MODEL`` or ``MODEL@FILE`` without weights, as far as planning needs it.

    Args:
        spec: What the user typed; a file is looked at, but not read.
        classes: Outputs of a network without weights; ``None`` for its usual ones [count].
        shape: Channels, height and width of one input; ``None`` for its usual ones [count].

    Returns:
        The network, of shapes alone where possible.

    Raises:
        LegateeError: If there is no such network, or the file does not hold its weights.
    """
    from legatee.models.build import blank

    model, at, _ = _parts(spec)
    if at:
        return weights_of(spec, classes=classes, shape=shape)[0]
    sizes = _sizes(model, None, classes, shape)
    return blank(model, num_classes=sizes[0], input_shape=sizes[1])


def weights_of(
    spec: str, *, classes: int | None, shape: Size | None
) -> "tuple[nn.Module, Mapping[str, Tensor]]":
    """Return the network that ``MODEL@FILE`` names, and its weights as they lie in the file.

    Args:
        spec: What the user typed.
        classes: Outputs, where the file does not tell; ``None`` for its usual ones [count].
        shape: Channels, height and width of one input; ``None`` for its usual ones [count].

    Returns:
        The network, of shapes alone where possible, and its weights, mapped from the file one
        tensor at a time.

    Raises:
        LegateeError: If there is no such network, or the file does not hold its weights.
    """
    from legatee.models.build import blank
    from legatee.surgery.files.checkpoint import fitted, read_weights
    from legatee.surgery.network.catalog import state

    model, at, file = _parts(spec)
    if not at:
        raise LegateeError(f"{spec!r} has no weights to inherit; give {spec}@FILE")
    if (whole := _loaded(model, file, classes, shape)) is not None:
        return whole, state(whole)
    sizes = _sizes(model, _shapes(file), classes, shape)
    network = blank(model, num_classes=sizes[0], input_shape=sizes[1])
    return network, fitted(read_weights(*_place(file)), network, file)


def _parts(spec: str) -> tuple[str, str, str]:
    """Read ``MODEL@FILE``: the model, whether there is an ``@``, and the file."""
    model, at, file = spec.partition("@")
    if model.startswith("hf:") and file != PUBLISHED:
        raise LegateeError(f"{model!r} is known with its own weights alone: {model}@{PUBLISHED}")
    return model, at, file


def _loaded(model: str, file: str, classes: int | None, shape: Size | None) -> "nn.Module | None":
    """Return a network whose weights its publisher's package alone can read, else ``None``."""
    from legatee.models.build import blank
    from legatee.models.configs import dressed
    from legatee.models.published import published
    from legatee.surgery.files.checkpoint import read_weights

    if file == PUBLISHED:
        return published(model)
    if not file or not model.startswith("transformers:"):
        return None
    sizes = _sizes(model, _shapes(file), classes, shape)
    network = blank(model, num_classes=sizes[0], input_shape=sizes[1])
    return dressed(network, read_weights(*_place(file)), file).eval()


def _shapes(file: str) -> dict[str, tuple[int, ...]] | None:
    """Return the shapes of the tensors in a file of weights, if there is one."""
    from legatee.surgery.files.checkpoint import read_weights

    if not file:
        return None
    return {name: tuple(value.shape) for name, value in read_weights(*_place(file)).items()}


def _sizes(
    model: str,
    told: Mapping[str, tuple[int, ...]] | None,
    classes: int | None,
    shape: Size | None,
) -> tuple[int, Size]:
    """Settle classes and shape: as tensors of known shapes tell, else as typed, else usual."""
    from legatee.models.build import blank, usual
    from legatee.models.sizes import sizes_told

    if classes is None or shape is None:
        own = usual(model)
        classes, shape = own[0] if classes is None else classes, shape or own[1]
    if not told:
        return classes, shape
    network = blank(model, num_classes=classes, input_shape=shape)
    classes, channels = sizes_told(told, network, classes, shape[0])
    return classes, (channels, *shape[1:])


def _place(file: str) -> tuple[str, str | None]:
    """Read ``FILE`` or ``FILE#KEY``."""
    path, _, key = file.rpartition("#")
    return (path, key) if path and not Path(file).exists() else (file, None)


def shape_of(text: str | None) -> Size | None:
    """Read ``C,H,W``; ``None`` where nothing was typed."""
    if text is None:
        return None
    try:
        channels, height, width = (int(part) for part in text.split(","))
    except ValueError:
        channels = height = width = 0
    if min(channels, height, width) < 1:
        raise LegateeError(f"shape is {text!r}; expected three numbers from 1, such as 3,224,224")
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


def match_of(match: list[str] | None) -> dict[str, str] | str | None:
    """Read ``TARGET=SOURCE`` pairs, or one word such as ``roles`` or ``last:3``."""
    if not match:
        return None
    if words := [word for word in match if word.partition(":")[0] in MATCHES]:
        if len(match) == 1:
            return match[0]
        raise LegateeError(f"match is {words[0]!r} and more; expected one word, or pairs")
    if wrong := [pair for pair in match if pair.count("=") != 1]:
        raise LegateeError(
            f"match is {wrong[0]!r}; expected TARGET=SOURCE, or one of first:K, last:K, spaced:K, "
            "roles"
        )
    return dict(pair.split("=") for pair in match)


def class_map_of(
    pairs: list[str] | None, names: list[str] | None, source_names: list[str] | None
) -> dict[int | str, int | str] | None:
    """Read ``TARGET=SOURCE`` pairs of classes: in digits a number, if no class is called so."""
    if not pairs:
        return None
    if wrong := [pair for pair in pairs if pair.count("=") != 1]:
        raise LegateeError(f"class is {wrong[0]!r}; expected TARGET=SOURCE, such as 0=281")
    split = [
        [
            int(word) if word.isdecimal() and word not in (known or ()) else word
            for word, known in zip(pair.split("="), (names, source_names), strict=True)
        ]
        for pair in pairs
    ]
    if len(split) > len({to for to, _ in split}):
        raise LegateeError(f"class is {pairs!r}; expected each target class once")
    return {to: frm for to, frm in split}


def refuse_blind(rule: str, source: str) -> None:
    """Refuse a rule that would look at what is not there: data, or weights of a source."""
    if rule in DATA_RULES:
        raise LegateeError(f"rule {rule!r} looks at data; call legatee.plan from Python")
    if rule == "largest" and "@" not in source:
        raise LegateeError(f"rule 'largest' looks at weights; give {source}@FILE")


def refuse_existing(path: Path) -> None:
    """Refuse to write over a file."""
    if path.exists():
        raise OutputError(f"{str(path)!r} exists; choose another name, or delete it")


def typed_command() -> str:
    """Return what was typed."""
    return shlex.join(["legatee", *sys.argv[1:]])
