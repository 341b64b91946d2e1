"""The moves of a plan, tensor by tensor: positions taken and filled along each axis, or why not."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from legatee.plans.moves import Blend, Move
from legatee.plans.options import PlanOptions
from legatee.plans.positions import compress
from legatee.surgery.network.catalog import Catalog
from legatee.surgery.network.groups import may_take
from legatee.surgery.planning.drafted import (
    FOREIGN,
    HEAD,
    NOTHING,
    PADDING,
    READ_ON,
    Drafted,
    Heads,
)
from legatee.surgery.planning.grow import Axis, dividing_axes
from legatee.surgery.planning.match import Match
from legatee.surgery.planning.resize import channel_blend, grid_blend, grows
from legatee.surgery.planning.taken_channels import TakenChannels

Piece = tuple[int, tuple[int, ...]]  # number of a group, and some of its channels


@dataclass(frozen=True, kw_only=True)
class Span:
    """Positions along one axis: taken from the source, filled in the target."""

    take: str
    put: str
    blend: Blend | None = None


@dataclass(kw_only=True)
class Draft:
    """Works out the moves; it fills its own memory while it does, and is used once.

    Attributes:
        source: Catalogue of the source.
        target: Catalogue of the target.
        match: Which tensors take from which.
        groups: Target group -> the source group that it takes its channels from.
        taken: Which channels of a source group a target group takes.
        heads: What is known of the classes.
        traced: Whether the channels of both networks are known; else only whole tensors move.
        whole: Whether a tensor without a known channel may be taken whole.
        options: What is asked for: whether kernels may be padded, and channels copied.
    """

    source: Catalog
    target: Catalog
    match: Match
    groups: Mapping[int, int]
    taken: TakenChannels
    heads: Heads
    traced: bool
    whole: bool
    options: PlanOptions
    _mixed: dict[int, set[int]] = field(default_factory=dict, init=False)
    _texts: dict[tuple[bool, tuple], str] = field(default_factory=dict, init=False)
    _spans: dict[tuple, Span | str] = field(default_factory=dict, init=False)

    @cached_property
    def _dividing(self) -> frozenset[Axis]:
        """The axes along which copies share what is inherited."""
        return frozenset() if self.options.grow is None else dividing_axes(self.target)

    def build(self) -> Drafted:
        """Go through the tensors of the target.

        Returns:
            The moves, with the reasons where there are none.
        """
        outcomes = {name: self._move(name) for name in self.target.tensors}
        return Drafted(
            source=self.source,
            target=self.target,
            match=self.match,
            groups=self.groups,
            heads=self.heads,
            outcomes=outcomes,
            mixed={number: frozenset(others) for number, others in self._mixed.items()},
            unscored=frozenset(self.taken.unscored),
        )

    def _move(self, name: str) -> Move | str:
        """Return the move that fills one target tensor, or why there is none."""
        source_name = self.match.tensors.get(name)
        if source_name is None:
            is_head = name in self.target.shown and not self.match.consistent
            return self.match.reasons.get(name, HEAD if is_head else self._no_match)
        shape, source_shape = self._shapes(name, source_name)
        if len(shape) != len(source_shape):
            return f"it has {len(shape)} axes in the target and {len(source_shape)} in the source"
        along = self._along if self.traced else self._untraced
        spans: dict[int, Span] = {}
        # Axes without a group come first: why such an axis does not fit is the plainest reason.
        for axis in sorted(range(len(shape)), key=lambda n: (name, n) in self.target.groups_along):
            span = along(name, source_name, axis)
            if isinstance(span, str):
                return span
            spans[axis] = span
        if not self.whole and name in self.target.unknown:
            return "no operation uses it in a forward pass, so its channels are unknown"
        in_order = [spans[axis] for axis in range(len(shape))]
        blends = [span.blend for span in in_order if span.blend is not None]
        if len(blends) > 1 and {blend.how for blend in blends} != {"pad"}:
            return "two of its axes differ in size between source and target"
        return Move(
            source=source_name,
            target=name,
            source_shape=source_shape,
            target_shape=shape,
            take=tuple(span.take for span in in_order),
            put=tuple(span.put for span in in_order),
            blend=blends[0] if blends else None,
        )

    @property
    def _no_match(self) -> str:
        if self.match.consistent:
            return "no source tensor of that name"
        return "no source tensor of that role: kind of layer, kernel size and stage"

    def _shapes(self, name: str, source_name: str) -> tuple[tuple[int, ...], tuple[int, ...]]:
        return self.target.tensors[name].shape, self.source.tensors[source_name].shape

    def _sizes(self, name: str, source_name: str, axis: int) -> tuple[int, int]:
        """Return the lengths of an axis in the target and in the source."""
        shape, source_shape = self._shapes(name, source_name)
        return shape[axis], source_shape[axis]

    def _untraced(self, name: str, source_name: str, axis: int) -> Span | str:
        """Take an axis whole where the channels of a network are unknown, but no other head."""
        size, source_size = self._sizes(name, source_name, axis)
        if size != source_size:
            return _lengths(axis, size, source_size)
        if (name in self.target.shown or source_name in self.source.shown) and not self.heads.same:
            return HEAD
        return Span(take=f"0:{source_size}", put=f"0:{size}")

    def _along(self, name: str, source_name: str, axis: int) -> Span | str:
        """Return the positions taken and filled along one axis, or why there are none."""
        numbers = self.target.groups_along.get((name, axis), ())
        source_numbers = self.source.groups_along.get((source_name, axis), ())
        size, source_size = self._sizes(name, source_name, axis)
        entrance = name in self.target.entrances and source_name in self.source.entrances
        alone = max(len(numbers), len(source_numbers)) < 2  # no hidden channels beside the image's
        if entrance and alone and axis == 1 and size != source_size:
            blend = channel_blend(axis, size)
            return Span(take=f"0:{source_size}", put=f"0:{size}", blend=blend)
        if not numbers:
            return self._alone(name, source_name, axis)
        if len(numbers) > 1:
            return self._joined(name, source_name, axis)
        key = (  # nearly always there is one group, and many axes are alike
            (numbers[0], self.target.patterns[numbers[0], name, axis]),
            tuple((n, self.source.patterns[n, source_name, axis]) for n in source_numbers),
            axis,
            (name, axis) in self._dividing,
        )
        if key not in self._spans:
            self._spans[key] = self._joined(name, source_name, axis)
        return self._spans[key]

    def _alone(self, name: str, source_name: str, axis: int) -> Span | str:
        """Settle an axis that no other tensor shares, such as a kernel's: whole or not at all."""
        size, source_size = self._sizes(name, source_name, axis)
        take, put = f"0:{source_size}", f"0:{size}"
        grouped = (source_name, axis) in self.source.groups_along
        if size == source_size and not grouped:
            return Span(take=take, put=put)
        if grows(self.target.tensors[name], self.source.tensors[source_name], axis):
            if not self.options.pad_kernels:
                sizes = f"{size} in the target and {source_size} in the source"
                return f"its kernel has size {sizes}; {PADDING}"
            return Span(take=take, put=put, blend=Blend(axis=axis, how="pad"))
        blend = grid_blend(axis, source_size, size)
        if blend is not None and not grouped and name in self.target.placed:
            return Span(take=take, put=put, blend=blend)
        return _lengths(axis, size, source_size)

    def _joined(self, name: str, source_name: str, axis: int) -> Span | str:
        """Concatenate what each group along an axis takes."""
        take: list[Piece] = []
        put: list[Piece] = []
        why = FOREIGN
        chosen_groups = self._chosen_groups(name, source_name, axis)
        for number, chosen in chosen_groups.items():
            if chosen is None:
                other = READ_ON if self._is_output_in_one(number, source_name, axis) else why
                why = self._widths(number, name, source_name, axis) or other
                continue
            group, source_group = self.target.groups[number], self.source.groups[chosen]
            fixed = self.taken.refusal(number, chosen)
            if fixed is not None:
                return fixed
            width = group.members[name, axis].shape[1]
            if width != source_group.members[source_name, axis].shape[1]:
                why = self._widths(number, name, source_name, axis) or why
                continue
            taken, filled = self.taken.channels(number, chosen)
            if taken:
                take.append((chosen, taken))
                put.append((number, filled))
            else:
                why = NOTHING
        if not put:
            return why
        copied = any(len(set(channels)) < len(channels) for _, channels in take)
        divided = copied and (name, axis) in self._dividing
        return Span(
            take=self._text(self.source, take, source_name, axis),
            put=self._text(self.target, put, name, axis),
            blend=Blend(axis=axis, how="divide", uneven=self.options.uneven_copies)
            if divided
            else None,
        )

    def _chosen_groups(self, name: str, source_name: str, axis: int) -> dict[int, int | None]:
        """Return the source group for each group along an axis, none for two at once.

        A second stream beside one that both networks have would else take the first one's channels,
        which no inherited layer computes for it.
        """
        numbers = self.target.groups_along[name, axis]
        chosen = {n: self._source_group(n, name, source_name, axis) for n in numbers}
        if len(numbers) < 2:
            return chosen
        for source_group in {n for n in chosen.values() if n is not None}:
            takers = [number for number, other in chosen.items() if other == source_group]
            made = [
                n for n in takers if any(m in self.match.tensors for m in self.target.makers[n])
            ]
            for number in takers if len(takers) > 1 and made else ():
                if number != made[0]:
                    chosen[number] = None
        return chosen

    def _text(self, catalog: Catalog, pieces: list[Piece], name: str, axis: int) -> str:
        """Write the positions of channels; many axes of a network have the same ones."""
        patterns = tuple((catalog.patterns[n, name, axis], channels) for n, channels in pieces)
        key = catalog is self.target, patterns
        if key not in self._texts:
            rows = [catalog.groups[n].members[name, axis][list(c)].reshape(-1) for n, c in pieces]
            self._texts[key] = compress(np.concatenate(rows))
        return self._texts[key]

    def _source_group(self, number: int, name: str, source_name: str, axis: int) -> int | None:
        """Return the source group along an axis: the chosen one, or the only one if any may do."""
        chosen = self.groups.get(number)
        source_numbers = self.source.groups_along.get((source_name, axis), ())
        if chosen in source_numbers:
            return chosen
        numbers = self.target.groups_along[name, axis]
        if self.match.consistent or len(numbers) != len(source_numbers):
            return None
        other = source_numbers[numbers.index(number)]
        if not may_take(self.target.groups[number], self.source.groups[other]):
            return None
        self._mixed.setdefault(number, {chosen} if chosen is not None else set()).add(other)
        return other

    def _is_output_in_one(self, number: int, source_name: str, axis: int) -> bool:
        """Tell whether channels are the output of one network and hidden in the other."""
        source_numbers = self.source.groups_along.get((source_name, axis), ())
        roles = {self.source.groups[n].role for n in source_numbers}
        return bool(roles) and (roles == {"class"}) != (self.target.groups[number].role == "class")

    def _widths(self, number: int, name: str, source_name: str, axis: int) -> str | None:
        """Say that a channel has another number of positions along an axis, if that is why."""
        width = self.target.groups[number].members[name, axis].shape[1]
        source_numbers = self.source.groups_along.get((source_name, axis), ())
        widths = {self.source.groups[n].members[source_name, axis].shape[1] for n in source_numbers}
        if len(widths) != 1 or width in widths:
            return None
        return f"a channel covers {width} positions in the target, {widths.pop()} in the source"


def _lengths(axis: int, size: int, source_size: int) -> str:
    return f"axis {axis} has {size} positions in the target and {source_size} in the source"
