"""Inputs that a network may accept, where nobody says which."""

import torch
from torch import Tensor, nn

IMAGE_SIZES = (224, 32, 64, 28, 16, 8, 256, 299, 384, 112, 128, 96, 160, 192, 336, 448, 512)
TEXT_SIZES = (16, 8, 4)  # words of a text


def guesses(network: nn.Module) -> list[Tensor]:
    """Guess inputs from the first layer: images, vectors or numbers of words.

    Args:
        network: Any network.

    Returns:
        Inputs that it may accept, on the meta device, the likeliest first; none if it has no layer.
    """
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d):
            channels = layer.in_channels
            sizes = _described_sizes(network) + [(size, size) for size in IMAGE_SIZES]
            return [torch.empty(1, channels, *size, device="meta") for size in sizes]
        if isinstance(layer, nn.Linear):
            return [torch.empty(1, layer.in_features, device="meta")]
        if isinstance(layer, nn.Embedding):
            return [torch.empty(1, n, dtype=torch.int64, device="meta") for n in TEXT_SIZES]
    return []


def _described_sizes(network: nn.Module) -> list[tuple[int, int]]:
    """Return the size of images that a config says some part of the network is made for."""
    for part in network.modules():
        match getattr(getattr(part, "config", None), "image_size", None):
            case int(side):
                return [(side, side)]
            case [int(height), int(width)]:
                return [(height, width)]
    return []
