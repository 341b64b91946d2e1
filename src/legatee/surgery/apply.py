"""Apply a transfer plan: all of it or nothing, with a receipt that accounts for every element."""

from collections import defaultdict
from collections.abc import Callable

import torch
from torch import Tensor, nn

from legatee.errors import TransferRefused
from legatee.surgery.catalog import architecture_digest, state
from legatee.transfer import Move, Receipt, TransferPlan, account, expand


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
                f"{actual}); plan again for these two networks"
            )
    moves: dict[str, list[Move]] = defaultdict(list)
    for move in plan.moves:
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


def _filled(target: Tensor, given: dict[str, Tensor], moves: list[Move]) -> Tensor:
    """Return what a target tensor shall hold, computed beside it."""
    value = target.detach().clone()
    for move in moves:
        taken = _box(given[move.source].detach(), move.take)
        if torch.promote_types(taken.dtype, value.dtype) != value.dtype:
            raise TransferRefused(
                f"{move.source!r} is {taken.dtype} and {move.target!r} is {value.dtype}; that copy "
                "would lose range or precision: convert the target first"
            )
        if not torch.isfinite(taken).all():
            raise TransferRefused(
                f"{move.source!r} holds NaN or infinite weights; a network inherits only numbers"
            )
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
