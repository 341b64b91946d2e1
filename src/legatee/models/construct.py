"""Architectures built with random weights, or with shapes alone."""

from collections.abc import Callable

import torch
from torch import nn

from legatee.errors import CheckpointError, LegateeError, UnknownNameError
from legatee.models.architectures import Size, maker
from legatee.models.factory import refusing


def construct(name: str, num_classes: int, input_shape: Size, *, seed: int | None) -> nn.Module:
    """Build the architecture of a name with random weights.

    Args:
        name: As :func:`legatee.models.build.build` reads it, without weights.
        num_classes: Outputs [count].
        input_shape: Shape of one input: channels, height, width [count].
        seed: Of the weights, which leaves PyTorch's global generator as it was; ``None`` to draw
            them from that generator.

    Returns:
        The network, in training mode.

    Raises:
        LegateeError: If there is no such network, or it cannot be built for these sizes.
    """
    make = maker(name, num_classes, input_shape)
    return _made(make, f"{name!r} for {_words(num_classes, input_shape)}", seed)


def outline(name: str, num_classes: int, input_shape: Size) -> nn.Module:
    """Build the architecture of a name without weights: shapes alone, which take no memory.

    Args:
        name: As :func:`legatee.models.build.build` reads it, without weights.
        num_classes: Outputs [count].
        input_shape: Shape of one input: channels, height, width [count].

    Returns:
        The network on PyTorch's meta device, or with random weights where its constructor needs
        numbers.

    Raises:
        UnknownNameError: If there is no such kind, option or model.
        CheckpointError: If there is no such config, or it asks for code of its own.
        LegateeError: If there is, but it cannot be built for these sizes.
    """
    what = f"{name!r} for {_words(num_classes, input_shape)}"
    make = maker(name, num_classes, input_shape)  # may execute a user's module: not on "meta"
    try:
        with torch.device("meta"):
            return _made(make, what, seed=0)
    except (UnknownNameError, CheckpointError):
        raise
    except LegateeError:
        return _made(maker(name, num_classes, input_shape), what, seed=0)


def _made(make: Callable[[], nn.Module], what: str, seed: int | None) -> nn.Module:
    """Call what builds a network, whatever it raises."""
    with torch.random.fork_rng(devices=[], enabled=seed is not None):
        if seed is not None:
            torch.default_generator.manual_seed(seed)
        with refusing(f"cannot build {what}"):
            network = make()
    if not isinstance(network, nn.Module):
        raise LegateeError(
            f"cannot build {what}: expected an nn.Module, got a {type(network).__name__}"
        )
    return network


def _words(num_classes: int, input_shape: Size) -> str:
    return f"{num_classes} classes of inputs {tuple(input_shape)}"
