"""What a transfer does to single tensors: elements that move, and tensors that inherit nothing."""

from functools import cached_property, lru_cache
from math import isqrt, prod
from typing import Annotated, Literal, Self

from pydantic import Field, NonNegativeInt, model_validator

from legatee.document import Record
from legatee.plans.positions import disjoint, runs

Name = Annotated[str, Field(pattern=r"^[^.]*(\.[^.]*){0,99}$")]  # deeper modules exist in attacks
Shape = tuple[NonNegativeInt, ...]


class Blend(Record):
    """One axis whose filled positions are computed from all positions taken, by a named rule.

    Attributes:
        axis: The axis, whose positions are taken and filled whole.
        how: ``"bicubic"`` resizes a square grid of positions, as timm does for position embeddings;
            ``"sum"`` adds input channels up to one; ``"cycle"`` repeats them in turn, scaled so
            that their sum stays (timm's rule for a first convolution); ``"pad"`` lays a kernel into
            the middle of a larger one, zeros around, along this axis and all behind it.
        lead: Positions before the grid that are copied as they are, such as a class token.
    """

    axis: int = Field(ge=0)
    how: Literal["bicubic", "sum", "cycle", "pad"]
    lead: int = Field(default=0, ge=0)

    def covers(self, axis: int) -> bool:
        """Tell whether positions along an axis are computed.

        Args:
            axis: The axis.

        Returns:
            Whether they are.
        """
        return axis >= self.axis if self.how == "pad" else axis == self.axis

    def makes(self, taken: int, filled: int) -> bool:
        """Tell whether so many positions can be computed from so many.

        Args:
            taken: Positions taken along an axis [count].
            filled: Positions filled along it [count].

        Returns:
            Whether the rule makes the one of the other.
        """
        if min(taken, filled) < 1:
            return False
        if self.how == "bicubic":
            grids = taken - self.lead, filled - self.lead
            return all(grid > 0 and isqrt(grid) ** 2 == grid for grid in grids)
        if self.how == "pad":
            return filled >= taken and (filled - taken) % 2 == 0
        return self.how == "cycle" or filled == 1


class Move(Record):
    """Elements that one tensor of the target takes from one tensor of the source.

    Along each axis, position ``put[axis][i]`` of the target takes position ``take[axis][i]`` of
    the source; together they make a box of elements. A target tensor may be filled by several
    moves, whose boxes never overlap. Along the axes of a ``blend``, if there is one, all that is
    filled is computed from all that is taken, and their numbers differ.

    Attributes:
        source: Name of the source tensor.
        target: Name of the target tensor.
        source_shape: Its shape [count per axis].
        target_shape: Its shape [count per axis].
        take: Positions taken, per axis, as :func:`~legatee.plans.positions.compress` writes them.
        put: Positions filled, per axis, likewise; none twice.
        blend: How one axis is computed rather than copied; ``None`` for a plain copy.

    Raises:
        ValueError: If the positions do not fit the shapes or one another.
    """

    source: Name
    target: Name
    source_shape: Shape
    target_shape: Shape
    take: tuple[str, ...]
    put: tuple[str, ...]
    blend: Blend | None = None

    @model_validator(mode="after")
    def _fits(self) -> Self:
        axes = (self.take, self.put, self.source_shape, self.target_shape)
        if len({len(axis) for axis in axes}) > 1:
            raise ValueError(f"the move to {self.target!r} has axes of different number")
        if self.blend is not None and self.blend.axis >= len(self.take):
            raise ValueError(f"the move to {self.target!r} computes an axis that is not there")
        for axis, (take, put, long, wide) in enumerate(zip(*axes, strict=True)):
            (taken, last_taken, _), (filled, last_filled, once) = _extent(take), _extent(put)
            blend = self.blend if self.blend is not None and self.blend.covers(axis) else None
            right = taken == filled if blend is None else blend.makes(taken, filled)
            if not once or not right:
                raise ValueError(f"the move to {self.target!r} does not take one for each it fills")
            if last_taken >= long or last_filled >= wide:
                raise ValueError(f"the move to {self.target!r} leaves the tensors' shapes")
        return self

    @property
    def size(self) -> int:
        """Elements of the target tensor [count]."""
        return prod(self.target_shape)

    @property
    def counts(self) -> tuple[tuple[int, int], ...]:
        """Positions taken and positions filled, per axis [count]."""
        return tuple(
            (_extent(take)[0], _extent(put)[0])
            for take, put in zip(self.take, self.put, strict=True)
        )

    @cached_property
    def filled(self) -> int:
        """Elements of the target tensor that this move writes [count]."""
        return prod(_extent(text)[0] for text in self.put)

    @cached_property
    def inherited_elements(self) -> int:
        """Elements of the target tensor that come from the source: all but a kernel's margin."""
        if self.blend is None or self.blend.how != "pad":
            return self.filled
        return prod(min(pair) for pair in self.counts)


class Untouched(Record):
    """A tensor of the target that inherits nothing, and why.

    Attributes:
        target: Name of the target tensor.
        shape: Its shape [count per axis].
        reason: Why nothing is inherited, in a few words.
    """

    target: Name
    shape: Shape
    reason: str


@lru_cache(maxsize=4096)
def _extent(text: str) -> tuple[int, int, bool]:
    """Return how many positions there are, the highest (-1 for none), and if all differ."""
    found = runs(text)
    last = max((run[-1] for run in found), default=-1)
    return sum(len(run) for run in found), last, disjoint(found)
