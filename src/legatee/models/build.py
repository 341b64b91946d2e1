"""Networks by name, with random weights or none: no weight is downloaded here."""

from collections import OrderedDict
from collections.abc import Callable
from functools import partial
from importlib import import_module
from re import fullmatch
from typing import Any

import torch
from torch import Tensor, nn

from legatee.errors import CheckpointError, LegateeError, UnknownNameError
from legatee.models.configs import configured, described
from legatee.specs import Range, read_options

USUAL = 1000, (3, 224, 224)  # classes, and the shape of an image, where nothing else is said
KINDS = ("cnn", "resnet", "torchvision", "timm", "transformers")


class Cnn(nn.Module):
    """Two 3x3 convolutions for each width, max-pooling between widths, a linear head.

    Args:
        channels: Channels of the input [count].
        widths: Channels of each stage [count].
        classes: Outputs [count].
    """

    def __init__(self, channels: int, widths: tuple[int, ...], classes: int):
        super().__init__()
        layers: OrderedDict[str, nn.Module] = OrderedDict()
        for stage, width in enumerate(widths, start=1):
            if stage > 1:
                layers[f"pool{stage - 1}"] = nn.MaxPool2d(2)
            for half in "ab":
                layers[f"conv{stage}{half}"] = nn.Conv2d(channels, width, 3, padding=1, bias=False)
                layers[f"norm{stage}{half}"] = nn.BatchNorm2d(width)
                layers[f"relu{stage}{half}"] = nn.ReLU()
                channels = width
        self.features = nn.Sequential(layers)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.head = nn.Linear(channels, classes)

    def forward(self, inputs: Tensor) -> Tensor:
        """Return logits [b, classes] of inputs [b, channels, h, w]."""
        return self.head(self.pool(self.features(inputs)).flatten(1))


class Block(nn.Module):
    """Two 3x3 convolutions and a shortcut around them, projected where the shape changes.

    Args:
        channels: Channels of the input [count].
        width: Channels of the output [count].
        stride: Of the first convolution and the shortcut [pixel].
    """

    def __init__(self, channels: int, width: int, stride: int):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, width, 3, stride, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(width)
        self.shortcut = nn.Sequential()
        if channels != width or stride > 1:
            project = nn.Conv2d(channels, width, 1, stride, bias=False)
            self.shortcut = nn.Sequential(project, nn.BatchNorm2d(width))

    def forward(self, inputs: Tensor) -> Tensor:
        """Return [b, width, h / stride, w / stride] of inputs [b, channels, h, w]."""
        inner = self.norm1(self.conv1(inputs)).relu()
        return (self.norm2(self.conv2(inner)) + self.shortcut(inputs)).relu()


class ResNet(nn.Module):
    """The residual network for small images: three stages, the width doubled at each.

    Args:
        channels: Channels of the input [count].
        depth: Layers with weights along the longest path, 6k + 2 [count].
        width: Channels of the first stage [count].
        classes: Outputs [count].
    """

    def __init__(self, channels: int, depth: int, width: int, classes: int):
        super().__init__()
        self.conv = nn.Conv2d(channels, width, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(width)
        blocks = []
        before = width
        for stage in range(3):
            for position in range((depth - 2) // 6):
                stride = 2 if stage and not position else 1
                blocks.append(Block(before, width * 2**stage, stride))
                before = width * 2**stage
        self.blocks = nn.Sequential(*blocks)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.head = nn.Linear(before, classes)

    def forward(self, inputs: Tensor) -> Tensor:
        """Return logits [b, classes] of inputs [b, channels, h, w]."""
        features = self.blocks(self.norm(self.conv(inputs)).relu())
        return self.head(self.pool(features).flatten(1))


def build(
    spec: str, *, num_classes: int, input_shape: tuple[int, int, int], seed: int | None = None
) -> nn.Module:
    """Return the network that a spec names, with random weights.

    Args:
        spec: ``cnn:widths=16-32``, ``resnet:depth=8,width=16``, ``torchvision:NAME``,
            ``timm:NAME``, ``transformers:FOLDER`` or ``transformers:ID`` for the architecture that
            a ``config.json`` names, or ``package.module:factory``, which is called as
            ``factory(num_classes=num_classes)``.
        num_classes: Outputs [count].
        input_shape: Shape of one input: channels, height, width [count].
        seed: Seed of the weights, which leaves PyTorch's global generator as it was; with ``None``
            they are drawn from that generator, as all of PyTorch does.

    Returns:
        The network, in training mode on the CPU.

    Raises:
        UnknownNameError: If there is no such kind, option or model.
        CheckpointError: If there is no such config, or it asks for code of its own.
        LegateeError: If there is, but it cannot be built for these classes and this shape.

    Example:
        >>> describe(build("cnn:widths=16-32", num_classes=5, input_shape=(1, 16, 16)))
        'Cnn, 16,629 parameters'
    """
    kind, _, rest = spec.partition(":")
    makers = {
        "cnn": _cnn,
        "resnet": _resnet,
        "torchvision": _torchvision,
        "timm": _timm,
        "transformers": configured,
    }
    if kind in makers:
        make = makers[kind](rest, num_classes, input_shape)
    else:
        make = partial(_factory(kind, rest), num_classes=num_classes)
    with torch.random.fork_rng(devices=[], enabled=seed is not None):
        if seed is not None:
            torch.default_generator.manual_seed(seed)
        try:
            network = make()
        except Exception as error:  # other people's constructors raise whatever they like
            raise LegateeError(
                f"cannot build {spec!r} for {num_classes} classes of inputs {tuple(input_shape)}: "
                f"{error}"
            ) from error
    if not isinstance(network, nn.Module):
        raise LegateeError(f"{spec!r} returned a {type(network).__name__}; give an nn.Module")
    return network


def blank(spec: str, *, num_classes: int, input_shape: tuple[int, int, int]) -> nn.Module:
    """Return the network that a spec names, without weights: shapes alone, which take no memory.

    Args:
        spec: As :func:`build` reads it.
        num_classes: Outputs [count].
        input_shape: Shape of one input: channels, height, width [count].

    Returns:
        The network on PyTorch's meta device, or with random weights where its constructor needs
        numbers.

    Raises:
        UnknownNameError: If there is no such kind, option or model.
        CheckpointError: If there is no such config, or it asks for code of its own.
        LegateeError: If there is, but it cannot be built for these classes and this shape.
    """
    try:
        with torch.device("meta"):
            return build(spec, num_classes=num_classes, input_shape=input_shape, seed=0)
    except (UnknownNameError, CheckpointError):
        raise
    except LegateeError:
        return build(spec, num_classes=num_classes, input_shape=input_shape, seed=0)


def usual(spec: str) -> tuple[int, tuple[int, int, int]]:
    """Return the sizes that a network is built with where nobody asks for others.

    Args:
        spec: As :func:`build` reads it.

    Returns:
        Classes and shape [count]: as a config of transformers or timm tells, else ImageNet's.

    Raises:
        CheckpointError: If there is no such config, or it asks for code of its own.

    Example:
        >>> usual("cnn:widths=16-32")
        (1000, (3, 224, 224))
    """
    kind, _, name = spec.partition(":")
    if kind == "transformers":
        return described(name, *USUAL)
    if kind == "timm":
        import timm  # takes seconds

        said = timm.models.get_pretrained_cfg(name)
        return (said.num_classes, said.input_size) if said else USUAL
    return USUAL


def describe(network: nn.Module) -> str:
    """Return a network in a few words.

    Args:
        network: Any network.

    Returns:
        Its type and its number of parameters.
    """
    count = sum(parameter.numel() for parameter in network.parameters())
    return f"{type(network).__name__}, {count:,} parameters"


def _cnn(rest: str, classes: int, shape: tuple[int, int, int]) -> Callable[[], nn.Module]:
    """Read ``widths=16-32``."""
    text = read_options("cnn", rest, {"widths": None}, LegateeError).get("widths", "16-32")
    widths = tuple(int(width) for width in text.split("-") if fullmatch("[0-9]{1,4}", width))
    if len(widths) != text.count("-") + 1 or not all(1 <= width <= 4096 for width in widths):
        raise LegateeError(f"cnn: cannot use widths={text}; give whole numbers in 1..4096: 16-32")
    if min(shape[1:]) < 2 ** (len(widths) - 1):
        raise LegateeError(
            f"cnn: inputs {shape} are too small for {len(widths)} widths, "
            "which halve them in between; give fewer widths"
        )
    return partial(Cnn, shape[0], widths, classes)


def _resnet(rest: str, classes: int, shape: tuple[int, int, int]) -> Callable[[], nn.Module]:
    """Read ``depth=8,width=16``."""
    known = {"depth": Range(lower=8, upper=1202), "width": Range(lower=1, upper=1024)}
    options = {"depth": 8, "width": 16} | read_options("resnet", rest, known, LegateeError)
    if options["depth"] % 6 != 2:
        raise LegateeError(
            f"resnet: cannot use depth={options['depth']}; give 6k + 2: 8, 14, 20, 26, ..."
        )
    return partial(ResNet, shape[0], options["depth"], options["width"], classes)


def _torchvision(name: str, classes: int, shape: tuple[int, int, int]) -> Callable[[], nn.Module]:
    """Find a model of torchvision; one that segments is built without weights of its backbone."""
    from torchvision import models  # takes seconds

    if name not in (known := torchvision_names()):
        raise UnknownNameError("torchvision model", name, known)
    if shape[0] != 3:
        raise LegateeError(
            f"torchvision's {name!r} takes 3 channels, the inputs {shape} have {shape[0]}; "
            "use timm, which adapts, or RGB images"
        )
    segments = name in models.list_models(module=models.segmentation)
    bare: dict[str, Any] = {"weights_backbone": None} if segments else {}
    return partial(models.get_model, name, weights=None, num_classes=classes, **bare)


def torchvision_names() -> list[str]:
    """Return the names of torchvision's models of still images: those that classify or segment."""
    from torchvision import models  # takes seconds

    return models.list_models(module=models) + models.list_models(module=models.segmentation)


def _timm(name: str, classes: int, shape: tuple[int, int, int]) -> Callable[[], nn.Module]:
    """Find a model of timm, told the size of the images where it must know."""
    import timm  # takes seconds

    if name not in timm.list_models():
        raise UnknownNameError("timm model", name, timm.list_models())
    size: dict[str, Any] = {}
    if getattr(timm.models.get_pretrained_cfg(name), "fixed_input_size", False):
        size["img_size"] = shape[1:]
    return partial(
        timm.create_model, name, pretrained=False, num_classes=classes, in_chans=shape[0], **size
    )


def _factory(module: str, name: str) -> Callable[..., nn.Module]:
    """Import the user's own factory."""
    try:
        home = import_module(module)
    except Exception as error:  # the user's module raises whatever it likes
        if "." not in module and getattr(error, "name", None) == module:
            raise UnknownNameError("kind of model", module, KINDS) from error
        raise LegateeError(f"cannot import {module!r}: {error}") from error
    factory = getattr(home, name, None)
    if not callable(factory):
        public = [key for key, value in vars(home).items() if callable(value) and key[0] != "_"]
        raise UnknownNameError(f"factory of {module}", name, public)
    return factory
