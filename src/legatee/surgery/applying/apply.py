"""Apply a transfer plan: all of it or nothing, with a receipt that accounts for every element."""

from collections import ChainMap, defaultdict
from collections.abc import Iterator, Mapping
from itertools import pairwise

from torch import Tensor, nn

from legatee.errors import TransferError
from legatee.plans.plan import Move, TransferPlan
from legatee.plans.receipt import Receipt
from legatee.surgery.applying.blend import blended
from legatee.surgery.applying.casts import Allowed, check_types, check_values, is_finite
from legatee.surgery.applying.elements import copy, take, write
from legatee.surgery.applying.rollback import all_or_nothing
from legatee.surgery.network.catalog import architecture_digest, state


def inherit(
    plan: TransferPlan,
    source: nn.Module | Mapping[str, Tensor],
    target: nn.Module,
    *,
    allow_rounding: bool = False,
    allow_nonfinite: bool = False,
) -> Receipt:
    """Copy into ``target``, in place, what ``plan`` says it inherits from ``source``.

    Whatever can be told from names, shapes and types is checked before the first element is
    written. If anything fails later on, a number that may not pass, an interrupt, every element
    is put back: the target is bit for bit what it was.

    Args:
        plan: Made by :func:`legatee.plan` for networks of these two architectures.
        source: Upstream network, or its state; only read.
        target: Downstream network. Its parameters stay the same objects in the same memory, so
            optimisers, ties and memory formats are as before.
        allow_rounding: Whether floating-point numbers may pass into a narrower type.
        allow_nonfinite: Whether NaN and infinities may pass, those that a narrower type makes of
            numbers beyond its range too.

    Returns:
        An account of every element, with ``undo()``, which costs a copy of what was overwritten
        for as long as the receipt is kept.

    Raises:
        TransferError: If the plan was made for another architecture or is empty, a weight of
            the source is NaN or infinite, or a copy would lose precision or range.

    Example:
        >>> from legatee.surgery.planning.plan import plan
        >>> wide = nn.Sequential(nn.Linear(3, 8), nn.ReLU(), nn.Linear(8, 2))
        >>> slim = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2))
        >>> receipt = inherit(plan(wide, slim), wide, slim)
        >>> bool((slim[0].weight == wide[0].weight[::2]).all()), f"{receipt.inherited_fraction:.2f}"
        (True, '0.62')
    """
    transfer = Transfer(
        plan, source, target, Allowed(rounding=allow_rounding, nonfinite=allow_nonfinite)
    )
    with all_or_nothing(transfer.held[name] for name in transfer.moves) as restore:
        for name in transfer.moves:
            transfer.fill(name, transfer.held[name])
    return Receipt.of(plan, undo=restore)


class Transfer(Mapping[str, Tensor]):
    """The target's state as it would be with everything inherited, one tensor at a time.

    Nothing is computed before a tensor is asked for, and nothing of the target is changed: to
    write a network that inherited to a file, no more memory is needed than for its largest tensor.

    Args:
        plan: Made for networks of these two architectures.
        source: Upstream network, or its state.
        target: Downstream network.
        allowed: What copies may do to values.

    Raises:
        TransferError: If the plan does not fit the networks.
    """

    def __init__(
        self,
        plan: TransferPlan,
        source: nn.Module | Mapping[str, Tensor],
        target: nn.Module,
        allowed: Allowed,
    ):
        self.held = state(target)
        self.moves: dict[str, list[Move]] = defaultdict(list)
        for move in plan.moves:
            self.moves[move.target].append(move)
        given = source if isinstance(source, Mapping) else state(source)
        if isinstance(given, dict):
            given = _untied(given)
        _check_made_for(plan, given, self.held)
        _check_memory(self.held, set(self.moves))
        for move in plan.moves:
            named = f"{move.source!r} into {move.target!r}"
            value, into = given[move.source], self.held[move.target]
            if value.is_meta or into.is_meta:
                raise TransferError(
                    f"cannot copy {named}: on the meta device there are shapes but no weights; "
                    "give both networks their weights first"
                )
            check_types(value.dtype, into.dtype, named, allowed)
        self._given = _apart(given, self.held, {move.source for move in plan.moves})
        self._allowed = allowed

    def __iter__(self) -> Iterator[str]:
        return iter(self.held)

    def __len__(self) -> int:
        return len(self.held)

    def __getitem__(self, name: str) -> Tensor:
        value = self.held[name].detach()
        return self.fill(name, value.clone()) if name in self.moves else value

    def fill(self, name: str, value: Tensor) -> Tensor:
        """Write into a tensor what the plan says that it inherits.

        Args:
            name: Its name in the target.
            value: What it held so far; changed in place, even if this fails.

        Returns:
            The same tensor.

        Raises:
            TransferError: If a value may not pass.
        """
        moves = self.moves[name]
        plain = True  # so far, what was written is known to be what was taken
        for move in moves:
            source = self._given[move.source].detach()
            plain = plain and source.dtype == value.dtype
            if move.blend is None:
                copy(value, move.put, source, move.take)
            else:
                write(value, move.put, blended(take(source, move.take), move))
        if not (plain and is_finite(value)):  # what the target held before may be anything
            for move in moves:
                taken = blended(take(self._given[move.source].detach(), move.take), move)
                named = f"{move.source!r} into {move.target!r}"
                check_values(take(value, move.put), taken, named, self._allowed)
        return value


def _check_made_for(
    plan: TransferPlan, given: Mapping[str, Tensor], held: Mapping[str, Tensor]
) -> None:
    """Refuse networks that the plan was not made for, and a plan that does nothing unasked."""
    if not plan.moves and plan.options.alpha > 0:
        reasons = "; ".join(f"{rest.target}: {rest.reason}" for rest in plan.untouched[:3])
        raise TransferError(f"nothing would be inherited ({reasons or 'the plan is empty'})")
    wanted = {move.source: move.source_shape for move in plan.moves}
    for which, digest, tensors, first in (
        ("source", plan.source_digest, given, _difference(wanted, given, whole=False)),
        ("target", plan.target_digest, held, _difference(plan.shapes, held, whole=True)),
    ):
        actual = architecture_digest(tensors)
        if first or actual != digest:
            raise TransferError(
                f"the plan was made for another {which} (architecture {digest}, this one is "
                f"{actual}: {first or 'other number types, or tensors that the plan leaves out'})"
                "; plan again, or build the network that it was made for"
            )


def _difference(
    planned: Mapping[str, tuple[int, ...]], actual: Mapping[str, Tensor], *, whole: bool
) -> str:
    """Name the first tensor that is not as planned, or return nothing."""
    for name, shape in planned.items():
        if name not in actual:
            return f"it has no {name!r}"
        if (found := tuple(actual[name].shape)) != shape:
            return f"{name!r} is {found}, planned for {shape}"
    unplanned = [name for name in actual if name not in planned] if whole else []
    return f"the plan does not account for {unplanned[0]!r}" if unplanned else ""


def _check_memory(held: Mapping[str, Tensor], written: set[str]) -> None:
    """Refuse to write to tensors that lie in the same memory without being one tensor."""
    spans = sorted(
        (value.data_ptr(), value.data_ptr() + value.nbytes, name)
        for name, value in held.items()
        if value.nbytes and not value.is_meta
    )
    for (_, end, one), (start, _, other) in pairwise(spans):
        if start < end and {one, other} & written:
            raise TransferError(
                f"{one!r} and {other!r} of the target share memory without being one parameter; "
                "make them one, or give each its own"
            )


def _untied(given: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return a state without the second names of tied tensors, as a network's own state is."""
    first: dict[object, str] = {}
    for name, value in given.items():
        place = (value.data_ptr(), value.shape, value.stride()) if value.data_ptr() else name
        first.setdefault(place, name)
    return given if len(first) == len(given) else {name: given[name] for name in first.values()}


def _apart(
    given: Mapping[str, Tensor], held: Mapping[str, Tensor], needed: set[str]
) -> Mapping[str, Tensor]:
    """Return the source's tensors, copies of those that lie in memory of the target."""
    mine = {value.untyped_storage().data_ptr() for value in held.values()}
    shared = [name for name in needed if given[name].untyped_storage().data_ptr() in mine]
    return ChainMap({name: given[name].detach().clone() for name in shared}, given)  # type: ignore[arg-type]
