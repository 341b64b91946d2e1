"""What was planned: a transfer as immutable data, without a single weight."""

from math import prod
from typing import ClassVar, Self

from pydantic import Field, model_validator

from legatee.document import Document
from legatee.errors import TransferError
from legatee.plans.moves import Blend, Move, Untouched
from legatee.plans.options import PlanOptions
from legatee.plans.positions import disjoint, runs
from legatee.plans.tree import Row, folded
from legatee.text import share

__all__ = ["Blend", "Move", "TransferPlan", "Untouched"]


class TransferPlan(Document):
    """Which elements of a target network come from where: data only, made before any copy.

    Two plans are equal when they would do the same; a plan survives a trip through JSON.

    Attributes:
        source: What the caller calls the source network, such as
            ``"torchvision:resnet50@weights.safetensors"``, or the type of the network.
        target: What the caller calls the target network.
        source_digest: Names, shapes and types of the source's tensors, digested.
        target_digest: The same of the target's.
        options: What was asked for.
        entries: What is inherited and what is not, in the target's order; every tensor of the
            target is in one move or more, or in one ``Untouched``.
        warnings: What a careful reader should know before applying it.
        unsupported_elements: Inherited elements of layers that read channels of which none is
            inherited, so that they compute from noise [count].
    """

    kind: ClassVar[str] = "a transfer plan"
    refusal = TransferError

    source: str = ""
    target: str = ""
    source_digest: str
    target_digest: str
    options: PlanOptions = PlanOptions()
    entries: tuple[Move | Untouched, ...]
    warnings: tuple[str, ...] = ()
    unsupported_elements: int = Field(default=0, ge=0)

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
    def inherited_fraction(self) -> float:
        """Share of the target's elements that would be inherited [fraction, 0..1]."""
        return sum(m.inherited_elements for m in self.moves) / max(self.elements, 1)

    @property
    def zeroed(self) -> float:
        """Share of the target's elements that would be set to zero, around smaller kernels."""
        return sum(m.filled - m.inherited_elements for m in self.moves) / max(self.elements, 1)

    def __str__(self) -> str:
        """Return the share, and a tree of modules folded where neighbours are alike."""
        zeros = f", {share(self.zeroed, 1)} set to zero" if self.zeroed else ""
        inherited = sum(move.inherited_elements for move in self.moves)
        noise = share(self.unsupported_elements / max(inherited, 1), 1)
        reading = (
            f", {noise} of these in layers that read nothing inherited"
            if self.unsupported_elements
            else ""
        )
        head = (
            f"{share(self.inherited_fraction, 1)} of {self.elements:,} elements inherited{reading}"
            f"{zeros} "
            f"(alpha {self.options.alpha:g}, rule {self.options.rule_name})"
        )
        tree = folded([_row(entry) for entry in self.entries])
        return "\n".join([head, *tree, *(f"warning: {warning}" for warning in self.warnings)])


def _row(entry: Move | Untouched) -> Row:
    """Return one entry as the printed tree shows it."""
    if isinstance(entry, Untouched):
        return Row(name=entry.target, size=prod(entry.shape), filled=0, note=entry.reason)
    how = "" if entry.blend is None else f"{entry.blend.how}"
    filled = entry.inherited_elements
    return Row(name=entry.target, source=entry.source, size=entry.size, filled=filled, note=how)
