"""Copies of both networks with random weights, zero where the plan takes or fills nothing."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from copy import deepcopy
from dataclasses import dataclass
from zlib import crc32

import torch
from torch import Tensor, nn

from legatee.plans.plan import TransferPlan
from legatee.surgery.applying.blend import blended
from legatee.surgery.applying.elements import copy, take, write
from legatee.surgery.network.state import state


@dataclass(frozen=True, kw_only=True, eq=False)
class Copy:
    """A network that may be run and changed without touching the user's.

    Attributes:
        module: The network, in evaluation mode and double precision, on the CPU.
        tensors: Its state by name; each tensor is contiguous.
    """

    module: nn.Module
    tensors: dict[str, Tensor]


def silenced_copies(plan: TransferPlan, source: nn.Module, target: nn.Module) -> tuple[Copy, Copy]:
    """Copy both networks with random weights, zero where the plan takes or fills nothing.

    A parameter holds what its name and shape say, so that the same plan is always checked with the
    same numbers. Buffers that the plan does not move, such as masks and tables of positions, keep
    the network's own values.

    Args:
        plan: What is inherited.
        source: The upstream network, on any device, also on the meta device.
        target: The downstream network, likewise.

    Returns:
        The source whose elements are zero unless the plan takes them, and the target whose
        elements are zero unless the plan fills them.
    """
    taken: dict[str, list] = defaultdict(list)
    filled: dict[str, list] = defaultdict(list)
    for move in plan.moves:
        taken[move.source].append(move)
        filled[move.target].append(move)
    source_tensors = _zeros(source, taken)
    for name, moves in taken.items():
        if source_tensors[name].is_floating_point():
            values = drawn(name, source_tensors[name].shape)
            for move in moves:
                copy(source_tensors[name], move.take, values, move.take)
    target_tensors = _zeros(target, filled)
    for name, moves in filled.items():
        if target_tensors[name].is_floating_point():
            for move in moves:
                values = take(source_tensors[move.source], move.take)
                write(target_tensors[name], move.put, blended(values, move))
    return _copy(source, source_tensors), _copy(target, target_tensors)


def drawn(name: str, shape: Iterable[int]) -> Tensor:
    """Draw numbers that depend on the name and the shape of a tensor alone.

    Vectors, which scale and shift, are positive; matrices and kernels keep the size of what passes.

    Args:
        name: Name of the tensor.
        shape: Its shape [count per axis].

    Returns:
        The numbers, in double precision.
    """
    shape = tuple(shape)
    generator = torch.Generator().manual_seed(crc32(name.encode()))
    longer = [size for size in shape if size > 1]
    if len(longer) < 2:
        return torch.rand(shape, generator=generator, dtype=torch.float64) + 0.5
    spread = (2 * longer[0] / torch.Size(shape).numel()) ** 0.5
    return torch.randn(shape, generator=generator, dtype=torch.float64) * spread


def _zeros(network: nn.Module, moved: Mapping[str, object]) -> dict[str, Tensor]:
    """Return zeros for parameters and moved buffers, and the values of all other buffers."""
    trainable = {id(parameter) for parameter in network.parameters()}
    return {
        name: torch.zeros(value.shape, dtype=torch.float64)
        if value.is_floating_point() and (name in moved or id(value) in trainable)
        else _own(name, value)
        for name, value in state(network).items()
    }


def _own(name: str, value: Tensor) -> Tensor:
    """Return the values of a buffer; on the meta device, where there are none, plausible ones."""
    if not value.is_meta:
        value = value.detach().cpu().contiguous().clone()
        return value.double() if value.is_floating_point() else value
    if value.is_floating_point():
        return drawn(name, value.shape)
    return torch.full(value.shape, value.dtype == torch.bool, dtype=value.dtype)


def _copy(network: nn.Module, tensors: dict[str, Tensor]) -> Copy:
    """Return a copy of a network that holds the given tensors."""
    replaced: dict[int, Tensor] = {}
    for name, value in network.named_buffers():
        replaced[id(value)] = _own(name, value)
    for name, value in state(network).items():
        if isinstance(value, nn.Parameter):
            tensors[name] = nn.Parameter(tensors[name], requires_grad=False)
        replaced[id(value)] = tensors[name]
    for module in network.modules():
        for attribute, value in vars(module).items():
            if isinstance(value, Tensor) and not value.is_leaf:  # hooks compute these anew
                replaced.setdefault(id(value), _own(attribute, value))
    if isinstance(network, (nn.DataParallel, nn.parallel.DistributedDataParallel)):
        network = network.module
    network = getattr(network, "_orig_mod", network)  # the network that torch.compile wraps
    return Copy(module=deepcopy(network, dict(replaced)).eval(), tensors=tensors)
