"""Example inputs of a network: a single tensor, or all arguments by position or by name."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import torch
from torch import Tensor
from torch.utils._pytree import tree_leaves, tree_map

from legatee.errors import TransferError

ExampleInputs = Tensor | Sequence[Any] | Mapping[str, Any]


@dataclass(frozen=True, kw_only=True, eq=False)
class Inputs:
    """The arguments of one call of a network, with shapes and types but no numbers.

    Attributes:
        args: Arguments by position; their tensors are on the meta device.
        kwargs: Arguments by name, likewise.
    """

    args: tuple[Any, ...]
    kwargs: dict[str, Any]

    @classmethod
    def of(cls, example: ExampleInputs) -> Self:
        """Read example inputs as a user gives them.

        Args:
            example: A tensor, of which one example is kept; a tuple, for ``network(*example)``; or
                a dictionary, for ``network(**example)``.

        Returns:
            The arguments.

        Raises:
            TransferError: If it is none of these, or holds no tensor.

        Example:
            >>> Inputs.of({"ids": torch.zeros(2, 5), "mask": None}).kwargs
            {'ids': tensor(..., device='meta', size=(2, 5)), 'mask': None}
        """
        if isinstance(example, Tensor):
            return cls(args=(_blank(example[:1] if example.ndim else example),), kwargs={})
        if isinstance(example, Mapping) and _has_tensor(dict(example)):
            return cls(args=(), kwargs={name: tree_map(_blank, x) for name, x in example.items()})
        if isinstance(example, tuple | list) and _has_tensor(example):
            return cls(args=tuple(tree_map(_blank, x) for x in example), kwargs={})
        raise TransferError(
            f"example_inputs is a {type(example).__name__} without a tensor; expected a tensor, a "
            "tuple for network(*example_inputs), or a dictionary for network(**example_inputs)"
        )

    @property
    def tensors(self) -> list[Tensor]:
        """All tensors among the arguments, in order."""
        return [leaf for leaf in tree_leaves((self.args, self.kwargs)) if isinstance(leaf, Tensor)]

    @property
    def described(self) -> Any:
        """The arguments with (shape, type) in the place of each tensor, to be compared."""
        return tree_map(_described, (self.args, self.kwargs))

    def fresh(self, dtypes: Sequence[torch.dtype]) -> Self:
        """Return new tensors of the same shapes, floating-point ones in a type of the network.

        Args:
            dtypes: Floating-point types of the network; the first replaces a type not among them.

        Returns:
            The arguments.
        """

        def renewed(value: Any) -> Any:
            if not isinstance(value, Tensor):
                return value
            foreign = value.is_floating_point() and dtypes and value.dtype not in dtypes
            return torch.empty_like(value, dtype=dtypes[0] if foreign else value.dtype)

        args, kwargs = tree_map(renewed, (self.args, self.kwargs))
        return type(self)(args=args, kwargs=kwargs)

    def __str__(self) -> str:
        """Return the shapes, as messages name them."""
        args = [leaf for leaf in tree_leaves(self.args) if isinstance(leaf, Tensor)]
        shapes = ", ".join(str(tuple(value.shape)) for value in args)
        named = [
            f"{name} of shape {tuple(leaf.shape)}"
            for name, value in self.kwargs.items()
            for leaf in tree_leaves(value)
            if isinstance(leaf, Tensor)
        ]
        unnamed = [f"inputs of shape{'s' if len(args) > 1 else ''} {shapes}"] if args else []
        return ", ".join([*unnamed, *named])


def _blank(value: Any) -> Any:
    """Return a tensor's shape and type without its numbers; anything else as it is."""
    return torch.empty_like(value, device="meta") if isinstance(value, Tensor) else value


def _described(value: Any) -> Any:
    return (tuple(value.shape), str(value.dtype)) if isinstance(value, Tensor) else value


def _has_tensor(tree: Any) -> bool:
    return any(isinstance(leaf, Tensor) for leaf in tree_leaves(tree))
