"""Stand-ins for a network and its tensors: shapes and types without values."""

from contextlib import AbstractContextManager, nullcontext
from copy import deepcopy

import torch
from torch import Tensor, nn

from legatee.surgery.network.wrappers import unwrap_parts, unwrapped


def constant(value: Tensor) -> Tensor:
    """Return a stand-in for a buffer; along axes on which it does not vary, all is one element.

    Args:
        value: A buffer.

    Returns:
        A tensor on the meta device.
    """
    sizes = [
        1 if not value.is_meta and bool((value == value.narrow(axis, 0, 1)).all()) else size
        for axis, size in enumerate(value.shape)
    ]
    return torch.empty(sizes, dtype=value.dtype, device="meta").expand(value.shape)


def shadow(value: Tensor) -> Tensor:
    """Return a tensor of the same shape and type without values.

    Args:
        value: A parameter or buffer.

    Returns:
        A tensor on the meta device.
    """
    blank = torch.empty_like(value, device="meta")
    return nn.Parameter(blank, requires_grad=False) if isinstance(value, nn.Parameter) else blank


def copied(network: nn.Module, shadows: dict[int, Tensor]) -> nn.Module:
    """Return a copy of the network in evaluation mode, with shadows for its tensors.

    Args:
        network: The network.
        shadows: Identity of a tensor of the network -> what takes its place.

    Returns:
        The copy.
    """
    network = unwrapped(network)
    computed = {  # hooks recompute these before each run; they cannot be copied
        id(value): shadow(value)
        for module in network.modules()
        for value in vars(module).values()
        if isinstance(value, Tensor) and not value.is_leaf
    }
    return unwrap_parts(deepcopy(network, computed | shadows)).eval()


def on_cpu() -> AbstractContextManager[object]:
    """Make tensors on the CPU, whatever device the user made the default one.

    Returns:
        A context.
    """
    return nullcontext() if torch.get_default_device().type == "cpu" else torch.device("cpu")
