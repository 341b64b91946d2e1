"""What was planned: a transfer as immutable data, without a single weight."""

from math import prod
from typing import ClassVar, Self

from pydantic import Field, model_validator

from legatee.document import Document
from legatee.errors import TransferError
from legatee.plans.check import PlanCheck
from legatee.plans.moves import Blend, Move, Untouched
from legatee.plans.options import PlanOptions
from legatee.plans.positions import apart
from legatee.plans.tree import Row, folded, unfolding
from legatee.text import share

__all__ = ["Blend", "Move", "TransferPlan", "Untouched"]


class TransferPlan(Document):
    """Which elements of a target network come from where: data only, made before any copy.

    A plan is immutable, can be compared with ``==``, and is the same after a trip through JSON.

    Attributes:
        source: The source network as it was named on the command line, such as
            ``"torchvision:resnet50@weights.safetensors"``, else its type.
        target: The target network, likewise.
        source_digest: A digest of the names, shapes and types of the source's tensors.
        target_digest: The same for the target.
        source_unused: Names of the source's tensors of which nothing is taken.
        source_ties: Further names of its tied tensors -> the name that moves have for the tensor.
        options: What the plan was asked for.
        entries: What is inherited and what is not, in the target's order; every tensor of the
            target is in one or more moves, or in one ``Untouched``.
        warnings: What should be known before the plan is applied.
        unsupported_elements: Inherited elements of layers that read channels of which none is
            inherited, so that they compute from noise [count].
        check: Whether inherited channels compute what they computed, by numbers; ``None`` if that
            was not asked for.
    """

    kind: ClassVar[str] = "a transfer plan"
    refusal = TransferError

    source: str = ""
    target: str = ""
    source_digest: str
    target_digest: str
    source_unused: tuple[str, ...] = ()
    source_ties: dict[str, str] = Field(default_factory=dict)
    options: PlanOptions = PlanOptions()
    entries: tuple[Move | Untouched, ...]
    warnings: tuple[str, ...] = ()
    unsupported_elements: int = Field(default=0, ge=0)
    check: PlanCheck | None = None

    @model_validator(mode="after")
    def _writes_once(self) -> Self:
        entries: dict[str, list[Move | Untouched]] = {}
        for entry in self.entries:
            entries.setdefault(entry.target, []).append(entry)
        for name, several in entries.items():
            if len(several) == 1:
                continue
            moves = [entry for entry in several if isinstance(entry, Move)]
            if len(moves) < len(several) or len({move.target_shape for move in moves}) > 1:
                raise ValueError(f"the entries of {name!r} contradict each other")
            if not apart([move.put for move in moves]):
                raise ValueError(f"two moves write the same elements of {name!r}")
        return self

    def __hash__(self) -> int:
        """Return a hash of everything that the plan says."""
        return hash(self.digest)

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
        """Share of the target's elements that would be set to zero, around padded kernels."""
        return sum(m.filled - m.inherited_elements for m in self.moves) / max(self.elements, 1)

    @property
    def headline(self) -> str:
        """How much is inherited by what from what, under which options, in one line."""
        zeros = f", {share(self.zeroed, 1)} set to zero" if self.zeroed else ""
        cloned = sum(move.copies for move in self.moves) / max(self.elements, 1)
        copies = f", {share(cloned, 1)} as copies of channels" if cloned else ""
        names = f", {self.target} from {self.source}" if self.source and self.target else ""
        inherited = sum(move.inherited_elements for move in self.moves)
        noise = share(self.unsupported_elements / max(inherited, 1), 1)
        reading = f", {noise} of these in layers that read nothing inherited"
        checked = "" if self.check is None else f"; {self.check.headline}"
        return (
            f"{share(self.inherited_fraction, 1)} of {self.elements:,} elements inherited"
            f"{reading if self.unsupported_elements else ''}{zeros}{copies} "
            f"(alpha {self.options.alpha:g}, rule {self.options.rule_name}){names}{checked}"
        )

    def __str__(self) -> str:
        """Return the headline, a tree of modules folded where neighbours are alike, and remarks."""
        tree = folded([_row(entry) for entry in self.entries])
        warnings = [f"warning: {warning}" for warning in self.warnings]
        checked = [] if self.check is None else [str(self.check)]
        return "\n".join([self.headline, *tree, *checked, *warnings])

    def __repr__(self) -> str:
        """Return one line, so that a plan does not flood a notebook."""
        return f"<TransferPlan {self.digest}: {self.headline}>"

    def _repr_html_(self) -> str:
        """Return the plan as a notebook shows it: the headline, open to the tree and warnings."""
        return unfolding(self.headline, str(self).partition("\n")[2])


def _row(entry: Move | Untouched) -> Row:
    """Return one entry as the printed tree shows it."""
    if isinstance(entry, Untouched):
        return Row(name=entry.target, size=prod(entry.shape), filled=0, note=entry.reason)
    how = "" if entry.blend is None else f"{entry.blend.how}"
    if entry.copies and not how:
        how = "copies"
    filled = entry.inherited_elements
    return Row(name=entry.target, source=entry.source, size=entry.size, filled=filled, note=how)
