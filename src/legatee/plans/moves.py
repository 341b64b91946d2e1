"""What a transfer does to single tensors: elements that are copied, and tensors left untouched."""

from functools import cached_property, lru_cache
from math import isqrt, prod
from typing import Annotated, Literal, Self

import numpy as np
from pydantic import Field, NonNegativeInt, model_validator

from legatee.document import Record
from legatee.plans.positions import disjoint, expand, runs

Name = Annotated[str, Field(pattern=r"^[^.]*(\.[^.]*){0,99}$")]  # deeper modules exist in attacks
Shape = tuple[NonNegativeInt, ...]
Index = tuple[slice | np.ndarray, ...]


class Blend(Record):
    """One axis along which values are computed rather than copied, by a named rule.

    Attributes:
        axis: The axis; all positions are read and all are written.
        how: ``"bicubic"`` resizes a square grid of position embeddings, as timm does; ``"sum"``
            adds up all input channels to one; ``"cycle"`` repeats the input channels in turn,
            scaled so that their sum is unchanged (timm's rule for a first convolution); ``"pad"``
            places a kernel in the middle of a larger one, surrounded by zeros, along this axis and
            all later ones; ``"divide"`` divides the values at a position that is taken several
            times among its copies, so that sums along the axis are unchanged (Net2Net).
        lead: Positions before the grid that are copied as they are, such as a class token.
        uneven: How unevenly ``"divide"`` divides: of two copies, one has this share more than half
            of the value, relative to it, and the other less; 0 for equal shares [fraction, 0..1).
    """

    axis: int = Field(ge=0)
    how: Literal["bicubic", "sum", "cycle", "pad", "divide"]
    lead: int = Field(default=0, ge=0)
    uneven: float = Field(default=0.0, ge=0, lt=1)

    def covers(self, axis: int) -> bool:
        """Tell whether positions along an axis are computed.

        Args:
            axis: The axis.

        Returns:
            Whether they are.
        """
        return axis >= self.axis if self.how == "pad" else axis == self.axis

    def makes(self, taken: int, filled: int) -> bool:
        """Tell whether the rule can compute ``filled`` positions from ``taken`` ones.

        Args:
            taken: Positions read along an axis [count].
            filled: Positions written along it [count].

        Returns:
            Whether it can.
        """
        if min(taken, filled) < 1:
            return False
        if self.how == "bicubic":
            grids = taken - self.lead, filled - self.lead
            return all(grid > 0 and isqrt(grid) ** 2 == grid for grid in grids)
        if self.how == "pad":
            return filled >= taken and (filled - taken) % 2 == 0
        if self.how == "divide":
            return filled == taken
        return self.how == "cycle" or filled == 1


class Move(Record):
    """Elements that one tensor of the target inherits from one tensor of the source.

    Along each axis, position ``put[axis][i]`` of the target takes position ``take[axis][i]`` of
    the source; together the axes span a box of elements. Several moves may fill one target tensor
    if their boxes do not overlap. Along the axes of a ``blend``, if there is one, the values are
    computed from all positions taken, of which there may be more or fewer.

    Attributes:
        source: Name of the source tensor.
        target: Name of the target tensor.
        source_shape: Its shape [count per axis].
        target_shape: Its shape [count per axis].
        take: Positions read, per axis, as :func:`~legatee.plans.positions.compress` writes them.
        put: Positions written, per axis, likewise; none twice.
        blend: How values are computed along an axis; ``None`` for a plain copy.

    Raises:
        ValueError: If the positions do not fit the shapes or each other.
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
            raise ValueError(
                f"the move to {self.target!r} has take, put and shapes of different lengths"
            )
        if self.blend is not None and self.blend.axis >= len(self.take):
            raise ValueError(
                f"the move to {self.target!r} has a blend along an axis that is not there"
            )
        for axis, (take, put, source_size, size) in enumerate(zip(*axes, strict=True)):
            (taken, last_taken, _), (filled, last_filled, once) = _extent(take), _extent(put)
            blend = self.blend if self.blend is not None and self.blend.covers(axis) else None
            fits = taken == filled if blend is None else blend.makes(taken, filled)
            if not once or not fits:
                raise ValueError(
                    f"the move to {self.target!r} does not read one position for each it writes"
                )
            if last_taken >= source_size or last_filled >= size:
                raise ValueError(f"the move to {self.target!r} reaches outside the tensors' shapes")
        return self

    @property
    def size(self) -> int:
        """Elements of the target tensor [count]."""
        return prod(self.target_shape)

    @property
    def counts(self) -> tuple[tuple[int, int], ...]:
        """Positions read and positions written, per axis [count]."""
        return tuple(
            (_extent(take)[0], _extent(put)[0])
            for take, put in zip(self.take, self.put, strict=True)
        )

    @cached_property
    def copies(self) -> int:
        """Elements that inherit from an element of which another one inherits already [count]."""
        if self.blend is not None and self.blend.how != "divide":
            return 0
        return self.filled - prod(_different(text) for text in self.take)

    @property
    def source_index(self) -> Index:
        """Which elements of the source tensor the move reads, as an index of a tensor or array.

        Slices where each axis is one run, else arrays as :func:`numpy.ix_` makes them. Without a
        ``blend``, ``target[move.target_index] = source[move.source_index]`` is the whole move.

        Example:
            >>> Move(source="a", target="b", source_shape=(6, 3), target_shape=(2, 3),
            ...      take=("1:6:4", "0:3"), put=("0:2", "0:3")).source_index
            (slice(1, 6, 4), slice(0, 3, 1))
        """
        return _index(self.take)

    @property
    def target_index(self) -> Index:
        """Which elements of the target tensor the move writes, as an index, likewise."""
        return _index(self.put)

    @cached_property
    def filled(self) -> int:
        """Elements of the target tensor that this move writes [count]."""
        return prod(_extent(text)[0] for text in self.put)

    @cached_property
    def inherited_elements(self) -> int:
        """Elements of the target tensor that come from the source: not the zeros of ``"pad"``."""
        if self.blend is None or self.blend.how != "pad":
            return self.filled
        return prod(min(pair) for pair in self.counts)


class Untouched(Record):
    """A tensor of the target that inherits nothing, and why.

    Attributes:
        target: Name of the target tensor.
        shape: Its shape [count per axis].
        reason: Why nothing is inherited.
    """

    target: Name
    shape: Shape
    reason: str


def _index(positions: tuple[str, ...]) -> Index:
    """Return positions along each axis as an index of the box that they span."""
    found = [expand(text) for text in positions]
    slices = [slice(one.start, one.stop, one.step) for one in found if isinstance(one, range)]
    if len(slices) == len(found):
        return tuple(slices)
    return np.ix_(*(np.asarray(one, dtype=np.intp) for one in found))


@lru_cache(maxsize=4096)
def _different(text: str) -> int:
    """Return how many different positions there are."""
    parts = runs(text)
    return len(set().union(*parts)) if len(parts) > 1 else sum(len(run) for run in parts)


@lru_cache(maxsize=4096)
def _extent(text: str) -> tuple[int, int, bool]:
    """Return how many positions there are, the highest (-1 for none), and whether all differ."""
    parts = runs(text)
    last = max((run[-1] for run in parts), default=-1)
    return sum(len(run) for run in parts), last, disjoint(parts)
