"""How many classes the tensors of a network show, and images of how many channels they read."""

from collections.abc import Mapping

from torch import nn

from legatee.surgery.network.catalog import state
from legatee.surgery.network.names import without_wrappers


def sizes_told(
    shapes: Mapping[str, tuple[int, ...]], network: nn.Module, classes: int, channels: int
) -> tuple[int, int]:
    """Read classes and channels off the shapes of tensors, where they may differ from a network's.

    Args:
        shapes: Of tensors by name, perhaps with a wrapper's prefix before all names [count].
        network: A network of their architecture, perhaps without weights (meta device).
        classes: Its outputs [count].
        channels: Of the images that it was made for [count].

    Returns:
        Classes and channels that the shapes tell; those of the network where they do not tell.

    Example:
        >>> small, large = (
        ...     nn.Sequential(nn.Conv2d(c, 4, 3), nn.Flatten(), nn.Linear(4, k))
        ...     for c, k in ((3, 10), (1, 2))
        ... )
        >>> shapes = {name: tuple(value.shape) for name, value in large.state_dict().items()}
        >>> sizes_told(shapes, small, classes=10, channels=3)
        (2, 1)
    """
    told = dict(zip(without_wrappers(list(shapes)), shapes.values(), strict=True))
    held = {}
    for name, value in state(network).items():
        if value.ndim > 1 and len(told.get(name, ())) == value.ndim:
            held[name] = tuple(value.shape), told[name]
    # The last matrix of so many rows shows the classes; the first convolution reads the channels,
    # unless it reads something else, such as a part of them.
    if shown := [there for here, there in held.values() if here[0] == classes]:
        classes = shown[-1][0]
    convolutions = (n for n, layer in network.named_modules() if isinstance(layer, nn.Conv2d))
    here, there = held.get(f"{next(convolutions, None)}.weight", ((0, 0), (0, 0)))
    return classes, there[1] if here[1] == channels else channels
