"""What layers see of each example of a batch, at the level of PyTorch's operations.

A layer may see the positions of an example beside the examples in one axis, as a linear layer of a
transformer does: in some networks the positions of one example follow one another, in others (for
example ``batch_first=False``) the examples of one position do. Which one it is cannot be read from
the shapes. Some examples are therefore run together and one by one, and the order by which the
results agree is used.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Self

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map

from legatee.errors import TransferError
from legatee.surgery.network.calls import aten
from legatee.surgery.planning.batches import Batch

Layout = Literal["examples first", "positions first", "no examples"]
CLOSE = 1e-3  # of the largest value: a batch is rounded otherwise than a single example


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What one layer saw in one forward pass.

    Attributes:
        name: The layer's weight.
        mean: Mean over positions, for each example, or for each row of the layer's input
            [examples or rows, channels].
        peak: Maximum over positions, likewise.
    """

    name: str
    mean: Tensor
    peak: Tensor

    def by_example(self, layout: Layout, examples: int) -> Self:
        """Return what was seen of each example.

        Args:
            layout: The order of the rows.
            examples: Examples of the batch [count].

        Returns:
            One row for each example; unchanged if the rows do not divide among them.
        """
        rows, columns = self.mean.shape
        if layout == "no examples":
            shapes, axis = (1, rows, columns), 1
        elif rows % examples:
            return self
        elif layout == "examples first":
            shapes, axis = (examples, rows // examples, columns), 1
        else:
            shapes, axis = (rows // examples, examples, columns), 0
        mean = self.mean.reshape(shapes).mean(axis)
        peak = self.peak.reshape(shapes).amax(axis)
        if layout == "no examples":
            mean, peak = mean.expand(examples, -1), peak.expand(examples, -1)
        return type(self)(name=self.name, mean=mean, peak=peak)

    def of_one_example(self) -> Self:
        """Return what was seen where there was one example only."""
        return self.by_example("examples first", 1)


def seen_by_layers(
    module: nn.Module,
    names: Mapping[int, str],
    device: torch.device,
    batch: Batch,
    known: Sequence[Layout] | None,
) -> list[Seen]:
    """Run a network on a batch and return what its convolutions and linear layers saw.

    Args:
        module: The network, in evaluation mode.
        names: Address of each weight's memory -> the weight's name.
        device: Where the network is.
        batch: The examples.
        known: The order of the rows of each layer's input, in the order of the forward pass; rows
            are returned as they are without it, or where the pass meets other layers.

    Returns:
        What was seen, in the order of the forward pass.

    Raises:
        TransferError: If the network does not run on the batch.
    """

    def reduce(seen: Seen, place: int) -> Seen:
        if known is None:
            return seen
        return seen.by_example(known[place], batch.size) if place < len(known) else seen

    watch = _Watch(names, reduce)
    inputs = tree_map(lambda x: x.to(device) if isinstance(x, Tensor) else x, batch.inputs)
    try:
        with watch:
            if isinstance(inputs, Tensor):
                module(inputs)
            else:
                module(**inputs) if isinstance(inputs, Mapping) else module(*inputs)
    except Exception as error:  # the user's forward raises whatever it likes
        cause = " ".join(str(error).split())[:200] or type(error).__name__
        raise TransferError(f"the source does not run on data: {cause}") from error
    return watch.seen


def layouts(joint: list[Seen], singles: list[list[Seen]]) -> list[Layout] | None:
    """Tell the order of the rows of each layer's input from a run of several examples.

    Args:
        joint: What was seen of several examples in one run.
        singles: What was seen of each of them alone.

    Returns:
        The order for each layer, or ``None`` if it cannot be told for all of them.
    """
    if any([seen.name for seen in one] != [seen.name for seen in joint] for one in singles):
        return None
    found = [
        _layout(together.mean, [seen.mean for seen in alone])
        for together, *alone in zip(joint, *singles, strict=True)
    ]
    return None if None in found else [layout for layout in found if layout is not None]


def _layout(joint: Tensor, singles: list[Tensor]) -> Layout | None:
    """Tell the order of the rows of one layer's input, or ``None`` if it cannot be told."""
    count, rows = len(singles), len(singles[0])
    close = CLOSE * float(joint.abs().max())
    if any(len(single) != rows for single in singles):
        return None
    alone = torch.stack(singles)
    if len(joint) == rows:
        same = (alone - joint).abs().max() <= close
        return "no examples" if same else None
    if len(joint) != count * rows:
        return None
    if (joint.reshape(count, rows, -1) - alone).abs().max() <= close:
        swapped = joint.reshape(rows, count, -1).transpose(0, 1)
        ambiguous = rows > 1 and (swapped - alone).abs().max() <= close
        return None if ambiguous else "examples first"
    agree = (joint.reshape(rows, count, -1).transpose(0, 1) - alone).abs().max() <= close
    return "positions first" if agree else None


class _Watch(TorchDispatchMode):
    """Notes the input of each weight: its mean and maximum over the positions beside it."""

    def __init__(self, names: Mapping[int, str], reduce: Callable[[Seen, int], Seen]):
        super().__init__()
        self.names = names
        self.reduce = reduce
        self.seen: list[Seen] = []

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None
    ) -> Any:
        packet = func.overloadpacket
        if packet is aten.convolution and args[0].shape[1] == args[1].shape[1]:
            self._note(args[1], args[0].flatten(2))
        elif packet in (aten.mm, aten.addmm):
            self._note(args[-1], args[-2][..., None])
        return func(*args, **(kwargs or {}))

    def _note(self, weight: Tensor, fed: Tensor) -> None:
        """Note the input of a weight [rows, channels, positions]."""
        name = self.names.get(weight.untyped_storage().data_ptr())
        if name is not None:
            mean, peak = fed.mean(2, dtype=torch.double).cpu(), fed.amax(2).cpu()
            seen = Seen(name=name, mean=mean, peak=peak)
            self.seen.append(self.reduce(seen, len(self.seen)))
