"""What was planned and what was done: a transfer as immutable data, without a single weight."""

from collections.abc import Callable
from hashlib import sha256
from math import prod
from typing import ClassVar, Literal, Self

from pydantic import Field, PrivateAttr, model_validator

from legatee.document import Document, Record
from legatee.errors import TransferRefused
from legatee.plans.moves import Blend, Move, Untouched
from legatee.plans.positions import disjoint, runs
from legatee.plans.tree import Row, folded
from legatee.text import share

__all__ = ["Blend", "Move", "Receipt", "TensorAccount", "TransferPlan", "Untouched", "account"]


class TransferPlan(Document):
    """Which elements of a target network come from where: data only, made before any copy.

    Two plans are equal when they would do the same; a plan survives a trip through JSON.

    Attributes:
        source_digest: Names, shapes and types of the source's tensors, digested.
        target_digest: The same of the target's.
        alpha: Share of each group of channels that was asked for [fraction, 0..1].
        rule: Selection rule that picked the channels.
        seed: Seed of that rule, where it draws.
        entries: What is inherited and what is not, in the target's order; every tensor of the
            target is in one move or more, or in one ``Untouched``.
        warnings: What a careful reader should know before applying it.
    """

    kind: ClassVar[str] = "a transfer plan"
    refusal = TransferRefused

    format: Literal[1] = 1
    source_digest: str
    target_digest: str
    alpha: float = Field(ge=0, le=1)
    rule: str
    seed: int
    entries: tuple[Move | Untouched, ...]
    warnings: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _writes_once(self) -> Self:
        seen: dict[str, list[Move | Untouched]] = {}
        for entry in self.entries:
            for other in seen.setdefault(entry.target, []):
                if not (
                    isinstance(entry, Move)
                    and isinstance(other, Move)
                    and entry.target_shape == other.target_shape
                    and any(
                        disjoint([*runs(a), *runs(b)])
                        for a, b in zip(entry.put, other.put, strict=True)
                    )
                ):
                    raise ValueError(f"elements of {entry.target!r} are spoken of twice")
            seen[entry.target].append(entry)
        return self

    @property
    def moves(self) -> tuple[Move, ...]:
        """What is inherited, in the target's order."""
        return tuple(entry for entry in self.entries if isinstance(entry, Move))

    @property
    def untouched(self) -> tuple[Untouched, ...]:
        """What is not inherited, in the target's order."""
        return tuple(entry for entry in self.entries if isinstance(entry, Untouched))

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Shape of every tensor of the target, in its order [count per axis]."""
        return {
            entry.target: entry.target_shape if isinstance(entry, Move) else entry.shape
            for entry in self.entries
        }

    @property
    def elements(self) -> int:
        """Elements of the target, parameters and buffers [count]."""
        return sum(prod(shape) for shape in self.shapes.values())

    @property
    def inherited(self) -> float:
        """Share of the target's elements that would be inherited [fraction, 0..1]."""
        return sum(m.inherited for m in self.moves) / max(self.elements, 1)

    @property
    def zeroed(self) -> float:
        """Share of the target's elements that would be set to zero, around smaller kernels."""
        return sum(m.filled - m.inherited for m in self.moves) / max(self.elements, 1)

    @property
    def digest(self) -> str:
        """A short name for exactly this plan."""
        return sha256(self.to_json().encode()).hexdigest()[:16]

    def __str__(self) -> str:
        """Return the share, and a tree of modules folded where neighbours are alike."""
        zeros = f", {share(self.zeroed, 1)} set to zero" if self.zeroed else ""
        head = (
            f"{share(self.inherited, 1)} of {self.elements:,} elements inherited{zeros} "
            f"(alpha {self.alpha:g}, rule {self.rule})"
        )
        tree = folded([_row(entry) for entry in self.entries])
        return "\n".join([head, *tree, *(f"warning: {warning}" for warning in self.warnings)])


def _row(entry: Move | Untouched) -> Row:
    """Return one entry as the printed tree shows it."""
    if isinstance(entry, Untouched):
        return Row(name=entry.target, size=prod(entry.shape), filled=0, note=entry.reason)
    how = "" if entry.blend is None else f"{entry.blend.how}"
    filled = entry.inherited
    return Row(name=entry.target, source=entry.source, size=entry.size, filled=filled, note=how)


class TensorAccount(Record):
    """What became of one tensor of the target.

    Attributes:
        target: Its name.
        shape: Its shape [count per axis].
        sources: The source tensors it inherited from, none if untouched.
        inherited: Elements that come from the source [count].
        zeroed: Elements set to zero, around a smaller kernel [count].
        untouched: Elements left as they were [count].
    """

    target: str
    shape: tuple[int, ...]
    sources: tuple[str, ...]
    inherited: int
    zeroed: int = 0
    untouched: int

    @property
    def size(self) -> int:
        """Elements of the tensor [count]."""
        return self.inherited + self.zeroed + self.untouched


class Receipt(Record):
    """What applying a plan did, for every element of the target.

    Attributes:
        plan_digest: The plan that was applied.
        tensors: One account for each tensor of the target.
    """

    plan_digest: str
    tensors: tuple[TensorAccount, ...]
    _undo: Callable[[], None] | None = PrivateAttr(default=None)

    @property
    def elements(self) -> int:
        """Elements of the target [count]."""
        return sum(account.size for account in self.tensors)

    @property
    def inherited(self) -> float:
        """Share of the target's elements that was inherited [fraction, 0..1]."""
        return sum(account.inherited for account in self.tensors) / max(self.elements, 1)

    def to_json(self) -> str:
        """Return the receipt as JSON text."""
        return self.model_dump_json(indent=1)

    def undo(self) -> None:
        """Put the target back as it was before, bit for bit; only where it was applied, and once.

        Raises:
            TransferRefused: If this receipt was read from a file or already undone.
        """
        if self._undo is None:
            raise TransferRefused("nothing to undo: this receipt was undone, or read from a file")
        restore, self._undo = self._undo, None
        restore()


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
            inherited=(inherited := sum(move.inherited for move in moves.get(name, ()))),
            zeroed=(filled := sum(move.filled for move in moves.get(name, ()))) - inherited,
            untouched=prod(shape) - filled,
        )
        for name, shape in plan.shapes.items()
    )
