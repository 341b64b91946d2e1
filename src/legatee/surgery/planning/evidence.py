"""What downstream data shows of a network's channels, measured in forward passes over batches."""

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import chain, islice

import numpy as np
import torch
from torch import Tensor, nn

from legatee.errors import TransferError
from legatee.surgery.network.network import Network
from legatee.surgery.planning.batches import Batch, Data, batches
from legatee.surgery.planning.layer_inputs import Layout, Seen, layouts, seen_by_layers

PROBED = 4  # examples that are run together and one by one, to find out where each is [count]
TINY = 1e-12  # variance of a channel that never varies, so that it has a signal of 0


@dataclass(frozen=True, kw_only=True)
class Activity:
    """What the data shows of some channels.

    Attributes:
        active: Share of examples on which the channel is above zero at any position [channels]
            [fraction, 0..1].
        signal: Variance of the class means, relative to the variance within classes [channels].
    """

    active: np.ndarray
    signal: np.ndarray


def measure(source: Network, data: Data, *, classes: bool = False) -> list[Activity | None]:
    """Run a network over data and measure the channels of each group.

    A channel is measured where it is the input of a convolution or a linear layer, that is behind
    the nonlinearity. The data is gone through once, batch by batch.

    Args:
        source: The network; its mode is restored.
        data: Downstream data, as :func:`~legatee.surgery.planning.batches.batches` takes it.
        classes: Whether labels are needed, to measure the signal.

    Returns:
        For each channel group what the data shows of it, or ``None`` if it is the input of no
        layer, or (for the signal) of none that is used exactly once in a forward pass.

    Raises:
        TransferError: If the data is no data, has fewer than two examples, or the network does not
            run on it; if labels are needed and missing, or name fewer than two classes.
    """
    module = source.require_weights("a rule that measures channels")
    names = {value.untyped_storage().data_ptr(): name for name, value in source.state.items()}
    device = next(iter(source.state.values())).device
    sums: dict[str, _Sums] = {}
    examples, labels = 0, set[int]()
    with _evaluating(module):
        for batch, seen in _passes(module, names, device, batches(data, labelled=classes)):
            examples += batch.size
            labels |= set(batch.labels.tolist()) if classes and batch.labels is not None else set()
            times = Counter(one.name for one in seen)
            for one in seen:
                entry = sums.setdefault(one.name, _Sums(columns=one.mean.shape[1]))
                entry.add(one, batch.labels if classes and times[one.name] == 1 else None)
    if examples < 2:
        raise TransferError(
            f"data has {examples} example{'' if examples == 1 else 's'}; a rule that measures "
            "channels needs at least two, and ranks well from some hundred on"
        )
    if classes and len(labels) < 2:
        raise TransferError("data has labels of one class only; the signal needs at least two")
    measured = {name: entry.activity(classes=classes) for name, entry in sums.items()}
    return [_of_group(group.members, measured, classes) for group in source.catalog.groups]


@contextmanager
def _evaluating(module: nn.Module) -> Iterator[None]:
    """Put a network into evaluation mode, without gradients and without fused attention."""
    modes = {part: part.training for part in module.modules()}
    fused = torch.backends.mha.get_fastpath_enabled()
    try:
        module.eval()
        torch.backends.mha.set_fastpath_enabled(False)  # it hides the layers of an attention
        with torch.no_grad():
            yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fused)
        for part, mode in modes.items():
            part.training = mode


def _passes(
    module: nn.Module, names: Mapping[int, str], device: torch.device, data: Iterator[Batch]
) -> Iterator[tuple[Batch, list[Seen]]]:
    """Run the network over the batches, whole if each example can be told in all layer inputs.

    Where the examples of a batch cannot be told apart, they are run one at a time.
    """

    def run(batch: Batch, known: list[Layout] | None) -> list[Seen]:
        return seen_by_layers(module, names, device, batch, known)

    begin = list(islice(data, 1))
    known = None
    if begin and begin[0].size > 1:
        probe = begin[0].part(0, PROBED)
        singles = [run(probe.part(n, n + 1), None) for n in range(probe.size)]
        known = layouts(run(probe, None), singles)
    for batch in chain(begin, data):
        seen = run(batch, known) if known is not None and batch.size > 1 else None
        if seen is not None and all(len(one.mean) == batch.size for one in seen):
            yield batch, seen
            continue
        for place in range(batch.size):
            single = batch.part(place, place + 1)
            yield single, [one.of_one_example() for one in run(single, None)]


@dataclass
class _Sums:
    """Sums over examples of what was seen of the inputs of one layer."""

    columns: int
    count: int = 0
    positive: Tensor = field(init=False)
    classes: dict[int, tuple[int, Tensor]] = field(default_factory=dict)
    within: Tensor = field(init=False)
    repeated: bool = False

    def __post_init__(self) -> None:
        self.positive = torch.zeros(self.columns, dtype=torch.double)
        self.within = torch.zeros(self.columns, dtype=torch.double)

    def add(self, seen: Seen, labels: Tensor | None) -> None:
        """Count the examples of a batch; without labels, the layer has no signal."""
        self.count += len(seen.peak)
        self.positive += (seen.peak > 0).double().sum(0)
        if labels is None:
            self.repeated = True
            return
        for label in labels.unique().tolist():  # means and squares are merged as in Chan (1979)
            rows = seen.mean[labels == label]
            count, mean = self.classes.get(label, (0, torch.zeros_like(self.within)))
            step = rows.mean(0) - mean
            total = count + len(rows)
            self.within += (rows - rows.mean(0)).square().sum(0)
            self.within += step.square() * count * len(rows) / total
            self.classes[label] = total, mean + step * len(rows) / total

    def activity(self, *, classes: bool) -> Activity:
        """Return what the examples show."""
        active = (self.positive / self.count).numpy()
        if not classes or self.repeated:
            return Activity(active=active, signal=np.empty(0))
        counts = torch.tensor([n for n, _ in self.classes.values()], dtype=torch.double)[:, None]
        means = torch.stack([mean for _, mean in self.classes.values()])
        shares = counts / counts.sum()
        between = (shares * (means - (shares * means).sum(0)).square()).sum(0)
        noise = self.within / counts.sum() + TINY
        return Activity(active=active, signal=(between / noise).numpy())


def _of_group(
    members: Mapping[tuple[str, int], np.ndarray], measured: Mapping[str, Activity], classes: bool
) -> Activity | None:
    """Average what was seen of a group's channels over all layers whose inputs they are."""
    seen = [(measured[n], spots) for (n, axis), spots in members.items() if axis and n in measured]
    if classes:
        seen = [(activity, spots) for activity, spots in seen if len(activity.signal)]
    if not seen:
        return None
    active = np.mean([activity.active[spots].mean(1) for activity, spots in seen], axis=0)
    signals = [activity.signal[spots].mean(1) for activity, spots in seen if classes]
    return Activity(active=active, signal=np.mean(signals, axis=0) if signals else np.empty(0))
