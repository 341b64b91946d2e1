"""What weights and downstream data say of the channels of a source group, for rules that rank."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from legatee.errors import TransferError
from legatee.surgery.network.calls import aten
from legatee.surgery.network.catalog import Catalog, state

TINY = 1e-12  # a channel that never varies has neither signal nor noise


@dataclass(frozen=True, kw_only=True)
class Activity:
    """What one pass over data shows of the inputs of one layer, column by column.

    Attributes:
        active: Share of examples on which the column is above zero anywhere [columns].
        signal: Variance of the class means against the variance within classes [columns]; empty
            without labels.
    """

    active: np.ndarray
    signal: np.ndarray


def norms(catalog: Catalog, weights: Mapping[str, Tensor]) -> list[np.ndarray]:
    """Return the norm of each channel: of the weights that make it, or else of all it touches.

    Args:
        catalog: Of the network.
        weights: Its tensors by name.

    Returns:
        For each group, the Euclidean norm of each channel [size of the group].
    """
    found = []
    for group in catalog.groups:
        matrices = [m for m in group.members if len(catalog.tensors[m[0]].shape) > 1]
        makers = [m for m in matrices if m[1] == 0] or matrices or list(group.members)
        total = np.zeros(group.size)
        for name, axis in makers:
            value = weights[name].detach().double()
            others = [i for i in range(value.ndim) if i != axis]
            squares = value.square().sum(others) if others else value.square()
            total += squares.cpu().numpy()[group.members[name, axis]].sum(1)
        found.append(np.sqrt(total))
    return found


def watch(
    network: nn.Module, inputs: Tensor, labels: Tensor | None, catalog: Catalog
) -> list[Activity | None]:
    """Run a network over downstream data once, and measure the channels of each group.

    A channel is measured where a convolution or a matrix reads it, behind its nonlinearity. The
    network sees one example at a time, because some lay positions before examples.

    Args:
        network: The upstream network; its mode is put back.
        inputs: Downstream examples, as the network takes them [n, ...].
        labels: Class of each [n], for the signal.
        catalog: Of the network.

    Returns:
        For each group what was seen of its channels, or ``None`` if nothing reads it.

    Raises:
        TransferError: If labels and inputs differ in number.
    """
    if labels is not None and len(labels) != len(inputs):
        raise TransferError(f"{len(inputs)} inputs but {len(labels)} labels; give one for each")
    modes = {module: module.training for module in network.modules()}
    held = state(network)
    seen = _Watch({value.untyped_storage().data_ptr(): name for name, value in held.items()})
    device = next(iter(held.values())).device
    try:
        network.eval()
        with torch.no_grad(), seen:
            for example in inputs:
                network(example[None].to(device))
    finally:
        for module, mode in modes.items():
            module.training = mode
    measured = {
        name: _activity(seen, name, None if labels is None else labels.cpu()) for name in seen.means
    }
    return [_of_group(group.members, measured) for group in catalog.groups]


@dataclass
class _Watch(TorchDispatchMode):
    """Keeps, for each weight, what is fed to it: the mean and the maximum over positions."""

    names: dict[int, str]
    means: dict[str, list[Tensor]] = field(default_factory=dict)
    peaks: dict[str, list[Tensor]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        super().__init__()

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None
    ) -> Any:
        packet = func.overloadpacket
        if packet is aten.convolution and args[0].shape[1] == args[1].shape[1]:
            self._see(args[1], args[0][0].flatten(1).T)
        elif packet in (aten.mm, aten.addmm):
            self._see(args[-1], args[-2])
        return func(*args, **(kwargs or {}))

    def _see(self, weight: Tensor, fed: Tensor) -> None:
        """Note what is fed to a weight [positions, columns]."""
        name = self.names.get(weight.untyped_storage().data_ptr())
        if name is not None:
            self.means.setdefault(name, []).append(fed.double().mean(0).cpu())
            self.peaks.setdefault(name, []).append(fed.amax(0).cpu())


def _activity(seen: _Watch, name: str, labels: Tensor | None) -> Activity:
    """Sum up what was fed to one weight."""
    active = (torch.stack(seen.peaks[name]) > 0).double().mean(0).numpy()
    means = torch.stack(seen.means[name])
    if labels is None or len(means) != len(labels):  # a layer that runs more than once
        return Activity(active=active, signal=np.empty(0))
    classes = [means[labels == c] for c in labels.unique()]
    middles = torch.stack([c.mean(0) for c in classes])
    shares = torch.tensor([len(c) / len(means) for c in classes], dtype=torch.double)[:, None]
    between = (shares * (middles - means.mean(0)).square()).sum(0)
    within = sum((c - m).square().sum(0) for c, m in zip(classes, middles, strict=True))
    noise = within / len(means) + TINY
    return Activity(active=active, signal=(between / noise).numpy())


def _of_group(
    members: Mapping[tuple[str, int], np.ndarray], measured: Mapping[str, Activity]
) -> Activity | None:
    """Average what was seen of a group's channels over all that read them."""
    seen = [(measured[n], spots) for (n, axis), spots in members.items() if axis and n in measured]
    if not seen:
        return None
    active = np.mean([a.active[spots].mean(1) for a, spots in seen], axis=0)
    signals = [a.signal[spots].mean(1) for a, spots in seen if len(a.signal)]
    return Activity(active=active, signal=np.mean(signals, axis=0) if signals else np.empty(0))
