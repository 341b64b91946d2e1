"""Arguments and options that several commands share, and how their texts are read."""

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypedDict

import typer

from legatee.disk import NO_SUCH_FILE, path_status
from legatee.errors import LegateeError, OutputError, TransferError
from legatee.surgery.planning.rules import find, summaries

if TYPE_CHECKING:
    from legatee.data.examples import Examples

MODEL = (
    "a network: `cnn:widths=16-32`, `resnet:depth=8,width=16`, `torchvision:NAME`, `timm:NAME`, "
    "`transformers:FOLDER-or-ID`, or one of your own, `MODULE:FACTORY` or `PATH.py:FACTORY`, whose "
    "code is executed and whose factory is called with `num_classes=`; with weights: "
    "`MODEL@FILE.safetensors`, `MODEL@FILE.pt#KEY` where a file holds several, "
    "`torchvision:NAME@pretrained`, `timm:NAME@pretrained`, `transformers:FOLDER-or-ID@pretrained` "
    "or `hf:OWNER/NAME@pretrained`"
)
DATA = (
    "data: `digits:classes=5-9,n=100`, `folder:PATH,size=64` (a sub-folder of images for each "
    "class, cropped to a square of that many pixels) or `npz:PATH` (arrays `inputs` and `labels`)"
)
NAMES = "a text file with one name on each line, or a folder with a sub-folder for each class"
MATCHES = ("first", "last", "spaced", "roles")  # words that `plan` takes in place of pairs
Source = Annotated[str, typer.Argument(help=f"Upstream: {MODEL}.")]
Target = Annotated[str, typer.Argument(help="Downstream: likewise, usually without weights.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for machines on stdout.")]
RULES = "; ".join(
    f"`{name}`: {picks[0].lower()}{picks[1:].rstrip('.')}" for name, picks in summaries().items()
)
Rule = Annotated[str, typer.Option(help=f"Which channels are inherited. {RULES}.")]
Force = Annotated[bool, typer.Option("--force", help="Replace files that exist already.")]
Match = Annotated[
    list[str] | None,
    typer.Option(
        help="Which layer takes from which, instead of equal names: TARGET=SOURCE, modules or "
        "tensors, repeatable, and nothing else is inherited; or one of first:K, last:K, spaced:K "
        "(K blocks of a deeper source) and roles (layers are paired by kind, kernel size and "
        "stage)."
    ),
]
Include = Annotated[
    list[str] | None,
    typer.Option(help="Inherit only this module or tensor of the target; repeatable."),
]
Exclude = Annotated[
    list[str] | None,
    typer.Option(help="Do not inherit this module or tensor of the target; repeatable."),
]
ClassMap = Annotated[
    list[str] | None,
    typer.Option(
        "--class",
        help="TARGET=SOURCE, two classes with the same meaning, by number or name; repeatable.",
    ),
]
PadKernels = Annotated[
    bool,
    typer.Option(
        "--pad-kernels", help="Place kernels in the middle of larger ones, surrounded by zeros."
    ),
]
Grow = Annotated[
    str | None,
    typer.Option(
        help="clone: fill a target that is larger than the source with copies of its channels, so "
        "that it computes the same."
    ),
]
UnevenCopies = Annotated[
    float,
    typer.Option(
        help="How unevenly the copies of a channel share what reads them; above 0 they become "
        "different in training."
    ),
]
Classes = Annotated[
    int | None,
    typer.Option(
        min=1,
        help="Number of classes of networks without weights; where absent, that in the config of a "
        "transformers or timm model, else 1000.",
    ),
]
Shape = Annotated[
    str | None,
    typer.Option(
        help="Channels, height and width of one input; where absent, those in the config, else "
        "3,224,224."
    ),
]
Size = tuple[int, int, int]  # channels, height and width of one input


class Sizes(TypedDict):
    """The sizes that were typed, as the functions that build networks take them.

    Attributes:
        num_classes: Outputs, if they were typed [count].
        input_shape: Channels, height and width of one input, if they were typed [count].
    """

    num_classes: int | None
    input_shape: Size | None


Seed = Annotated[int, typer.Option(min=0, help="Seed of everything that is random.")]
Workers = Annotated[int, typer.Option(min=1, help="Processes to train in, one thread each.")]
Device = Annotated[
    str | None, typer.Option(help="Device to train on, such as cpu or cuda; a GPU if there is one.")
]


def shape_of(text: str | None) -> Size | None:
    """Read ``C,H,W``; ``None`` where the option is absent."""
    if text is None:
        return None
    try:
        channels, height, width = (int(part) for part in text.split(","))
    except ValueError:
        channels = height = width = 0
    if min(channels, height, width) < 1:
        raise LegateeError(
            f"--shape is {text!r}; expected three whole numbers from 1, such as 3,224,224"
        )
    return channels, height, width


def image_shape(examples: "Examples") -> tuple[int, int, int]:
    """Return the shape of one image, or refuse examples that are not images."""
    if len(examples.shape) != 3:
        raise LegateeError(
            f"inputs of {examples.name!r} have shape {examples.shape}; expected images; for other "
            "inputs call legatee.advise from Python"
        )
    channels, height, width = examples.shape
    return channels, height, width


def match_of(match: list[str] | None) -> dict[str, str] | str | None:
    """Read ``TARGET=SOURCE`` pairs, or one word such as ``roles`` or ``last:3``."""
    if not match:
        return None
    if words := [word for word in match if word.partition(":")[0] in MATCHES]:
        if len(match) == 1:
            return match[0]
        raise LegateeError(
            f"--match is given {len(match)} times, once as {words[0]!r}; expected that word alone, "
            "or only pairs TARGET=SOURCE"
        )
    if wrong := [pair for pair in match if pair.count("=") != 1]:
        raise LegateeError(
            f"--match is {wrong[0]!r}; expected TARGET=SOURCE, or one of first:K, last:K, spaced:K "
            "and roles"
        )
    return dict(pair.split("=") for pair in match)


def class_map_of(
    pairs: list[str] | None, names: list[str] | None, source_names: list[str] | None
) -> dict[int | str, int | str] | None:
    """Read ``TARGET=SOURCE`` pairs of classes; digits are a number unless a class has that name."""
    if not pairs:
        return None
    if wrong := [pair for pair in pairs if pair.count("=") != 1]:
        raise LegateeError(f"--class is {wrong[0]!r}; expected TARGET=SOURCE, such as 0=281")
    split = [
        [
            int(word) if word.isdecimal() and word not in (known or ()) else word
            for word, known in zip(pair.split("="), (names, source_names), strict=True)
        ]
        for pair in pairs
    ]
    if len(split) > len({to for to, _ in split}):
        raise LegateeError(f"--class is {pairs!r}; expected each target class once")
    return {to: frm for to, frm in split}


def refuse_blind(rule: str, source: str) -> None:
    """Refuse a rule that needs data, or weights of a source without weights."""
    needs = find(rule).needs
    if needs in ("data", "labels"):
        raise LegateeError(
            f"--rule {rule} needs data; call legatee.plan(..., rule={rule!r}, data=...) from Python"
        )
    if needs == "weights" and "@" not in source:
        raise LegateeError(f"--rule {rule} needs weights; give the source as {source}@FILE")


def refuse_existing(path: Path, *, force: bool = False) -> None:
    """Refuse to write over a file unless it is forced, and where no file can be."""
    status = path_status(path)
    if status.exists and (status.is_folder or not force):
        raise OutputError(
            f"{str(path)!r} exists; choose another name, or pass --force to replace a file"
        )
    if not status.exists and status.problem != NO_SUCH_FILE:
        raise OutputError(f"cannot write {str(path)!r}: {status.problem}")


def typed_command() -> str:
    """Return the command that was typed."""
    return shlex.join(["legatee", *sys.argv[1:]])


def class_names_in(path: Path | None) -> list[str] | None:
    """Read the names of classes in their order.

    Args:
        path: A text file with one name on each line, or a folder with a subfolder for each class.

    Returns:
        The names; ``None`` where there is no path.

    Raises:
        TransferError: If it cannot be read.
    """
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
