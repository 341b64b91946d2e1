"""Labelled examples held in memory: a dataset of PyTorch that was checked once and for all."""

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.utils.data import Dataset

from legatee.errors import DataError


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Examples(Dataset[tuple[Tensor, Tensor]]):
    """Inputs with their targets, checked at construction.

    Attributes:
        inputs: float32 of any shape, or uint8 images [n, c, h, w] [0..255].
        targets: Classes, int64 [n] [count from 0]; numbers, float32 [n] or [n, k]; or masks of
            classes, int64 [n, h, w].
        class_names: Names of the classes in the order of their numbers; ``None`` where the targets
            are numbers.
        name: Where they come from: a spec, or a description.

    Raises:
        DataError: If nothing can be learned from them; the sentence says why.

    Example:
        >>> names = ("even", "odd")
        >>> data = Examples(
        ...     inputs=torch.rand(4, 3), targets=torch.tensor([0, 1, 0, 1]), class_names=names,
        ...     name="four",
        ... )
        >>> len(data), data.counts(), data[1][1].item()
        (4, {'even': 2, 'odd': 2}, 1)
    """

    inputs: Tensor
    targets: Tensor
    class_names: tuple[str, ...] | None
    name: str

    def __post_init__(self) -> None:
        for problem in _problems(self.inputs, self.targets, self.class_names):
            raise DataError(f"{self.name!r}: {problem}")

    def __len__(self) -> int:
        """Return the number of examples [count]."""
        return len(self.targets)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        """Return one example as networks take it: its input, float32, and its target.

        Args:
            index: Which one [count from 0].

        Returns:
            The input, bytes of an image divided by 255, and the target.

        Raises:
            IndexError: If there is no such example.
        """
        if not -len(self) <= index < len(self):
            raise IndexError(f"example {index} of {len(self)}")
        return as_floats(self.inputs[index]), self.targets[index]

    def __repr__(self) -> str:
        """Return a line: the name, how many examples of what shape, and the classes' counts."""
        shape = "x".join(map(str, self.shape)) or "1"
        what = f"{len(self)} inputs of shape {shape}"
        if self.class_names is None:
            return f"<Examples {self.name!r}: {what}, numbers as targets>"
        counts = list(self.counts().items())
        more = f", and {len(counts) - 10} more classes" if len(counts) > 10 else ""
        each = ", ".join(f"{count} of {name!r}" for name, count in counts[:10])
        return f"<Examples {self.name!r}: {what}; {each}{more}>"

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one input [count per axis]."""
        return tuple(self.inputs.shape[1:])

    @property
    def task(self) -> str:
        """What is learned: ``"classification"``, ``"regression"`` or ``"segmentation"``."""
        return _task(self.targets)

    def counts(self) -> dict[str, int]:
        """Return how many examples, or pixels of masks, each class has [count]."""
        names = self.class_names or ()
        found = torch.bincount(self.targets.flatten(), minlength=len(names)) if names else ()
        return {name: int(count) for name, count in zip(names, found, strict=True)}


def as_floats(inputs: Tensor) -> Tensor:
    """Return inputs as networks take them.

    Args:
        inputs: Any inputs; uint8 stands for the bytes of images.

    Returns:
        float32; bytes divided by 255, other numbers as they are.
    """
    return inputs.float() / 255 if inputs.dtype == torch.uint8 else inputs.float()


def batch(
    examples: Examples, indices: Tensor, device: str | torch.device = "cpu"
) -> tuple[Tensor, Tensor]:
    """Return a batch as networks take it.

    Args:
        examples: The examples.
        indices: Which of them [b] [count from 0].
        device: The device that the batch is moved to.

    Returns:
        Inputs, float32 [b, ...], and their targets.
    """
    return as_floats(examples.inputs[indices].to(device)), examples.targets[indices].to(device)


def _task(targets: Tensor) -> str:
    if targets.is_floating_point():
        return "regression"
    return "classification" if targets.ndim == 1 else "segmentation"


def _problems(
    inputs: Tensor, targets: Tensor, class_names: tuple[str, ...] | None
) -> Iterable[str]:
    """Yield what is wrong, the most important first; later checks rely on the earlier ones."""
    if inputs.dtype not in (torch.float32, torch.uint8):
        yield f"inputs are {inputs.dtype}; expected float32, or uint8 images"
    if targets.dtype not in (torch.int64, torch.float32) or not 1 <= targets.ndim <= 3:
        yield (
            f"targets are {targets.dtype} of shape {tuple(targets.shape)}; expected classes "
            "(int64 [n]), numbers (float32 [n] or [n, k]) or masks (int64 [n, h, w])"
        )
    if inputs.ndim < 2 or (inputs.dtype == torch.uint8 and inputs.ndim != 4):
        yield f"inputs have shape {tuple(inputs.shape)}; expected [n, ...], images [n, c, h, w]"
    if len(inputs) != len(targets):
        yield f"{len(inputs)} inputs but {len(targets)} targets; expected one target for each input"
    if not inputs.numel():
        yield "there are no examples"
    bad = (~inputs.isfinite()).flatten(1).any(1).nonzero().flatten().tolist()
    if bad:
        yield f"{len(bad)} examples hold NaN or infinite inputs, the first is example {bad[0]}"
    yield from _target_problems(targets, class_names)


def _target_problems(targets: Tensor, class_names: tuple[str, ...] | None) -> Iterable[str]:
    """Yield what is wrong with the targets."""
    if targets.is_floating_point():
        if class_names is not None:
            yield "targets are numbers, but class_names are given; expected class_names=None"
        bad = (~targets.isfinite()).flatten(1 if targets.ndim > 1 else 0)
        bad_rows = (bad.any(1) if targets.ndim > 1 else bad).nonzero().flatten().tolist()
        if bad_rows:
            yield f"{len(bad_rows)} targets are NaN or infinite, the first is example {bad_rows[0]}"
        return
    count = len(class_names or ())
    if count < 2:
        yield f"{count} class; expected at least two, or there is nothing to learn"
    if targets.ndim == 1 and len(targets) < count:
        yield f"{len(targets)} examples of {count} classes; expected at least one for each class"
    outside = ((targets < 0) | (targets >= count)).flatten(1 if targets.ndim > 1 else 0)
    rows = (outside.any(1) if targets.ndim > 1 else outside).nonzero().flatten().tolist()
    if rows:
        wrong = targets[rows[0]].flatten()
        label = int(wrong[(wrong < 0) | (wrong >= count)][0])
        yield f"label {label} of example {rows[0]} is outside 0..{count - 1}"
