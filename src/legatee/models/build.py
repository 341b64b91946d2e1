"""Networks by name, with random weights, those of a file, published ones, or none."""

from torch import nn

from legatee.models import resolve
from legatee.models.architectures import Size
from legatee.models.construct import outline
from legatee.models.resolve import PUBLISHED, ModelSpec
from legatee.models.sizes import settled_sizes


def build(
    spec: str,
    *,
    num_classes: int | None = None,
    input_shape: Size | None = None,
    pretrained: bool = False,
    seed: int | None = None,
) -> nn.Module:
    """Return the network that a spec names.

    Nothing in a file of weights is executed. Naming a factory executes its module or file.

    Args:
        spec: One of

            * ``cnn:widths=16-32`` or ``resnet:depth=8,width=16``: small networks for small images;
            * ``torchvision:NAME`` or ``timm:NAME``;
            * ``transformers:FOLDER`` or ``transformers:ID``: the architecture that a
              ``config.json`` names;
            * ``MODULE:FACTORY`` or ``PATH.py:FACTORY``: a network of your own. The module is
              looked for among the installed ones and in the working folder; it is executed, and
              the factory is called as ``FACTORY(num_classes=num_classes)``.

            With ``@FILE`` after it the network has the weights of that file; ``@FILE#KEY`` where
            the file holds several, ``@pretrained`` for published weights. Of ``hf:OWNER/NAME``
            there is only ``hf:OWNER/NAME@pretrained``.
        num_classes: Outputs; where absent, those of the weights, else those in the model's config,
            else 1000 [count].
        input_shape: Shape of one input: channels, height, width; where absent, likewise, else
            (3, 224, 224) [count].
        pretrained: Whether it has its published weights, as with ``@pretrained``.
        seed: Seed of random weights, which leaves PyTorch's global generator as it was; with
            ``None`` they are drawn from that generator, as all of PyTorch does.

    Returns:
        The network on the CPU: in training mode with random weights, else in evaluation mode.

    Raises:
        UnknownNameError: If there is no such kind, option or model.
        CheckpointError: If a file is missing or damaged, or there are no published weights.
        TransferError: If the weights are not of this architecture.
        LegateeError: If it cannot be built for these classes and this shape, or its weights are
            those of a network with others.

    Example:
        >>> describe(build("cnn:widths=16-32", num_classes=5, input_shape=(1, 16, 16)))
        'Cnn, 16,629 parameters'
    """
    model = ModelSpec.parse(f"{spec}@{PUBLISHED}" if pretrained and "@" not in spec else spec)
    network = resolve.load(model, num_classes=num_classes, input_shape=input_shape, seed=seed)
    resolve.check_sizes(model, network, num_classes, input_shape)
    return network


def blank(
    spec: str, *, num_classes: int | None = None, input_shape: Size | None = None
) -> nn.Module:
    """Return the network that a spec names, without weights: shapes alone, which take no memory.

    Args:
        spec: As :func:`build` reads it; of a file only names and shapes are read.
        num_classes: Outputs; where absent, as :func:`build` settles them [count].
        input_shape: Shape of one input; where absent, likewise [count].

    Returns:
        The network on PyTorch's meta device, or with weights where its constructor needs numbers.

    Raises:
        UnknownNameError: If there is no such kind, option or model.
        CheckpointError: If there is no such file or config, or it asks for code of its own.
        TransferError: If the weights are not of this architecture.
        LegateeError: If it cannot be built for these classes and this shape.
    """
    model = ModelSpec.parse(spec)
    if model.file is not None:
        return resolve.weights_of(
            model, num_classes=num_classes, input_shape=input_shape, check=False
        )[0]
    return outline(model.name, *settled_sizes(model.name, None, num_classes, input_shape))


def describe(network: nn.Module) -> str:
    """Return a network in a few words.

    Args:
        network: Any network.

    Returns:
        Its type and its number of parameters.
    """
    count = sum(parameter.numel() for parameter in network.parameters())
    return f"{type(network).__name__}, {count:,} parameters"
