"""Weights of a file under the names and types that a network of their architecture has."""

from collections import Counter
from collections.abc import Iterator, Mapping

import torch
from torch import Tensor, nn

from legatee.errors import TransferError, listed
from legatee.surgery.applying.casts import Allowed, check_types
from legatee.surgery.network.catalog import state
from legatee.surgery.network.names import without_wrappers

NAMED = 3  # tensors that a message names


def fitted(weights: Mapping[str, Tensor], network: nn.Module, what: str) -> Mapping[str, Tensor]:
    """Return weights under the names and types that a network of their architecture has.

    Args:
        weights: Tensors by name, perhaps with a wrapper's prefix before all names.
        network: The network, which may have no weights of its own yet (meta device).
        what: What the weights are called, for the message.

    Returns:
        Tensors by name in the network's order, ties once; each converted when it is asked for.

    Raises:
        TransferError: If a tensor is missing, unknown, of another shape, or of a type that the
            network's tensor cannot hold.
    """
    expected = state(network)
    names = dict(zip(without_wrappers(list(weights)), weights, strict=True))
    bare = dict(zip(expected, without_wrappers(list(expected)), strict=True))
    tied = set(without_wrappers(list(network.state_dict()))) - set(bare.values())
    missing = [name for name in expected if bare[name] not in names]
    unknown = [name for name in names if name not in {*bare.values(), *tied}]
    if missing or unknown:
        raise TransferError(
            f"{what!r} is not of this architecture: "
            + _misfit(
                [(n, expected[n]) for n in missing], [(n, weights[names[n]]) for n in unknown]
            )
        )
    for name, value in expected.items():
        given = weights[names[bare[name]]]
        if given.shape != value.shape:
            raise TransferError(
                f"{what!r} holds {name!r} with shape {tuple(given.shape)}; the network expects "
                f"{tuple(value.shape)}"
            )
        check_types(given.dtype, value.dtype, f"{name!r} of {what!r}", Allowed())
    return _Fitted(weights, {name: (names[bare[name]], expected[name].dtype) for name in expected})


class _Fitted(Mapping[str, Tensor]):
    """Tensors under other names and types, converted when they are asked for."""

    def __init__(self, weights: Mapping[str, Tensor], fits: dict[str, tuple[str, torch.dtype]]):
        self._weights, self._fits = weights, fits

    def __iter__(self) -> Iterator[str]:
        return iter(self._fits)

    def __len__(self) -> int:
        return len(self._fits)

    def __getitem__(self, name: str) -> Tensor:
        name, dtype = self._fits[name]
        return self._weights[name].to(dtype)


def _misfit(missing: list[tuple[str, Tensor]], unknown: list[tuple[str, Tensor]]) -> str:
    """Say which tensors are missing and unknown, and whether they differ in their names alone."""
    lacks = f"it lacks {_some(missing)}" if missing else ""
    has = f"it has {_some(unknown)} that the network does not have" if unknown else ""
    shapes, others = ([tuple(value.shape) for _, value in side] for side in (missing, unknown))
    if shapes == others:
        return (
            f"{lacks} and {has}, but all of these have the same shapes in the same order: probably "
            "it is the same network whose tensors have other names; rename them and save it again"
        )
    if Counter(shapes) == Counter(others):
        return (
            f"{lacks} and {has}, but these have the same shapes in another order: perhaps it is "
            "the same network whose tensors have other names; rename them and save it again"
        )
    return " and ".join(filter(None, (lacks, has)))


def _some(tensors: list[tuple[str, Tensor]]) -> str:
    """Count tensors and name the first."""
    names = listed((name for name, _ in tensors), most=NAMED)
    return f"{len(tensors)} tensor{'' if len(tensors) == 1 else 's'} [{names}]"
