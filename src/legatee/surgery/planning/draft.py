"""The moves of a plan, tensor by tensor: positions taken and filled along each axis, or why not."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from legatee.plans.moves import Blend, Move
from legatee.plans.positions import compress
from legatee.surgery.network.catalog import Catalog
from legatee.surgery.network.groups import Group, may_take
from legatee.surgery.planning.match import Match
from legatee.surgery.planning.resize import channel_blend, grid_blend, grows

FOREIGN = "its channels belong to another group in the source"
READ_ON = "the one network shows its channels at its output, the other reads them on"
HEAD = "the head is inherited only between equal architectures of the same classes"
PADDING = "padding kernels lays it into the middle"
NOTHING = "the share asked for leaves no channel to inherit"
Pick = Callable[[int, int], Sequence[int]]  # (target group, source group) -> source channels


@dataclass(frozen=True, kw_only=True)
class Heads:
    """What may become of classes.

    Attributes:
        same: Whether both networks are taken to have the same classes, in the same order.
        classes: Target class -> source class, where it was said.
    """

    same: bool
    classes: Mapping[int, int] | None = None


@dataclass(frozen=True, kw_only=True)
class Span:
    """Positions along one axis: taken from the source, filled in the target."""

    take: str
    put: str
    blend: Blend | None = None


@dataclass(frozen=True, kw_only=True)
class Draft:
    """What is settled before tensors are gone through one by one.

    Attributes:
        source: Catalogue of the upstream network.
        target: Catalogue of the downstream network.
        match: Which tensors take from which.
        groups: Target group -> the source group that it takes its channels from.
        pick: Which channels of a source group a target group takes.
        heads: What may become of classes.
        whole: Whether a tensor of which no channel is known may be taken whole.
        pad_kernels: Whether a kernel may go into the middle of a larger one.
    """

    source: Catalog
    target: Catalog
    match: Match
    groups: Mapping[int, int]
    pick: Pick
    heads: Heads
    whole: bool
    pad_kernels: bool
    mixed: dict[int, set[int]] = field(default_factory=dict)
    _picked: dict[tuple[int, int], tuple[tuple[int, ...], tuple[int, ...]]] = field(
        default_factory=dict
    )
    _texts: dict[tuple, str] = field(default_factory=dict)
    _spans: dict[tuple, Span | str] = field(default_factory=dict)

    def move(self, name: str) -> Move | str:
        """Return the move that fills one target tensor, or why there is none.

        Args:
            name: Name of the target tensor.

        Returns:
            The move, or the reason.
        """
        source_name = self.match.tensors.get(name)
        if source_name is None:
            shown = name in self.target.shown
            why = HEAD if shown and not self.match.consistent else self._no_match
            return self.match.reasons.get(name, why)
        here, there = self.target.tensors[name].shape, self.source.tensors[source_name].shape
        if len(here) != len(there):
            return f"{len(here)} axes here, {len(there)} in the source"
        spans: dict[int, Span] = {}
        # What no other tensor shares comes first: why it does not fit is the plainest reason.
        for axis in sorted(range(len(here)), key=lambda n: (name, n) in self.target.groups_along):
            span = self._along(name, source_name, axis)
            if isinstance(span, str):
                return span
            spans[axis] = span
        if not self.whole and name in self.target.unknown:
            return "nothing reads it when the network runs, so its channels are unknown"
        in_order = [spans[axis] for axis in range(len(here))]
        blends = [span.blend for span in in_order if span.blend is not None]
        if len(blends) > 1 and {blend.how for blend in blends} != {"pad"}:
            return "two of its axes are of another size"
        return Move(
            source=source_name,
            target=name,
            source_shape=there,
            target_shape=here,
            take=tuple(span.take for span in in_order),
            put=tuple(span.put for span in in_order),
            blend=blends[0] if blends else None,
        )

    @property
    def _no_match(self) -> str:
        return (
            "no source tensor of that name"
            if self.match.consistent
            else "no source tensor of that role: kind of layer, kernel and stage"
        )

    def _along(self, name: str, source_name: str, axis: int) -> Span | str:
        """Return the positions taken and filled along one axis, or why there are none."""
        ours = self.target.groups_along.get((name, axis), ())
        theirs = self.source.groups_along.get((source_name, axis), ())
        size, have = self._sizes(name, source_name, axis)
        entrance = name in self.target.entrances and source_name in self.source.entrances
        if entrance and axis == 1 and size != have:
            return Span(take=f"0:{have}", put=f"0:{size}", blend=channel_blend(axis, size))
        if not ours:
            return self._alone(name, source_name, axis)
        if len(ours) == 1:  # nearly always; many axes are alike
            group = self.target.groups[ours[0]]
            there = [self.source.groups[n].members[source_name, axis] for n in theirs]
            key = (ours[0], theirs, axis, id(group.members[name, axis]), *map(id, there))
            if key not in self._spans:
                self._spans[key] = self._joined(name, source_name, axis)
            return self._spans[key]
        return self._joined(name, source_name, axis)

    def _sizes(self, name: str, source_name: str, axis: int) -> tuple[int, int]:
        """Return the lengths of an axis in the target and in the source."""
        return (
            self.target.tensors[name].shape[axis],
            self.source.tensors[source_name].shape[axis],
        )

    def _alone(self, name: str, source_name: str, axis: int) -> Span | str:
        """Settle an axis that no other tensor shares, such as a kernel's: whole or not at all."""
        size, have = self._sizes(name, source_name, axis)
        theirs = (source_name, axis) in self.source.groups_along
        if size == have and not theirs:
            return Span(take=f"0:{have}", put=f"0:{size}")
        if grows(self.target.tensors[name], self.source.tensors[source_name], axis):
            if not self.pad_kernels:
                return f"its kernel is {size} long here, {have} in the source; {PADDING}"
            return Span(take=f"0:{have}", put=f"0:{size}", blend=Blend(axis=axis, how="pad"))
        blend = grid_blend(axis, have, size)
        if blend is not None and not theirs and name in self.target.placed:
            return Span(take=f"0:{have}", put=f"0:{size}", blend=blend)
        return f"axis {axis} is {size} long here, {have} in the source"

    def _joined(self, name: str, source_name: str, axis: int) -> Span | str:
        """Lay side by side what each group along an axis takes."""
        take, put = [], []
        why = FOREIGN
        for number in self.target.groups_along[name, axis]:
            chosen = self._source_group(number, name, source_name, axis)
            if chosen is None:
                apart = READ_ON if self._read_on(number, source_name, axis) else why
                why = self._widths(number, name, source_name, axis) or apart
                continue
            here, there = self.target.groups[number], self.source.groups[chosen]
            fixed = self._fixed(here, there)
            if fixed is not None:
                return fixed
            ours, theirs = here.members[name, axis], there.members[source_name, axis]
            if ours.shape[1] != theirs.shape[1]:
                why = self._widths(number, name, source_name, axis) or why
                continue
            taken, filled = self._channels(number, chosen)
            if taken:
                take.append((theirs, taken))
                put.append((ours, filled))
            why = why if taken else NOTHING
        return Span(take=self._text(take), put=self._text(put)) if put else why

    def _text(self, pieces: list[tuple[np.ndarray, tuple[int, ...]]]) -> str:
        """Write the positions of channels; most axes of a network repeat a few."""
        key = tuple((id(positions), channels) for positions, channels in pieces)
        if key not in self._texts:
            rows = [positions[list(channels)].reshape(-1) for positions, channels in pieces]
            self._texts[key] = compress(np.concatenate(rows))
        return self._texts[key]

    def _fixed(self, here: Group, there: Group) -> str | None:
        """Say why classes and inputs, which have a meaning, are not taken."""
        words = there.role == "input"  # given, and shown where the source ties them to its output
        known = words or self.heads.same or self.heads.classes is not None
        if here.role == "class" and not known:
            return HEAD
        if words and here.size != there.size:
            return f"{here.size} inputs here, {there.size} in the source"
        return None

    def _source_group(self, number: int, name: str, source_name: str, axis: int) -> int | None:
        """Return the source group along an axis: the chosen one, or the only one if any may do."""
        chosen = self.groups.get(number)
        theirs = self.source.groups_along.get((source_name, axis), ())
        if chosen in theirs:
            return chosen
        ours = self.target.groups_along[name, axis]
        if self.match.consistent or len(ours) != len(theirs):
            return None
        other = theirs[ours.index(number)]
        if not may_take(self.target.groups[number], self.source.groups[other]):
            return None
        self.mixed.setdefault(number, {chosen} if chosen is not None else set()).add(other)
        return other

    def _read_on(self, number: int, source_name: str, axis: int) -> bool:
        """Tell whether what one network shows at its output is hidden in the other."""
        theirs = self.source.groups_along.get((source_name, axis), ())
        roles = {self.source.groups[n].role for n in theirs}
        return bool(roles) and (roles == {"class"}) != (self.target.groups[number].role == "class")

    def _widths(self, number: int, name: str, source_name: str, axis: int) -> str | None:
        """Say that the channels along an axis are blocks of another width, if that is why."""
        ours = self.target.groups[number].members[name, axis].shape[1]
        theirs = self.source.groups_along.get((source_name, axis), ())
        widths = {self.source.groups[n].members[source_name, axis].shape[1] for n in theirs}
        if len(widths) != 1 or ours in widths:
            return None
        return f"a channel covers {ours} positions here, {widths.pop()} there"

    def _channels(self, number: int, chosen: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Return the channels that a group takes from another one, and those they become."""
        if (number, chosen) not in self._picked:
            here, there = self.target.groups[number], self.source.groups[chosen]
            if here.role == "class" and self.heads.classes is not None:
                pairs = list(self.heads.classes.items())
                picked = tuple(t for _, t in pairs), tuple(o for o, _ in pairs)
            elif here.role != "hidden":
                same = tuple(range(here.size)) if here.size == there.size else ()
                picked = same, same
            else:
                taken = tuple(self.pick(number, chosen))
                picked = taken, tuple(range(len(taken)))
            self._picked[number, chosen] = picked
        return self._picked[number, chosen]
