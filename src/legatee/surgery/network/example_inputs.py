"""Example inputs for a network, guessed from its arguments, its config and its first layers."""

import inspect
from collections.abc import Callable, Iterator
from itertools import islice, product, zip_longest
from typing import Any

import torch
from torch import Tensor, nn

from legatee.errors import TraceError
from legatee.surgery.network.inputs import ExampleInputs
from legatee.surgery.network.wrappers import unwrapped

Shape = tuple[int, ...]

IMAGE_SIZES = (224, 32, 64, 28, 16, 8, 256, 299, 384, 112, 128, 96, 160, 192, 336, 448, 512)
VIDEO_SIZES = ((16, 112, 112), (16, 224, 224), (8, 32, 32), (16, 16, 16), (64, 64, 64), (8, 8, 8))
SIGNAL_SIZES = (64, 1024, 16000, 128, 32, 16)
TEXT_SIZES = (16, 8, 4)  # tokens of a text
LAYERS = (nn.Conv2d, nn.Linear, nn.Embedding, nn.Conv1d, nn.Conv3d, nn.ConvTranspose2d, nn.RNNBase)
ARGUMENTS = ("pixel_values", "input_ids", "input_features", "input_values", "decoder_input_ids")
COMBINED = 64  # guesses for a network of several arguments that nothing describes


def guesses(network: nn.Module) -> Iterator[ExampleInputs]:
    """Guess inputs: by name where a config describes them, else from the first layers.

    Args:
        network: Any network.

    Yields:
        Inputs that it may accept, on the meta device, the likeliest first; none if it has no
        convolution, linear or recurrent layer, or embedding.
    """
    network = unwrapped(network)
    if hasattr(network, "main_input_name") and hasattr(network, "config"):
        yield from _named(network)
        if network.main_input_name in ARGUMENTS:
            return
    kinds = list(_first_layers(network))
    count = _count(network)
    if count == 1:
        for kind in kinds:
            yield from kind
    elif kinds:
        yield from ((x,) * count for x in islice(kinds[0], len(IMAGE_SIZES)))
        few = [x for kind in _first_layers(network) for x in islice(kind, 2)]
        yield from islice(product([*few, torch.empty(1, device="meta")], repeat=count), COMBINED)


def image(shape: tuple[int, int, int] | None) -> Tensor | None:
    """Return one image without values, to trace a network with.

    Args:
        shape: Channels, height and width of the image, if they are known [count].

    Returns:
        The image, on the meta device; ``None`` where it has to be guessed.
    """
    return None if shape is None else torch.empty(1, *shape, device="meta")


def summary(failures: list[TraceError]) -> TraceError:
    """Return one error for all inputs that a network does not run on.

    Args:
        failures: Why the network could not be traced, one for each input.

    Returns:
        The first, with the number of the others.
    """
    if not failures:
        return TraceError(
            "it has no layer from which its input could be guessed; pass example_inputs= (a "
            "tensor, a tuple or a dictionary)"
        )
    others = len(failures) - 1
    return TraceError(f"{failures[0]}; {others} other guesses fail too") if others else failures[0]


def _count(network: nn.Module) -> int:
    """Return how many arguments a network cannot run without, at least one."""
    required = [
        argument
        for argument in inspect.signature(network.forward).parameters.values()
        if argument.default is argument.empty
        and argument.kind in (argument.POSITIONAL_ONLY, argument.POSITIONAL_OR_KEYWORD)
    ]
    return max(1, len(required))


def _first_layers(network: nn.Module) -> Iterator[Iterator[Tensor]]:
    """Yield guesses from the first layer of each kind, in the order of the network."""
    kinds: set[type] = set()
    for layer in network.modules():
        kind = next((kind for kind in LAYERS if isinstance(layer, kind)), None)
        if kind is not None and kind not in kinds:
            kinds.add(kind)
            yield _read_by(layer, network)


def _read_by(layer: Any, network: nn.Module) -> Iterator[Tensor]:
    """Yield what a layer may read, in the number type of its weights."""
    if isinstance(layer, nn.Embedding):
        yield from (_tokens(size) for size in TEXT_SIZES)
        return
    dtype = next(layer.parameters()).dtype
    for shape in _shapes(layer, network):
        yield torch.empty(shape, dtype=dtype if dtype.is_floating_point else None, device="meta")


def _shapes(layer: Any, network: nn.Module) -> list[Shape]:
    """Return shapes of what a layer may read, the likeliest first."""
    match layer:
        case nn.Conv2d():
            described = _described_sizes(network)
            usual = IMAGE_SIZES[:3] if described else IMAGE_SIZES
            sizes = described + [(size, size) for size in usual]
            return [(1, layer.in_channels, *size) for size in sizes]
        case nn.ConvTranspose2d():
            return [(1, layer.in_channels, size, size) for size in (1, 4, 8)]
        case nn.Conv3d():
            return [(1, layer.in_channels, *size) for size in VIDEO_SIZES]
        case nn.Conv1d():
            shapes: list[Shape] = [(1, layer.in_channels, size) for size in SIGNAL_SIZES]
            return shapes + [(1, size) for size in SIGNAL_SIZES if layer.in_channels == 1]
        case nn.RNNBase():
            return [(1, TEXT_SIZES[0], layer.input_size)]
    patches = [(1, channels, size, size) for channels in (3, 1) for size in IMAGE_SIZES[:3]]
    width = layer.in_features
    return [(1, width), (1, TEXT_SIZES[0], width), *patches]


def _tokens(size: int) -> Tensor:
    return torch.empty(1, size, dtype=torch.int64, device="meta")


def _named(network: Any) -> Iterator[dict[str, Tensor]]:
    """Yield arguments by name, as many as a network takes, as its config describes them."""
    known = inspect.signature(network.forward).parameters
    every = [name for name in ARGUMENTS if name in known]
    main = [network.main_input_name] if network.main_input_name in every else []
    sets = [every, [name for name in every if name in main or name.startswith("decoder_")], main]
    dtype = next((x.dtype for x in network.parameters() if x.is_floating_point()), None)
    for number, names in enumerate(sets):
        columns = [_described(name, network) for name in names if names not in sets[:number]]
        for shapes in zip_longest(*columns):
            last = [shape or column[-1] for shape, column in zip(shapes, columns, strict=True)]
            yield {
                name: _tokens(shape[1])
                if name.endswith("_ids")
                else torch.empty(shape, dtype=dtype, device="meta")
                for name, shape in zip(names, last, strict=True)
            }


def _described(name: str, network: nn.Module) -> list[Shape]:
    """Return shapes that an argument may have by the network's config, the likeliest first."""
    size = _sizes_in(getattr(network, "config", None))
    match name:
        case "pixel_values":
            frames = [n for n in [size("num_frames")] if n]
            sides = _described_sizes(network) or [(n, n) for n in IMAGE_SIZES]
            channels = size("num_channels") or size("in_channels", "in_chans") or 3
            return [(1, *frames, channels, *side) for side in sides]
        case "input_features":
            bins = size("num_mel_bins", "input_feat_per_channel", "feature_size") or 80
            time = 2 * (size("max_source_positions") or 1500)
            width = size("feature_projection_input_dim") or bins
            return [(1, bins, time), (1, 64, width), (1, 1, 1024, bins)]
        case "input_values":
            bins, time = size("num_mel_bins") or 0, size("max_length") or 0
            spectrum: list[Shape] = [(1, time, bins)] if bins and time else []
            channels = size("audio_channels") or 1
            return [*spectrum, (1, 16000), (1, channels, 16000), (1, channels, 1024)]
    return [(1, tokens) for tokens in TEXT_SIZES]


def _sizes_in(config: Any) -> Callable[..., int | None]:
    """Return a function that looks up a whole number in a config or in its parts."""
    parts = [config, *(x for x in vars(config or object).values() if hasattr(x, "to_dict"))]

    def size(*names: str) -> int | None:
        values = [getattr(part, name, None) for name in names for part in parts]
        return next((value for value in values if type(value) is int), None)

    return size


def _described_sizes(network: nn.Module) -> list[tuple[int, int]]:
    """Return the image size that a part of the network, or its config, names."""
    for part in network.modules():
        config = getattr(part, "config", None)
        for place, name in ((config, "image_size"), (part, "image_size"), (part, "img_size")):
            match getattr(place, name, None):
                case int(side):
                    return [(side, side)]
                case [int(height), int(width)]:
                    return [(height, width)]
    return []
