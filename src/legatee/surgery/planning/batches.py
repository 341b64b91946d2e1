"""Data of the downstream task in batches, from whatever a PyTorch user keeps it in."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import torch
from torch import Tensor
from torch.utils._pytree import tree_leaves, tree_map
from torch.utils.data import DataLoader, Dataset

from legatee.errors import TransferError

BATCH = 64  # examples of one batch, where the data does not come in batches [count]
EXPECTED = "expected a tensor, (inputs, labels), a Dataset of (input, label) or a DataLoader"

Data = Tensor | Sequence[Any] | Mapping[str, Any] | Dataset | DataLoader


@dataclass(frozen=True, kw_only=True)
class Batch:
    """Examples that the network sees at once.

    Attributes:
        inputs: The network's inputs: a tensor, a tuple for ``network(*inputs)`` or a dictionary for
            ``network(**inputs)``; each tensor begins with the axis of the examples.
        labels: The class of each example [n], if there are labels.
    """

    inputs: Any
    labels: Tensor | None = None

    @property
    def size(self) -> int:
        """Examples [count]."""
        return len(_tensors(self.inputs)[0])

    def part(self, start: int, stop: int) -> Self:
        """Return some of the examples.

        Args:
            start: The first of them.
            stop: The one after the last of them.

        Returns:
            A smaller batch.
        """
        size = self.size

        def cut(value: Any) -> Any:
            batched = isinstance(value, Tensor) and value.ndim and len(value) == size
            return value[start:stop] if batched else value

        labels = None if self.labels is None else self.labels[start:stop]
        return type(self)(inputs=tree_map(cut, self.inputs), labels=labels)


def batches(data: Data, *, labelled: bool) -> Iterator[Batch]:
    """Go through the data once, batch by batch.

    Args:
        data: Inputs; inputs and labels; a data set of (input, label); or a loader of batches of it.
            Inputs of several arguments are a tuple or a dictionary, which may hold ``"labels"``.
        labelled: Whether labels are needed.

    Yields:
        Batches.

    Raises:
        TransferError: If the data is none of these, labels are missing where they are needed, are
            no class numbers, or are more or fewer than the inputs.

    Example:
        >>> inputs, labels = torch.zeros(100, 3), torch.zeros(100, dtype=torch.int64)
        >>> [batch.size for batch in batches((inputs, labels), labelled=True)]
        [64, 36]
    """
    whole = isinstance(data, Tensor | tuple | Mapping)
    for item in [data] if whole else _loader(data):
        batch = _batch(item)
        if batch.labels is not None:
            _check_labels(batch, labelled=labelled)
        elif labelled:
            raise TransferError("data has no labels; pass data=(inputs, labels)")
        step = BATCH if whole else batch.size
        for start in range(0, batch.size, step):
            yield batch.part(start, start + step)


def _loader(data: Any) -> Iterable[Any]:
    """Return an iterable of batches."""
    if isinstance(data, DataLoader):
        return data
    if isinstance(data, Dataset):
        return DataLoader(data, batch_size=BATCH)
    raise TransferError(f"data is a {type(data).__name__}; {EXPECTED}")


def _batch(item: Any) -> Batch:
    """Read one batch: inputs, (inputs, labels), or a dictionary of inputs and labels."""
    inputs, labels = item, None
    if isinstance(item, Mapping):
        inputs = {name: value for name, value in item.items() if name != "labels"}
        labels = item.get("labels")
    elif isinstance(item, tuple | list):
        if not 1 <= len(item) <= 2:
            raise TransferError(f"data has {len(item)} parts; {EXPECTED}")
        inputs, labels = item if len(item) == 2 else (item[0], None)
    if isinstance(inputs, list):
        inputs = tuple(inputs)
    if not _tensors(inputs) or not _tensors(inputs)[0].ndim:
        raise TransferError(f"data holds inputs of type {type(inputs).__name__}; {EXPECTED}")
    return Batch(inputs=inputs, labels=None if labels is None else _label_tensor(labels))


def _label_tensor(labels: Any) -> Tensor:
    try:
        return torch.as_tensor(labels).cpu()
    except (TypeError, ValueError, RuntimeError) as error:
        raise TransferError(
            f"data has labels of type {type(labels).__name__}; expected a tensor of class numbers"
        ) from error


def _check_labels(batch: Batch, *, labelled: bool) -> None:
    """Refuse labels that are not one class number for each input."""
    labels = batch.labels
    assert labels is not None, "the caller has looked"
    if not labels.ndim or len(labels) != batch.size:
        count = len(labels) if labels.ndim else 1
        raise TransferError(f"data has {batch.size} inputs but {count} labels; give each one label")
    whole = not (labels.is_floating_point() or labels.is_complex())
    if labelled and (labels.ndim != 1 or not whole):
        raise TransferError(
            f"data has labels of shape {tuple(labels.shape)} and type "
            f"{str(labels.dtype).removeprefix('torch.')}; expected one class number for each input"
        )


def _tensors(tree: Any) -> list[Tensor]:
    return [leaf for leaf in tree_leaves(tree) if isinstance(leaf, Tensor)]
