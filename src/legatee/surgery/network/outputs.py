"""The tensors in a network's output, whatever the output is kept in."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

DEPTH = 4  # objects within objects that are opened


def tensors_within(output: Any) -> list[Tensor]:
    """Return the tensors in containers; where there are none, those in objects of any class.

    An object beside tensors is not opened: it may be a cache, which is not what the network says.

    Args:
        output: What a network returns.

    Returns:
        The tensors, in order.

    Example:
        >>> from types import SimpleNamespace
        >>> import torch
        >>> tensors_within(SimpleNamespace(scores=[torch.tensor(1)], loss=None))
        [tensor(1)]
    """
    for _ in range(DEPTH):
        leaves = tree_leaves(output)
        tensors = [leaf for leaf in leaves if isinstance(leaf, Tensor)]
        if tensors:
            return tensors
        output = [_content(leaf) for leaf in leaves]
    return []


def _content(x: Any) -> list[Any]:
    """Return the values of a mapping, or of the attributes of an object."""
    if isinstance(x, Mapping):
        return list(x.values())
    if isinstance(x, nn.Module | type):
        return []
    slots = [name for kind in type(x).__mro__ for name in getattr(kind, "__slots__", ())]
    return [*getattr(x, "__dict__", {}).values(), *(getattr(x, name, None) for name in slots)]
