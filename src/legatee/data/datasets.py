"""What the rest of the package needs to know of any dataset, without changing how it is read.

A dataset of the caller's own is never copied into memory for training: its items are asked for
whenever they are needed, so that random augmentation stays random.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, IterableDataset, Subset

from legatee.data.examples import Examples, as_floats
from legatee.errors import DataError
from legatee.fingerprint import weights_fingerprint

Data = Dataset[Any]


def as_dataset(data: object, argument: str) -> Data:
    """Return a dataset as it is, or refuse what is none.

    Args:
        data: Examples, or any map-style dataset of ``(input, target)`` pairs.
        argument: What the caller calls it, such as ``"train"``.

    Returns:
        The same object.

    Raises:
        DataError: If it is no such dataset; the sentence says what to pass instead.
    """
    if isinstance(data, Examples):
        return data
    expected = f"pass {argument} as a torch Dataset of (input, target) pairs"
    if isinstance(data, DataLoader):
        raise DataError(f"{argument} is a DataLoader; pass its dataset, {argument}.dataset")
    if isinstance(data, str):
        raise DataError(
            f"{argument} is the text {data!r}; {expected}, such as legatee.load_data({data!r})"
        )
    if isinstance(data, IterableDataset) or not hasattr(data, "__getitem__"):
        raise DataError(
            f"{argument} is a {type(data).__name__} that has no items by index; {expected}"
        )
    if not isinstance(data, Dataset):
        raise DataError(f"{argument} is a {type(data).__name__}; {expected}")
    if not hasattr(data, "__len__") or not len(data):
        raise DataError(f"{argument} has no examples; {expected}")
    _item(data, 0)
    return data


def name_of(data: Data) -> str:
    """Return what a dataset is called: the name of examples, else the type of the dataset.

    Args:
        data: Any dataset.

    Returns:
        Its name.
    """
    return data.name if isinstance(data, Examples) else type(data).__name__


def targets_of(data: Data) -> Tensor:
    """Return all targets.

    Args:
        data: Examples, or any dataset; its attribute ``targets`` is used if it has one, else every
            item is asked for once.

    Returns:
        Classes, int64 [n]; numbers, float32 [n] or [n, k]; or masks, int64 [n, h, w].

    Raises:
        DataError: If an item is no pair, or its target no number.
    """
    if isinstance(data, Examples):
        return data.targets
    if isinstance(data, Subset) and hasattr(data.dataset, "targets"):
        return targets_of(data.dataset)[torch.as_tensor(data.indices)]
    targets = getattr(data, "targets", None)
    if targets is None:
        targets = [_item(data, i)[1] for i in range(len(data))]  # type: ignore[arg-type]
    try:
        found = torch.as_tensor(targets) if not isinstance(targets, list) else _stacked(targets)
    except (TypeError, ValueError, RuntimeError) as error:
        raise DataError(
            f"{name_of(data)!r}: the targets are not classes, numbers or masks of one size: {error}"
        ) from error
    return found.float() if found.is_floating_point() else found.long()


def _stacked(targets: list[Any]) -> Tensor:
    return torch.stack([torch.as_tensor(target) for target in targets])


def class_names_of(data: Data) -> tuple[str, ...] | None:
    """Return the names of the classes.

    Args:
        data: Any dataset; its attribute ``classes`` is used if it has one.

    Returns:
        Names in the order of the classes' numbers, the numbers themselves where nobody names them;
        ``None`` where targets are numbers.
    """
    if isinstance(data, Examples):
        return data.class_names
    if isinstance(data, Subset):
        return class_names_of(data.dataset)
    names = getattr(data, "classes", None)
    if names is not None:
        return tuple(str(name) for name in names)
    targets = targets_of(data)
    if targets.is_floating_point():
        return None
    return tuple(str(number) for number in range(int(targets.max()) + 1))


def task_of(data: Data) -> str:
    """Return what is learned.

    Args:
        data: Any dataset.

    Returns:
        ``"classification"``, ``"regression"`` or ``"segmentation"``.
    """
    targets = targets_of(data)
    if targets.is_floating_point():
        return "regression"
    return "classification" if targets.ndim == 1 else "segmentation"


def counts_of(data: Data) -> dict[str, int]:
    """Return how many examples each class has.

    Args:
        data: Any dataset.

    Returns:
        Class name -> examples, or pixels of masks [count]; empty where targets are numbers.
    """
    names = class_names_of(data)
    if names is None:
        return {}
    found = torch.bincount(targets_of(data).flatten(), minlength=len(names))
    return {name: int(count) for name, count in zip(names, found, strict=False)}


def chance_level(data: Data) -> float | None:
    """Return the accuracy of always answering with the most frequent class.

    Args:
        data: Any dataset.

    Returns:
        Share of the largest class [fraction, 0..1]; ``None`` where targets are numbers.

    Example:
        >>> from legatee.data.load import load_data
        >>> chance_level(load_data("digits:classes=0-4,n=100"))
        0.2
    """
    counts = counts_of(data)
    return max(counts.values()) / sum(counts.values()) if counts else None


def inputs_of(data: Data, limit: int | None = None) -> Tensor:
    """Return inputs as networks take them; of a dataset with random augmentation one draw of each.

    Args:
        data: Any dataset of inputs of one shape.
        limit: At most so many, from the first on; all if ``None`` [count].

    Returns:
        Inputs, float32 [n, ...].

    Raises:
        DataError: If the inputs differ in shape.
    """
    count = len(data) if limit is None else min(limit, len(data))  # type: ignore[arg-type]
    if isinstance(data, Examples):
        return as_floats(data.inputs[:count])
    inputs = [_item(data, i)[0] for i in range(count)]
    for i, value in enumerate(inputs):
        if value.shape != inputs[0].shape:
            raise DataError(
                f"{name_of(data)!r}: input {i} has shape {tuple(value.shape)}, the first has "
                f"{tuple(inputs[0].shape)}; expected inputs of one shape"
            )
    return as_floats(torch.stack(inputs))


def take(data: Data, indices: Sequence[int] | Tensor) -> Data:
    """Return some of the examples, in the order asked for.

    Args:
        data: Any dataset.
        indices: Which ones [count from 0]; repeats are allowed.

    Returns:
        Examples of examples, and a ``Subset`` of any other dataset.

    Raises:
        DataError: If they are fewer than the classes.
    """
    index = torch.as_tensor(indices, dtype=torch.int64)
    if isinstance(data, Examples):
        return replace(data, inputs=data.inputs[index], targets=data.targets[index])
    return Subset(data, index.tolist())


def split(data: Data, fraction: float, seed: int) -> tuple[Data, Data]:
    """Hold out some of the examples: the same share of every class, at least one on either side.

    Args:
        data: Any dataset.
        fraction: Share that is held out [fraction, 0..1].
        seed: Seed of the draw.

    Returns:
        The examples to train on and the held-out ones, each in the order they had.

    Raises:
        DataError: If ``fraction`` is not between 0 and 1, or a class has fewer than two examples.
    """
    if not 0 < fraction < 1:
        raise DataError(f"cannot hold out a fraction of {fraction:g}; expected one between 0 and 1")
    targets = targets_of(data)
    generator = torch.Generator().manual_seed(seed)
    names = class_names_of(data) if targets.ndim == 1 else None
    strata = [(targets == label) for label in range(len(names))] if names else []
    if not strata:
        strata = [torch.ones(len(targets), dtype=torch.bool)]
    held_out = torch.zeros(len(targets), dtype=torch.bool)
    for label, members in enumerate(stratum.nonzero().flatten() for stratum in strata):
        if len(members) < 2:
            what = f"class {names[label]!r}" if names else "it"
            raise DataError(
                f"{name_of(data)!r}: {what} has {len(members)} examples; "
                "a split needs two, one to train on and one to hold out"
            )
        count = min(max(round(fraction * len(members)), 1), len(members) - 1)
        held_out[members[torch.randperm(len(members), generator=generator)[:count]]] = True
    return take(data, (~held_out).nonzero().flatten()), take(data, held_out.nonzero().flatten())


def fingerprint_of(data: Data) -> str:
    """Digest what a dataset holds, bit for bit.

    Two datasets of equal content have one fingerprint, whatever they are called. The inputs of a
    dataset with random augmentation differ each time they are asked for: of it only the type, the
    length and the targets count.

    Args:
        data: Any dataset.

    Returns:
        Sixty-four hexadecimal digits.
    """
    targets = targets_of(data)
    if isinstance(data, Examples):
        return weights_fingerprint({"inputs": data.inputs, "targets": targets})
    first, again = (inputs_of(data, limit=8) for _ in range(2))
    if not first.equal(again):
        return weights_fingerprint({f"random {type(data).__qualname__} {len(targets)}": targets})
    return weights_fingerprint({"inputs": inputs_of(data), "targets": targets})


def _item(data: Data, index: int) -> tuple[Tensor, Any]:
    """Return one item of a dataset, refused unless it is a pair of a tensor and a target."""
    item = data[index]
    try:
        value, target = item
        return torch.as_tensor(value), target
    except (TypeError, ValueError, RuntimeError) as error:
        raise DataError(
            f"{name_of(data)!r}: item {index} is not a pair of an input tensor and a target: "
            f"{error}"
        ) from error
