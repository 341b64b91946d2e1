"""What was done: an account of every element of a target network, with the way back."""

from collections.abc import Callable
from math import prod
from typing import ClassVar, Self

from pydantic import PrivateAttr

from legatee.document import Document, Record
from legatee.errors import TransferError
from legatee.plans.moves import Move
from legatee.plans.plan import TransferPlan
from legatee.plans.tree import Row, folded, unfolding
from legatee.text import share


class TensorAccount(Record):
    """What became of one tensor of the target.

    Attributes:
        target: Its name.
        shape: Its shape [count per axis].
        sources: The source tensors it inherited from, none if untouched.
        inherited_elements: Elements that come from the source [count].
        zeroed: Elements set to zero, around a smaller kernel [count].
        untouched: Elements left as they were [count].
    """

    target: str
    shape: tuple[int, ...]
    sources: tuple[str, ...]
    inherited_elements: int
    zeroed: int = 0
    untouched: int

    @property
    def size(self) -> int:
        """Elements of the tensor [count]."""
        return self.inherited_elements + self.zeroed + self.untouched


class Receipt(Document):
    """What applying a plan did, for every element of the target.

    Attributes:
        plan_digest: The plan that was applied.
        tensors: One account for each tensor of the target.
    """

    kind: ClassVar[str] = "a receipt"
    refusal = TransferError

    plan_digest: str
    tensors: tuple[TensorAccount, ...]
    _undo: Callable[[], None] | None = PrivateAttr(default=None)

    @classmethod
    def of(cls, plan: TransferPlan, undo: Callable[[], None] | None = None) -> Self:
        """Return the receipt of a plan that was applied.

        Args:
            plan: The plan.
            undo: A function that puts the target back as it was, if there is one.

        Returns:
            The receipt.
        """
        receipt = cls(plan_digest=plan.digest, tensors=account(plan))
        receipt._undo = undo
        return receipt

    @property
    def elements(self) -> int:
        """Elements of the target [count]."""
        return sum(account.size for account in self.tensors)

    @property
    def inherited_fraction(self) -> float:
        """Share of the target's elements that was inherited [fraction, 0..1]."""
        return sum(account.inherited_elements for account in self.tensors) / max(self.elements, 1)

    @property
    def missing(self) -> tuple[str, ...]:
        """Names of the target's tensors that inherited nothing, as in ``load_state_dict``."""
        return tuple(account.target for account in self.tensors if not account.sources)

    @property
    def headline(self) -> str:
        """How much was inherited, in one line."""
        zeroed = sum(account.zeroed for account in self.tensors) / max(self.elements, 1)
        zeros = f", {share(zeroed, 1)} set to zero" if zeroed else ""
        inherited = len(self.tensors) - len(self.missing)
        return (
            f"{share(self.inherited_fraction, 1)} of {self.elements:,} elements inherited{zeros}, "
            f"in {inherited} of {len(self.tensors)} tensors"
        )

    def __str__(self) -> str:
        """Return the headline, and a tree of modules folded where neighbours are alike."""
        return "\n".join([self.headline, *folded([_row(account) for account in self.tensors])])

    def __repr__(self) -> str:
        """Return one line, so that a receipt does not flood a notebook."""
        return f"<Receipt of plan {self.plan_digest}: {self.headline}>"

    def _repr_html_(self) -> str:
        """Return the receipt as a notebook shows it: the headline, open to the tree."""
        return unfolding(self.headline, str(self).partition("\n")[2])

    def undo(self) -> None:
        """Restore the target to what it was before, bit for bit; in the same process, and once.

        Raises:
            TransferError: If this receipt was read from a file or is already undone.
        """
        if self._undo is None:
            raise TransferError(
                "nothing to undo: this receipt is already undone, or was read from a file"
            )
        restore, self._undo = self._undo, None
        restore()


def _row(account: TensorAccount) -> Row:
    """Return one tensor as the printed tree shows it."""
    filled, source = account.inherited_elements, " and ".join(dict.fromkeys(account.sources))
    return Row(name=account.target, source=source, size=account.size, filled=filled)


def account(plan: TransferPlan) -> tuple[TensorAccount, ...]:
    """Return what applying ``plan`` leaves of every tensor of the target.

    Args:
        plan: The plan that is applied.

    Returns:
        One account for each tensor of the target, in its order.
    """
    moves: dict[str, list[Move]] = {}
    for move in plan.moves:
        moves.setdefault(move.target, []).append(move)
    return tuple(
        TensorAccount(
            target=name,
            shape=shape,
            sources=tuple(move.source for move in moves.get(name, ())),
            inherited_elements=(
                inherited := sum(move.inherited_elements for move in moves.get(name, ()))
            ),
            zeroed=(filled := sum(move.filled for move in moves.get(name, ()))) - inherited,
            untouched=prod(shape) - filled,
        )
        for name, shape in plan.shapes.items()
    )
