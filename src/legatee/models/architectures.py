"""Architectures by name, and the sizes that they are built with; no weight is read here."""

from collections.abc import Callable
from difflib import get_close_matches
from functools import partial
from operator import index
from re import fullmatch
from typing import Any

from torch import nn

from legatee.errors import LegateeError, UnknownNameError
from legatee.models.configs import configured, described
from legatee.models.factory import find_factory
from legatee.models.small import Cnn, ResNet
from legatee.specs import Range, read_options

Size = tuple[int, int, int]  # channels, height and width of one input
IMAGENET = 1000, (3, 224, 224)  # classes and the shape of one input, where nothing tells others
MOST_CLASSES = 10_000_000  # outputs of a network [count]
LONGEST_AXIS = 65_536  # channels, height or width of one input [count]
KINDS = ("cnn", "resnet", "torchvision", "timm", "transformers")


def maker(name: str, num_classes: int, input_shape: Size) -> Callable[[], nn.Module]:
    """Find what builds the architecture of a name, with random weights.

    Args:
        name: As :func:`legatee.models.build.build` reads it, without weights.
        num_classes: Outputs [count].
        input_shape: Shape of one input: channels, height, width [count].

    Returns:
        A function without arguments. Other packages' constructors raise whatever they like.

    Raises:
        UnknownNameError: If there is no such kind, option or model.
        CheckpointError: If there is no such config, or it asks for code of its own.
        LegateeError: If a size or an option is out of its range.
    """
    kind, _, rest = name.partition(":")
    makers = {
        "cnn": _cnn,
        "resnet": _resnet,
        "torchvision": _torchvision,
        "timm": _timm,
        "transformers": configured,
    }
    num_classes, input_shape = checked_sizes(num_classes, input_shape)
    if kind in makers:
        return makers[kind](rest, num_classes, input_shape)
    if kind == "hf":
        raise LegateeError(
            f"hf: models are available only with their published weights; write {name}@pretrained"
        )
    if name.endswith(".py"):
        raise LegateeError(f"{name!r} names a file and no factory in it; write {name}:FACTORY")
    if ":" not in name:
        raise UnknownNameError("kind of model", name, KINDS, suggestions=_models_called(name))
    factory = find_factory(name, num_classes)
    if factory is None:
        note = "; nor is there a module of that name, installed or in the working folder"
        raise UnknownNameError("kind of model", kind, KINDS, note=note)
    return factory


def checked_sizes(num_classes: int, input_shape: Size) -> tuple[int, Size]:
    """Refuse sizes that no network has.

    Args:
        num_classes: Outputs [count].
        input_shape: Shape of one input: channels, height, width [count].

    Returns:
        The same, as plain whole numbers.

    Raises:
        LegateeError: If one is out of its range.

    Example:
        >>> checked_sizes(10, [3, 32, 32])
        (10, (3, 32, 32))
    """
    try:
        classes = index(num_classes)
    except TypeError:
        classes = -1
    if not 0 <= classes <= MOST_CLASSES:
        raise LegateeError(
            f"num_classes (--classes) is {num_classes!r}; expected a whole number from 0 to "
            f"{MOST_CLASSES:,}"
        )
    try:
        channels, height, width = map(index, input_shape)
    except (TypeError, ValueError):
        channels = height = width = 0
    if not all(1 <= length <= LONGEST_AXIS for length in (channels, height, width)):
        raise LegateeError(
            f"input_shape (--shape) is {input_shape!r}; expected channels, height and width, each "
            f"from 1 to {LONGEST_AXIS:,}, such as 3,224,224"
        )
    return classes, (channels, height, width)


def default_sizes(name: str) -> tuple[int, Size]:
    """Return the sizes that an architecture is built with where no others are given.

    Args:
        name: As :func:`legatee.models.build.build` reads it, without weights.

    Returns:
        Number of classes and shape of one input [count]: those in the config of a model of
        transformers or timm, else ImageNet's.

    Raises:
        CheckpointError: If there is no such config, or it asks for code of its own.

    Example:
        >>> default_sizes("cnn:widths=16-32")
        (1000, (3, 224, 224))
    """
    kind, _, rest = name.partition(":")
    if kind == "transformers":
        return described(rest, *IMAGENET)
    if kind == "timm":
        import timm  # takes seconds

        config = timm.models.get_pretrained_cfg(rest)
        return (config.num_classes, config.input_size) if config else IMAGENET
    return IMAGENET


def torchvision_names() -> list[str]:
    """Return the names of torchvision's models of still images: those that classify or segment."""
    from torchvision import models  # takes seconds

    return models.list_models(module=models) + models.list_models(module=models.segmentation)


def _models_called(name: str) -> list[str]:
    """Return the models of other packages that have a name, else what is spelled like it."""
    import timm  # takes seconds

    packages = {"torchvision": torchvision_names(), "timm": timm.list_models()}
    if exact := [f"{package}:{name}" for package, names in packages.items() if name in names]:
        return exact
    if near := get_close_matches(name, KINDS, n=3, cutoff=0.5):
        return near
    homes = {name: package for package, names in packages.items() for name in names}
    return [f"{homes[near]}:{near}" for near in get_close_matches(name, homes, n=3, cutoff=0.8)]


def _cnn(rest: str, num_classes: int, input_shape: Size) -> Callable[[], nn.Module]:
    """Read ``widths=16-32``."""
    text = read_options("cnn", rest, {"widths": None}, LegateeError).get("widths", "16-32")
    widths = tuple(int(width) for width in text.split("-") if fullmatch("[0-9]{1,4}", width))
    if len(widths) != text.count("-") + 1 or not all(1 <= width <= 4096 for width in widths):
        raise LegateeError(f"cnn: cannot use widths={text}; give whole numbers in 1..4096: 16-32")
    if min(input_shape[1:]) < 2 ** (len(widths) - 1):
        raise LegateeError(
            f"cnn: inputs {input_shape} are too small for {len(widths)} widths, "
            "between which height and width are halved; give fewer widths"
        )
    return partial(Cnn, input_shape[0], widths, num_classes)


def _resnet(rest: str, num_classes: int, input_shape: Size) -> Callable[[], nn.Module]:
    """Read ``depth=8,width=16``."""
    known = {"depth": Range(lower=8, upper=1202), "width": Range(lower=1, upper=1024)}
    options = {"depth": 8, "width": 16} | read_options("resnet", rest, known, LegateeError)
    if options["depth"] % 6 != 2:
        raise LegateeError(
            f"resnet: cannot use depth={options['depth']}; give 6k + 2: 8, 14, 20, 26, ..."
        )
    return partial(ResNet, input_shape[0], options["depth"], options["width"], num_classes)


def _torchvision(name: str, num_classes: int, input_shape: Size) -> Callable[[], nn.Module]:
    """Find a model of torchvision; one that segments is built without weights of its backbone."""
    from torchvision import models  # takes seconds

    if name not in (known := torchvision_names()):
        raise UnknownNameError("torchvision model", name, known)
    if input_shape[0] != 3:
        raise LegateeError(
            f"torchvision's {name!r} takes inputs of 3 channels, got input_shape={input_shape} "
            "(--shape); use a timm model, which adapts, or RGB images"
        )
    segments = name in models.list_models(module=models.segmentation)
    bare: dict[str, Any] = {"weights_backbone": None} if segments else {}
    return partial(models.get_model, name, weights=None, num_classes=num_classes, **bare)


def _timm(name: str, num_classes: int, input_shape: Size) -> Callable[[], nn.Module]:
    """Find a model of timm, told the size of the images where it must know."""
    import timm  # takes seconds

    if name not in timm.list_models():
        raise UnknownNameError("timm model", name, timm.list_models())
    size: dict[str, Any] = {}
    if getattr(timm.models.get_pretrained_cfg(name), "fixed_input_size", False):
        size["img_size"] = input_shape[1:]
    return partial(
        timm.create_model,
        name,
        pretrained=False,
        num_classes=num_classes,
        in_chans=input_shape[0],
        **size,
    )
