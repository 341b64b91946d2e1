"""Weights of a file under the names and types that a network of their architecture has."""

from collections import Counter
from collections.abc import Iterator, Mapping

import torch
from torch import Tensor, nn

from legatee.errors import TransferError, listed
from legatee.surgery.applying.casts import Allowed, check_types
from legatee.surgery.applying.given import Given
from legatee.surgery.network.names import module_of
from legatee.surgery.network.state import saved_tensors, state

NAMED = 3  # tensors that a message names


def fitted(
    weights: Mapping[str, Tensor], network: nn.Module, what: str, *, whole: bool = True
) -> Mapping[str, Tensor]:
    """Return weights under the names and types that a network of their architecture has.

    Args:
        weights: Tensors by name, perhaps with a prefix before the names and others beside them.
        network: The network, which may have no weights of its own yet (meta device).
        what: What the weights are called, for the message.
        whole: Whether all of the network's weights are needed, and no others are expected; else a
            module may be missing, such as the head, and another stand beside the others.

    Returns:
        Tensors by name in the network's order, ties once; each converted when it is asked for.

    Raises:
        TransferError: If a tensor is missing, unknown, of another shape, or of a type that the
            network's tensor cannot hold.
    """
    expected = state(network)
    first = {id(value): name for name, value in expected.items()}
    ties = {n: first[id(v)] for n, v in saved_tensors(network).items() if n not in expected}
    given = Given.of(weights, list(expected), ties, repr(what))
    missing = [name for name in expected if name not in given]
    unknown = given.foreign + (given.beside if whole else [])
    if unknown or (missing and (whole or not _are_modules(missing, given))):
        raise TransferError(
            f"{what!r} is not of this architecture: "
            + _misfit(
                [(name, expected[name]) for name in missing],
                [(name, weights[name]) for name in [*given.foreign, *given.beside]],
            )
        )
    for name, value in given.items():
        if value.shape != expected[name].shape:
            raise TransferError(
                f"{what!r} holds {name!r} with shape {tuple(value.shape)}; the network expects "
                f"{tuple(expected[name].shape)}"
            )
        check_types(value.dtype, expected[name].dtype, f"{name!r} of {what!r}", Allowed())
    return _Fitted(given, {name: expected[name].dtype for name in given})


def _are_modules(missing: list[str], given: Mapping[str, Tensor]) -> bool:
    """Tell whether what is missing are whole modules, and fewer tensors than there are."""
    modules = {module_of(name) for name in given}
    return len(missing) < len(given) and not any(module_of(name) in modules for name in missing)


class _Fitted(Mapping[str, Tensor]):
    """Tensors of other types, converted when they are asked for."""

    def __init__(self, given: Given, dtypes: dict[str, torch.dtype]):
        self._given, self._dtypes = given, dtypes

    def __iter__(self) -> Iterator[str]:
        return iter(self._dtypes)

    def __len__(self) -> int:
        return len(self._dtypes)

    def __getitem__(self, name: str) -> Tensor:
        return self._given[name].to(self._dtypes[name])


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
