"""Labelled examples in memory: what is learned from, and what is held out."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import Dataset

from legatee.errors import DataError
from legatee.fingerprint import weights_fingerprint


@dataclass(frozen=True, kw_only=True, eq=False)
class Examples:
    """Inputs with their labels, checked once and then trusted.

    Attributes:
        inputs: float32 of any shape, or uint8 images [n, c, h, w] [0..255].
        labels: Class of each example, int64 [n] [count from 0].
        classes: Names of the classes, in the labels' order.
        name: Where they come from: a spec, or words.

    Raises:
        DataError: If they cannot be learned from; the sentence says which and why.
    """

    inputs: Tensor
    labels: Tensor
    classes: tuple[str, ...]
    name: str

    def __post_init__(self) -> None:
        for problem in _problems(self.inputs, self.labels, len(self.classes)):
            raise DataError(f"{self.name!r}: {problem}")

    @property
    def n(self) -> int:
        """Examples [count]."""
        return len(self.labels)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one input [count per axis]."""
        return tuple(self.inputs.shape[1:])


def _problems(inputs: Tensor, labels: Tensor, classes: int) -> Iterable[str]:
    """Yield what is wrong, the most telling first; later checks rely on the earlier ones."""
    if inputs.dtype not in (torch.float32, torch.uint8):
        yield f"inputs are {inputs.dtype}; give float32, or uint8 images"
    if labels.dtype != torch.int64 or labels.ndim != 1:
        yield f"labels are {labels.dtype} {tuple(labels.shape)}; give int64 of one axis"
    if inputs.ndim < 2 or (inputs.dtype == torch.uint8 and inputs.ndim != 4):
        yield f"inputs have shape {tuple(inputs.shape)}; give [n, ...], images [n, c, h, w]"
    if len(inputs) != len(labels):
        yield f"{len(inputs)} inputs but {len(labels)} labels; give one label for each input"
    if not inputs.numel():
        yield "no examples"
    if classes < 2:
        yield f"{classes} class; give at least two, or there is nothing to learn"
    if len(labels) < classes:
        yield f"{len(labels)} examples of {classes} classes; give at least one for each class"
    outside = ((labels < 0) | (labels >= classes)).nonzero().flatten().tolist()
    if outside:
        label = int(labels[outside[0]])
        yield f"label {label} of example {outside[0]} is outside 0..{classes - 1}"
    bad = (~inputs.isfinite()).flatten(1).any(1).nonzero().flatten().tolist()
    if bad:
        yield f"{len(bad)} examples hold NaN or infinite inputs, the first is example {bad[0]}"


def batch(
    examples: Examples, indices: Tensor, device: str | torch.device = "cpu"
) -> tuple[Tensor, Tensor]:
    """Return a batch as networks take it; uint8 images become float32 in 0..1 only here.

    Args:
        examples: Where to take it from.
        indices: Examples to take [b] [count from 0].
        device: Where the batch shall lie.

    Returns:
        Inputs, float32 [b, ...], and labels, int64 [b].
    """
    inputs = examples.inputs[indices].to(device)
    if inputs.dtype == torch.uint8:
        inputs = inputs.float() / 255
    return inputs, examples.labels[indices].to(device)


def take(examples: Examples, indices: Sequence[int] | Tensor) -> Examples:
    """Return some of the examples, in the order asked for.

    Args:
        examples: Where to take them from.
        indices: Which ones [count from 0]; repeats are allowed.

    Returns:
        Those examples, of the same classes and name.

    Raises:
        DataError: If they are fewer than the classes.
    """
    index = torch.as_tensor(indices, dtype=torch.int64)
    return replace(examples, inputs=examples.inputs[index], labels=examples.labels[index])


def split(examples: Examples, share: float, seed: int) -> tuple[Examples, Examples]:
    """Hold out the same share of every class, at least one example of each on either side.

    Args:
        examples: What to split.
        share: Share of each class that is held out [fraction, 0..1].
        seed: Seed of the draw.

    Returns:
        The examples to train on and the held-out ones, each in the order they had.

    Raises:
        DataError: If ``share`` is not between 0 and 1, or a class has fewer than two examples.
    """
    if not 0 < share < 1:
        raise DataError(f"cannot hold out a share of {share:g}; give one between 0 and 1")
    generator = torch.Generator().manual_seed(seed)
    held_out = torch.zeros(examples.n, dtype=torch.bool)
    for label, name in enumerate(examples.classes):
        members = (examples.labels == label).nonzero().flatten()
        if len(members) < 2:
            raise DataError(
                f"{examples.name!r}: class {name!r} has {len(members)} examples; "
                "a split needs two, one to train on and one to hold out"
            )
        count = min(max(round(share * len(members)), 1), len(members) - 1)
        held_out[members[torch.randperm(len(members), generator=generator)[:count]]] = True
    kept, held = (~held_out).nonzero().flatten(), held_out.nonzero().flatten()
    return take(examples, kept), take(examples, held)


def as_examples(dataset: Examples | Dataset[Any], name: str | None = None) -> Examples:
    """Return a dataset of ``(input, label)`` pairs as examples, held in memory.

    Args:
        dataset: Examples, or any dataset of PyTorch; its ``classes`` name the classes, where it
            has them, otherwise they are called by their numbers. Images of bytes [c, h, w] stay
            bytes, all other inputs become float32 as they are.
        name: What to call it; the dataset's type by default.

    Returns:
        The examples; those given as such come back as they are, under ``name`` if there is one.

    Raises:
        DataError: If an item is no pair of a tensor and a class, or the inputs differ in shape.
    """
    if isinstance(dataset, Examples):
        return dataset if name is None else replace(dataset, name=name)
    name = name or type(dataset).__name__
    inputs: list[Tensor] = []
    labels: list[int] = []
    length = len(dataset) if hasattr(dataset, "__len__") else None
    items = iter(dataset) if length is None else (dataset[i] for i in range(length))
    for i, item in enumerate(items):
        try:
            x, y = item
            inputs.append(torch.as_tensor(x))
            labels.append(int(y))
        except (TypeError, ValueError, RuntimeError) as error:
            raise DataError(
                f"{name!r}: item {i} is not a pair of a tensor and a class: {error}"
            ) from error
        if inputs[i].shape != inputs[0].shape:
            raise DataError(
                f"{name!r}: input {i} has shape {tuple(inputs[i].shape)}, the first "
                f"{tuple(inputs[0].shape)}; give all one shape"
            )
    if not inputs:
        raise DataError(f"{name!r}: no examples")
    stacked = torch.stack(inputs)
    images = stacked.dtype == torch.uint8 and stacked.ndim == 4
    classes = getattr(dataset, "classes", None) or range(max(labels) + 1)
    return Examples(
        inputs=stacked if images else stacked.float(),
        labels=torch.tensor(labels),
        classes=tuple(str(c) for c in classes),
        name=name,
    )


def digest_examples(examples: Examples) -> str:
    """Digest examples, bit for bit.

    Args:
        examples: Inputs and labels.

    Returns:
        Sixty-four hexadecimal digits.
    """
    return weights_fingerprint({"inputs": examples.inputs, "labels": examples.labels})
