"""Number of classes and of input channels, as the shapes of a network's weights tell them."""

from collections.abc import Mapping

from torch import nn

from legatee.models.architectures import Size, default_sizes
from legatee.models.construct import outline
from legatee.surgery.applying.given import prefix_before
from legatee.surgery.network.state import state


def settled_sizes(
    name: str,
    shapes: Mapping[str, tuple[int, ...]] | None,
    num_classes: int | None,
    input_shape: Size | None,
) -> tuple[int, Size]:
    """Settle the sizes that a network is built with.

    Args:
        name: The network, without weights.
        shapes: Shapes of its weights by name, where they are known [count per axis].
        num_classes: Outputs that were asked for, if any [count].
        input_shape: Shape of one input that was asked for, if any [count].

    Returns:
        Number of classes and shape of one input: as the weights tell, else as asked for, else
        those in the model's config, else ImageNet's.

    Raises:
        LegateeError: If there is no such network, or it cannot be built for these sizes.
    """
    if num_classes is None or input_shape is None:
        usual = default_sizes(name)
        num_classes = usual[0] if num_classes is None else num_classes
        input_shape = usual[1] if input_shape is None else input_shape
    if not shapes:
        return num_classes, input_shape
    network = outline(name, num_classes, input_shape)
    num_classes, channels = sizes_of_weights(shapes, network, num_classes, input_shape[0])
    return num_classes, (channels, *input_shape[1:])


def sizes_of_weights(
    shapes: Mapping[str, tuple[int, ...]],
    network: nn.Module,
    num_classes: int,
    channels: int,
) -> tuple[int, int]:
    """Read classes and channels off the shapes of tensors, where they may differ from a network's.

    Args:
        shapes: Of tensors by name, perhaps with a wrapper's prefix before all names [count].
        network: A network of their architecture, perhaps without weights (meta device).
        num_classes: Its outputs [count].
        channels: Of the images that it was made for [count].

    Returns:
        Classes and channels of the network that has tensors of these shapes; those of ``network``
        where the shapes do not tell.

    Example:
        >>> small, large = (
        ...     nn.Sequential(nn.Conv2d(c, 4, 3), nn.Flatten(), nn.Linear(4, k))
        ...     for c, k in ((3, 10), (1, 2))
        ... )
        >>> shapes = {name: tuple(value.shape) for name, value in large.state_dict().items()}
        >>> sizes_of_weights(shapes, small, num_classes=10, channels=3)
        (2, 1)
    """
    tensors = state(network)
    prefix = prefix_before(shapes, tensors, "the file")
    bare = {name.removeprefix(prefix): shape for name, shape in shapes.items()}
    both = {}  # the network's shape and the given one, of every tensor that both have
    for name, value in tensors.items():
        if value.ndim > 1 and len(bare.get(name, ())) == value.ndim:
            both[name] = tuple(value.shape), bare[name]
    # The last matrix with a row for each class is the output layer; the first convolution reads the
    # image, unless it has other inputs than the image has channels.
    if rows := [given[0] for own, given in both.values() if own[0] == num_classes]:
        num_classes = rows[-1]
    convolutions = (n for n, layer in network.named_modules() if isinstance(layer, nn.Conv2d))
    own, given = both.get(f"{next(convolutions, None)}.weight", ((0, 0), (0, 0)))
    return num_classes, given[1] if own[1] == channels else channels
