"""Example inputs for a network, guessed from its first layer."""

import torch
from torch import Tensor, nn

IMAGE_SIZES = (224, 32, 64, 28, 16, 8, 256, 299, 384, 112, 128, 96, 160, 192, 336, 448, 512)
TEXT_SIZES = (16, 8, 4)  # tokens of a text


def guesses(network: nn.Module) -> list[Tensor]:
    """Guess inputs from the first layer: images, vectors or token numbers.

    Args:
        network: Any network.

    Returns:
        Inputs that it may accept, on the meta device, the likeliest first; none if it has no
        convolution, linear layer or embedding.
    """
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d):
            channels = layer.in_channels
            sizes = _described_sizes(network) + [(size, size) for size in IMAGE_SIZES]
            return [_empty(layer, 1, channels, *size) for size in sizes]
        if isinstance(layer, nn.Linear):
            return [_empty(layer, 1, layer.in_features)]
        if isinstance(layer, nn.Embedding):
            return [torch.empty(1, n, dtype=torch.int64, device="meta") for n in TEXT_SIZES]
    return []


def image(shape: tuple[int, int, int] | None) -> Tensor | None:
    """Return one image without values, to trace a network with.

    Args:
        shape: Channels, height and width of the image, if they are known [count].

    Returns:
        The image, on the meta device; ``None`` where it has to be guessed.
    """
    return None if shape is None else torch.empty(1, *shape, device="meta")


def _empty(reader: nn.Conv2d | nn.Linear, *shape: int) -> Tensor:
    """Return an input without values, in the number type of the layer that reads it."""
    dtype = reader.weight.dtype
    return torch.empty(shape, dtype=dtype if dtype.is_floating_point else None, device="meta")


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
