"""Apply a transfer plan: all of it or nothing, with a receipt that accounts for every element."""

from collections import defaultdict
from collections.abc import Callable

import torch
from torch import Tensor, nn

from legatee.errors import TransferRefused
from legatee.positions import expand
from legatee.surgery.catalog import architecture_digest, state
from legatee.transfer import Move, Receipt, TransferPlan, account


def inherit(plan: TransferPlan, source: nn.Module, target: nn.Module) -> Receipt:
    """Copy into ``target``, in place, what ``plan`` says it inherits from ``source``.

    Every move is checked and computed before the first element is written; if anything fails,
    the target is bit for bit what it was.

    Args:
        plan: Made by :func:`legatee.plan` for networks of these two architectures.
        source: Upstream network; only read.
        target: Downstream network.

    Returns:
        An account of every element, with ``undo()``.

    Raises:
        TransferRefused: If the plan was made for another architecture, a weight of the source is
            NaN or infinite, or a copy would lose precision or range.

    Example:
        >>> from legatee.surgery.plan import plan
        >>> wide = nn.Sequential(nn.Linear(3, 8), nn.ReLU(), nn.Linear(8, 2))
        >>> slim = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2))
        >>> receipt = inherit(plan(wide, slim), wide, slim)
        >>> bool((slim[0].weight == wide[0].weight[::2]).all()), f"{receipt.inherited:.2f}"
        (True, '0.62')
    """
    given, held = state(source), state(target)
    for which, digest, tensors in (
        ("source", plan.source_digest, given),
        ("target", plan.target_digest, held),
    ):
        if (actual := architecture_digest(tensors)) != digest:
            raise TransferRefused(
                f"the plan was made for another {which} (architecture {digest}, this one is "
                f"{actual}): other layers, widths, classes or number types; plan again, or build "
                "the network that it was made for"
            )
    spoken_of = {entry.target for entry in plan.entries}
    shapes = {rest.target: rest.shape for rest in plan.untouched}
    for name, value in held.items():
        if name not in spoken_of or shapes.get(name, tuple(value.shape)) != tuple(value.shape):
            raise TransferRefused(f"the plan does not account for {name!r} {tuple(value.shape)}")
    moves: dict[str, list[Move]] = defaultdict(list)
    for move in plan.moves:
        _check_names(move, given, held)
        moves[move.target].append(move)
    new = {name: _filled(held[name], given, moves[name]) for name in moves}
    old = {name: held[name].detach().clone() for name in moves}
    restore = _restorer(held, old)
    try:
        with torch.no_grad():
            for name, value in new.items():
                held[name].copy_(value)
    except BaseException:
        restore()
        raise
    receipt = Receipt(plan_digest=plan.digest, tensors=account(plan))
    receipt._undo = restore
    return receipt


def check_copy(value: Tensor, into: Tensor, what: str) -> None:
    """Refuse a copy that would lose something, or hand on what is no number.

    Args:
        value: What would be copied.
        into: What it would be copied into.
        what: Names of both, for the message.

    Raises:
        TransferRefused: If the types do not hold each other's values, or one is NaN or infinite.
    """
    if torch.promote_types(value.dtype, into.dtype) != into.dtype:
        raise TransferRefused(
            f"cannot copy {what}: {value.dtype} into {into.dtype} would lose range or precision; "
            "convert one of them first"
        )
    if not torch.isfinite(value).all():
        raise TransferRefused(f"cannot copy {what}: it holds NaN or infinite weights")


def _check_names(move: Move, given: dict[str, Tensor], held: dict[str, Tensor]) -> None:
    """Refuse a move that speaks of tensors that are not there."""
    for name, shape, tensors in (
        (move.source, move.source_shape, given),
        (move.target, move.target_shape, held),
    ):
        actual = tuple(tensors[name].shape) if name in tensors else None
        if actual != shape:
            raise TransferRefused(
                f"the plan speaks of {name!r} {shape}, the network has "
                + ("no such tensor" if actual is None else f"{actual}")
            )


def _filled(target: Tensor, given: dict[str, Tensor], moves: list[Move]) -> Tensor:
    """Return what a target tensor shall hold, computed beside it."""
    value = target.detach().clone()
    for move in moves:
        taken = _box(given[move.source].detach(), move.take)
        check_copy(taken, value, f"{move.source!r} into {move.target!r}")
        _write(value, move.put, taken.to(value))
    return value


def _write(tensor: Tensor, positions: tuple[str, ...], values: Tensor) -> None:
    """Write values at the product of positions; all evenly spaced ones need no index."""
    chosen = [expand(text) for text in positions]
    if all(isinstance(one, range) for one in chosen):
        _box(tensor, positions).copy_(values)
    else:
        rank = tensor.ndim
        mesh = [
            torch.as_tensor(list(one), device=tensor.device).reshape(
                [-1 if axis == i else 1 for i in range(rank)]
            )
            for axis, one in enumerate(chosen)
        ]
        tensor[tuple(mesh)] = values


def _box(tensor: Tensor, positions: tuple[str, ...]) -> Tensor:
    """Return the elements at the product of positions, a view where they are evenly spaced."""
    for axis, text in enumerate(positions):
        chosen = expand(text)
        if isinstance(chosen, range):
            cut = slice(chosen.start, chosen.stop, chosen.step)
            tensor = tensor[(slice(None),) * axis + (cut,)]
        else:
            tensor = tensor.index_select(axis, torch.as_tensor(chosen, device=tensor.device))
    return tensor


def _restorer(held: dict[str, Tensor], old: dict[str, Tensor]) -> Callable[[], None]:
    """Return a function that writes the old values back."""

    def restore() -> None:
        with torch.no_grad():
            for name, value in old.items():
                held[name].copy_(value)

    return restore
