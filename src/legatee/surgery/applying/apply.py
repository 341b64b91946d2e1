"""Apply a transfer plan: all of it or nothing, with a receipt for every element."""

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
from legatee.surgery.applying.given import Given
from legatee.surgery.applying.rollback import all_or_nothing
from legatee.surgery.network.state import architecture_digest, state


def inherit(
    plan: TransferPlan,
    source: nn.Module | Mapping[str, Tensor],
    target: nn.Module,
    *,
    allow_rounding: bool = False,
    allow_nonfinite: bool = False,
) -> Receipt:
    """Copy into ``target``, in place, what ``plan`` says it inherits from ``source``.

    Names, shapes and types are checked before the first element is written. If anything fails
    after that, such as a NaN that may not be copied or an interrupt, every element is restored:
    the target is bit for bit as it was.

    Args:
        plan: Made by :func:`legatee.plan` for networks of these two architectures.
        source: Upstream network, or its state, such as a file of weights holds; only read. A state
            may hold more than the plan takes, and a prefix before all of its names.
        target: Downstream network. Its parameters remain the same objects in the same memory, so
            optimisers, tied parameters and memory formats are not affected.
        allow_rounding: Whether floating-point values may be rounded to a narrower type.
        allow_nonfinite: Whether NaN and infinite values may be copied, including values that
            become infinite because they are beyond the range of a narrower type.

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
    with all_or_nothing(transfer.target[name] for name in transfer.moves) as restore:
        for name in transfer.moves:
            transfer.fill(name, transfer.target[name])
    return Receipt.of(plan, undo=restore)


class Transfer(Mapping[str, Tensor]):
    """The target's state dict after the transfer, computed one tensor at a time.

    A tensor is computed when it is asked for, and the target is not changed: writing the result to
    a file needs no more memory than its largest tensor.

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
        self.target = state(target)
        self.moves: dict[str, list[Move]] = defaultdict(list)
        for move in plan.moves:
            self.moves[move.target].append(move)
        _check_inherits(plan)
        tensors, difference = source_tensors(plan, source)
        _check_made_for(plan, tensors, self.target, difference)
        _check_memory(self.target, set(self.moves))
        for move in plan.moves:
            named = f"{move.source!r} into {move.target!r}"
            value, into = tensors[move.source], self.target[move.target]
            if value.is_meta or into.is_meta:
                raise TransferError(
                    f"cannot copy {named}: on the meta device a tensor has a shape but no values; "
                    "load weights into both networks first"
                )
            check_types(value.dtype, into.dtype, named, allowed)
        self._source = _apart(tensors, self.target, {move.source for move in plan.moves})
        self._allowed = allowed

    def __iter__(self) -> Iterator[str]:
        return iter(self.target)

    def __len__(self) -> int:
        return len(self.target)

    def __getitem__(self, name: str) -> Tensor:
        value = self.target[name].detach()
        return self.fill(name, value.clone()) if name in self.moves else value

    def fill(self, name: str, value: Tensor) -> Tensor:
        """Copy into a tensor of the target what it inherits.

        Args:
            name: Its name in the target.
            value: Its values so far; changed in place, even if this fails.

        Returns:
            The same tensor.

        Raises:
            TransferError: If a value may not be copied.
        """
        moves = self.moves[name]
        plain = True  # as long as the types are equal, the values are as well
        for move in moves:
            source = self._source[move.source].detach()
            plain = plain and source.dtype == value.dtype
            if move.blend is None:
                copy(value, move.put, source, move.take)
            else:
                write(value, move.put, blended(take(source, move.take), move))
        if not (plain and is_finite(value)):  # the target's own values may be NaN
            for move in moves:
                taken = blended(take(self._source[move.source].detach(), move.take), move)
                named = f"{move.source!r} into {move.target!r}"
                check_values(take(value, move.put), taken, named, self._allowed)
        return value


def _check_inherits(plan: TransferPlan) -> None:
    """Refuse a plan that copies nothing unasked."""
    if not plan.moves and plan.options.alpha > 0:
        reasons = "; ".join(f"{rest.target}: {rest.reason}" for rest in plan.untouched[:3])
        raise TransferError(
            f"nothing would be inherited ({reasons or 'the plan is empty'}); make another plan, "
            "for example with match= (--match)"
        )


def source_tensors(
    plan: TransferPlan, source: nn.Module | Mapping[str, Tensor]
) -> tuple[Mapping[str, Tensor], str]:
    """Return the tensors of a source by the names in a plan, and how they differ from the plan's.

    A network must have the architecture that the plan was made for. Of a state only the tensors
    that the plan takes are needed: it may have a prefix before all names, others beside them, and
    other types.

    Args:
        plan: The plan.
        source: The network, or its state.

    Returns:
        Tensors by name, and a clause on the first difference, which is empty if there is none.
    """
    used = {move.source: move.source_shape for move in plan.moves}
    if isinstance(source, Mapping):
        names = [*used, *plan.source_unused]
        given = Given.of(source, names, plan.source_ties, "the state of the source")
        difference = _difference(used, given, whole=False)
        if not difference and given.foreign:
            difference = f"it has the tensor {given.foreign[0]!r}, which that source does not have"
        return given, difference
    tensors = state(source)
    difference = _difference(used, tensors, whole=False)
    if not difference and architecture_digest(tensors) != plan.source_digest:
        difference = "its tensors differ in their types, or those that the plan does not use do"
    return tensors, difference


def _check_made_for(
    plan: TransferPlan, tensors: Mapping[str, Tensor], target: Mapping[str, Tensor], difference: str
) -> None:
    """Refuse a source that differs from the plan's, and a target that does."""
    side = "source"
    if not difference:
        side, difference = "target", _difference(plan.shapes, target, whole=True)
        if not difference and architecture_digest(target) != plan.target_digest:
            difference = "its tensors differ in their types"
    if not difference:
        return
    digests = architecture_digest(tensors), architecture_digest(target)
    if digests == (plan.target_digest, plan.source_digest):
        raise TransferError(
            "source and target are swapped: the plan was made for this target as its source and "
            "this source as its target; write inherit(plan, source, target), or legatee inherit "
            "PLAN SOURCE TARGET"
        )
    raise TransferError(
        f"the plan was made for another {side}: {difference}; make a plan for this {side}, or give "
        f"the {side} that the plan was made for"
    )


def _difference(
    planned: Mapping[str, tuple[int, ...]], actual: Mapping[str, Tensor], *, whole: bool
) -> str:
    """Name the first tensor that is not as planned, or return nothing."""
    for name, shape in planned.items():
        if name not in actual:
            return f"it has no tensor {name!r}"
        if (actual_shape := tuple(actual[name].shape)) != shape:
            return f"{name!r} has shape {actual_shape}, and the plan expects {shape}"
    unplanned = [name for name in actual if name not in planned] if whole else []
    return f"the plan does not account for its tensor {unplanned[0]!r}" if unplanned else ""


def _check_memory(target: Mapping[str, Tensor], written: set[str]) -> None:
    """Refuse to write to tensors that overlap in memory without being one parameter."""
    spans = sorted(
        (value.data_ptr(), value.data_ptr() + value.nbytes, name)
        for name, value in target.items()
        if value.nbytes and not value.is_meta
    )
    for (_, end, name), (start, _, next_name) in pairwise(spans):
        if start < end and {name, next_name} & written:
            raise TransferError(
                f"{name!r} and {next_name!r} of the target share memory without being one "
                "parameter; tie them, or give each memory of its own"
            )


def _apart(
    source: Mapping[str, Tensor], target: Mapping[str, Tensor], needed: set[str]
) -> Mapping[str, Tensor]:
    """Return the source's tensors, with copies of those that share memory with the target."""
    written = {value.untyped_storage().data_ptr() for value in target.values()}
    shared = [name for name in needed if source[name].untyped_storage().data_ptr() in written]
    copies = {name: source[name].detach().clone() for name in shared}
    return ChainMap(copies, source)  # type: ignore[arg-type]
