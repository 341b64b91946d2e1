"""What ``MODEL@FILE#KEY`` stands for: the network, its sizes and its weights."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from torch import Tensor, nn

from legatee.disk import path_status
from legatee.errors import LegateeError, TransferError
from legatee.models.architectures import Size
from legatee.models.configs import dressed
from legatee.models.construct import construct, outline
from legatee.models.published import published
from legatee.models.sizes import settled_sizes
from legatee.surgery.files.checkpoint import fill, read_weights
from legatee.surgery.files.fitted import fitted
from legatee.surgery.network.state import state

PUBLISHED = "pretrained"  # in the place of a file: the weights that a publisher offers


@dataclass(frozen=True, kw_only=True)
class ModelSpec:
    """A network, and where its weights are.

    Attributes:
        name: The network without weights, such as ``"torchvision:resnet50"``.
        file: A file of weights, ``"pretrained"`` for published ones, or ``None`` for none.
        key: Where in the file the weights are, if that was given.
    """

    name: str
    file: str | None = None
    key: str | None = None

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``MODEL``, ``MODEL@FILE``, ``MODEL@FILE#KEY`` or ``MODEL@pretrained``.

        Args:
            text: What was typed; a ``~`` at the beginning of ``FILE`` is the home folder.

        Returns:
            Its parts. Nothing is looked for but a file that has a ``#`` in its name.

        Raises:
            LegateeError: If nothing stands after the ``@``, or the weights of a model that is
                known only with its published weights are to come from a file.

        Example:
            >>> ModelSpec.parse("torchvision:resnet50@weights.pt#model_ema")
            ModelSpec(name='torchvision:resnet50', file='weights.pt', key='model_ema')
        """
        name, at, file = text.partition("@")
        if at and not file:
            raise LegateeError(f"{text!r} names no file after the @; write {name}@FILE")
        if not at or file == PUBLISHED:
            return cls(name=name, file=PUBLISHED if at else None)
        if name.startswith("hf:"):
            raise LegateeError(
                "hf: models are available only with their published weights; write "
                f"{name}@{PUBLISHED}"
            )
        path, _, key = file.rpartition("#")
        if not path or path_status(_expanded(file)).exists:
            path, key = file, ""
        return cls(name=name, file=_expanded(path), key=key or None)

    @property
    def is_published(self) -> bool:
        """Whether the weights are those that a publisher offers."""
        return self.file == PUBLISHED

    def __str__(self) -> str:
        """Return the spec as it is typed."""
        file = "" if self.file is None else f"@{self.file}"
        return self.name + file + ("" if self.key is None else f"#{self.key}")


def load(
    model: ModelSpec,
    *,
    num_classes: int | None = None,
    input_shape: Size | None = None,
    seed: int | None = 0,
    shapes: Mapping[str, tuple[int, ...]] | None = None,
) -> nn.Module:
    """Return a network with the weights that its spec names, or random ones.

    Args:
        model: The network.
        num_classes: Outputs, where no weights tell them; ``None`` for the usual ones [count].
        input_shape: Shape of one input, likewise [count].
        seed: Of random weights; ``None`` to draw them from PyTorch's global generator.
        shapes: Shapes of its tensors, where a plan knows them [count per axis].

    Returns:
        The network: in training mode with random weights, else in evaluation mode.

    Raises:
        LegateeError: If there is no such network, or the file does not hold its weights.
    """
    if model.is_published:
        return published(model.name)
    weights = _read(model, check=True) if model.file is not None else None
    if weights is not None and model.name.startswith("transformers:"):
        return _dressed(model, weights, num_classes, input_shape)
    known = _shapes_of(weights) if weights is not None else shapes
    sizes = settled_sizes(model.name, known, num_classes, input_shape)
    network = construct(model.name, *sizes, seed=seed)
    return network if weights is None else fill(network, weights, str(model.file)).eval()


def weights_of(
    model: ModelSpec,
    *,
    num_classes: int | None = None,
    input_shape: Size | None = None,
    check: bool = True,
) -> tuple[nn.Module, Mapping[str, Tensor]]:
    """Return the network that a spec names, and its weights as they are in the file.

    Args:
        model: The network, with a file of weights or published ones.
        num_classes: Outputs, where the weights do not tell; ``None`` for the usual ones [count].
        input_shape: Shape of one input, likewise [count].
        check: Whether the weights are compared with the checksums in the file.

    Returns:
        The network, of shapes alone where possible, and its weights, mapped from the file one
        tensor at a time.

    Raises:
        LegateeError: If there is no such network, or the file does not hold its weights.
    """
    require_weights(model)
    if model.is_published:
        network = published(model.name)
        return network, state(network)
    weights = _read(model, check=check)
    if model.name.startswith("transformers:"):  # only the package knows the names in its files
        network = _dressed(model, weights, num_classes, input_shape)
        return network, state(network)
    sizes = settled_sizes(model.name, _shapes_of(weights), num_classes, input_shape)
    network = outline(model.name, *sizes)
    return network, fitted(weights, network, str(model.file), whole=False)


def require_weights(model: ModelSpec) -> ModelSpec:
    """Refuse a network without weights where they are needed.

    Args:
        model: The network.

    Returns:
        The same.

    Raises:
        LegateeError: If it has none.
    """
    if model.file is None:
        where = PUBLISHED if model.name.startswith("hf:") else "FILE"
        raise LegateeError(f"{model.name!r} has no weights to inherit; write {model.name}@{where}")
    return model


def check_sizes(
    model: ModelSpec, network: nn.Module, num_classes: int | None, input_shape: Size | None
) -> None:
    """Refuse weights of a network that has other classes or channels than were asked for.

    Args:
        model: The network's spec.
        network: The network with its weights.
        num_classes: Outputs that were asked for, if any [count].
        input_shape: Shape of one input that was asked for, if any [count].

    Raises:
        LegateeError: If its weights are those of a network with others.
    """
    if model.file is None or num_classes is input_shape is None:
        return
    if model.name.startswith("hf:"):  # only timm knows the architecture, and what it was made for
        config: Any = getattr(network, "pretrained_cfg", {})
        classes, shape = (
            getattr(network, "num_classes", num_classes),
            config.get("input_size", (0,)),
        )
    else:
        shapes = _shapes_of(state(network))
        classes, shape = settled_sizes(model.name, shapes, num_classes, input_shape)
    for name, asked, actual in (
        ("num_classes", num_classes, classes),
        ("input_shape", input_shape[0] if input_shape is not None else None, shape[0]),
    ):
        if asked is not None and asked != actual:
            what = "classes" if name == "num_classes" else "input channels"
            raise LegateeError(
                f"{name} asks for {asked} {what}, and the weights of {str(model)!r} are for "
                f"{actual}; leave {name} out, or build {model.name!r} without weights and transfer "
                "into it with legatee.plan and legatee.inherit"
            )


def check_planned_sizes(
    model: ModelSpec,
    shapes: Mapping[str, tuple[int, ...]],
    num_classes: int | None,
    input_shape: Size | None,
) -> None:
    """Refuse a plan for a target of other classes or channels than were asked for.

    Args:
        model: The target's spec.
        shapes: Shapes of the target's tensors in the plan [count per axis].
        num_classes: Outputs that were asked for, if any [count].
        input_shape: Shape of one input that was asked for, if any [count].

    Raises:
        TransferError: If the plan was made for others.
    """
    if model.file is not None or num_classes is input_shape is None:
        return  # with weights of its own a network is compared with the plan as a whole
    classes, shape = settled_sizes(model.name, shapes, num_classes, input_shape)
    if num_classes not in (None, classes):
        raise TransferError(
            f"the plan is for a target of {classes} classes, and --classes asks for {num_classes}; "
            "leave --classes out, or make a plan for that number with legatee plan"
        )
    if input_shape is not None and input_shape[0] != shape[0]:
        raise TransferError(
            f"the plan is for a target of {shape[0]} input channels, and --shape asks for "
            f"{input_shape[0]}; leave --shape out, or make a plan for that shape with legatee plan"
        )


def _read(model: ModelSpec, *, check: bool) -> Mapping[str, Tensor]:
    """Open the file of weights that a spec names."""
    return read_weights(str(model.file), model.key, check=check)


def _shapes_of(weights: Mapping[str, Tensor]) -> dict[str, tuple[int, ...]]:
    return {name: tuple(value.shape) for name, value in weights.items()}


def _dressed(
    model: ModelSpec,
    weights: Mapping[str, Tensor],
    num_classes: int | None,
    input_shape: Size | None,
) -> nn.Module:
    """Build a network of transformers, whose files name tensors as its package did long ago."""
    sizes = settled_sizes(model.name, _shapes_of(weights), num_classes, input_shape)
    return dressed(outline(model.name, *sizes), weights, str(model.file)).eval()


def _expanded(path: str) -> str:
    """Return a path with the home folder for a ``~`` at its beginning, if that is known."""
    try:
        return str(Path(path).expanduser()) if path.startswith("~") else path
    except RuntimeError:
        return path
