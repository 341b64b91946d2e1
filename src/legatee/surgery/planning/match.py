"""Which tensor, and which channel group, of the target takes from which of the source."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import cached_property
from math import prod

from legatee.errors import TransferError
from legatee.surgery.network.catalog import Catalog, TensorInfo
from legatee.surgery.network.groups import may_take
from legatee.surgery.planning.match_names import aligned, layers_of
from legatee.surgery.planning.match_roles import by_role

SWEEPS = 3  # rounds of second thoughts when groups are chosen; more never changed a choice


@dataclass(frozen=True, kw_only=True)
class Match:
    """Which tensors of a target take from which of a source.

    Attributes:
        tensors: Target tensor name -> source tensor name, in the target's order.
        reasons: Why a tensor that could have been matched was left out.
        consistent: Whether a group of channels takes from one source group only.
        notes: What a careful reader should know.
    """

    tensors: dict[str, str]
    reasons: dict[str, str] = field(default_factory=dict)
    consistent: bool = True
    notes: tuple[str, ...] = ()


def match_tensors(source: Catalog, target: Catalog, match: Mapping[str, str] | str | None) -> Match:
    """Say which source tensor each target tensor is to take from.

    Args:
        source: Catalogue of the upstream network.
        target: Catalogue of the downstream network.
        match: ``None`` lays equal names, stages and blocks over one another, prefixes aside;
            ``"first:k"``, ``"last:k"``, ``"spaced:k"`` say which blocks of a longer row are taken;
            ``"roles"`` goes by kind of layer, kernel, stage and position, and gives up consistent
            channels; a mapping of target module or tensor -> source module or tensor leaves out
            all else (``""`` is the whole network; the most specific name wins).

    Returns:
        The match.

    Raises:
        TransferError: If a name is in neither network, or ``match`` is not understood.

    Example:
        >>> from torch import nn
        >>> from legatee.surgery.network.catalog import read
        >>> small, large = nn.Sequential(nn.Linear(3, 2)), nn.Sequential(nn.Linear(3, 4))
        >>> match_tensors(read(large), read(small), None).tensors
        {'0.weight': '0.weight', '0.bias': '0.bias'}
    """
    if match == "roles":
        if not source.uses or not target.uses:
            raise TransferError("match='roles' needs networks whose channels can be followed")
        tensors, notes = by_role(source, target)
        return Match(tensors=tensors, consistent=False, notes=notes)
    if match is None or isinstance(match, str):
        return Match(tensors=_in_order(aligned(source, target, layers_of(match)), target))
    found: dict[str, str] = {}
    for to, frm in sorted(match.items(), key=lambda item: item[0].count(".") + bool(item[0])):
        below = {t: _moved(t, to, frm) for t in target.tensors if _is_below(t, to)}
        if not below:
            raise TransferError(f"match names {to!r}, which is not in the target")
        pairs = {t: source.names[s] for t, s in below.items() if s in source.names}
        if not pairs:
            raise TransferError(f"match names {frm!r}, which holds nothing like {to!r}")
        found |= pairs
    rest = {t: "match does not speak of it" for t in target.tensors if t not in found}
    return Match(tensors=_in_order(found, target), reasons=rest)


def chosen_only(
    match: Match, target: Catalog, include: Iterable[str], exclude: Iterable[str]
) -> Match:
    """Leave out what is not asked for by name.

    Args:
        match: What would be taken.
        target: Catalogue of the downstream network.
        include: Modules, tensors or patterns (``*``, ``?``) of the target; all if empty.
        exclude: Likewise, to be left out.

    Returns:
        What is left of the match, with reasons for the rest.

    Raises:
        TransferError: If a pattern fits nothing in the target.
    """
    include, exclude = tuple(include), tuple(exclude)
    for pattern in (*include, *exclude):
        if not any(_fits(name, pattern) for name in target.tensors):
            raise TransferError(f"pattern {pattern!r} fits no tensor of the target")
    reasons = dict(match.reasons)
    for name in match.tensors:
        out = next((p for p in exclude if _fits(name, p)), None)
        if out is not None:
            reasons[name] = f"excluded by {out!r}"
        elif include and not any(_fits(name, p) for p in include):
            reasons[name] = "not among what was to be included"
    kept = {t: s for t, s in match.tensors.items() if t not in reasons}
    return Match(tensors=kept, reasons=reasons, consistent=match.consistent, notes=match.notes)


def grows(here: TensorInfo, there: TensorInfo, axis: int) -> bool:
    """Tell whether a kernel could lie in the middle of a longer one along an axis.

    Args:
        here: The target's tensor.
        there: The source's.
        axis: Of both.

    Returns:
        Whether both are kernels of odd length there, the target's longer.
    """
    size, have = here.shape[axis], there.shape[axis]
    kernels = here.axis_roles[axis] == there.axis_roles[axis] == "kernel"
    return kernels and have < size and have % 2 == size % 2 == 1


def match_groups(
    source: Catalog, target: Catalog, tensors: Mapping[str, str], *, pad_kernels: bool = False
) -> dict[int, int]:
    """Give each channel group of the target the one source group it takes its channels from.

    Among the source groups that its matched tensors touch, the one by which most elements of the
    target can be filled wins.

    Args:
        source: Catalogue of the upstream network.
        target: Catalogue of the downstream network.
        tensors: Target tensor -> source tensor.
        pad_kernels: Whether a kernel may go into a larger one.

    Returns:
        Target group number -> source group number, of a role that it may take from.
    """
    ballots = _Ballots(source, target, tensors, pad_kernels)
    rivals = {number: ballots.of(number) for number in range(len(target.groups))}
    chosen = {
        number: max(votes, key=lambda n: (votes[n], -n))
        for number, votes in rivals.items()
        if votes
    }
    for _ in range(SWEEPS):
        before = dict(chosen)
        for number, votes in rivals.items():
            if len(votes) > 1:
                filled = {n: ballots.filled(number, chosen | {number: n}) for n in votes}
                chosen[number] = max(votes, key=lambda n: (filled[n], votes[n], -n))
        if chosen == before:
            break
    return {t: s for t, s in chosen.items() if ballots.is_led_to(t, s, chosen)}


@dataclass(frozen=True)
class _Ballots:
    """Which source groups the tensors of a target group speak for."""

    source: Catalog
    target: Catalog
    tensors: Mapping[str, str]
    pad_kernels: bool

    def of(self, number: int) -> Counter[int]:
        """Count the elements that speak for each source group, where they could move at all."""
        votes: Counter[int] = Counter()
        for name, axis in self.target.groups[number].members:
            if name in self.worth:
                for candidate in self.candidates[number, name, axis]:
                    votes[candidate] += self.worth[name]
        return votes

    @cached_property
    def candidates(self) -> dict[tuple[int, str, int], tuple[int, ...]]:
        """The source groups along each matched axis of a group that could be the group's."""
        return {
            (number, name, axis): self._candidates(number, name, axis)
            for number, group in enumerate(self.target.groups)
            for name, axis in group.members
            if name in self.worth
        }

    def _candidates(self, number: int, name: str, axis: int) -> tuple[int, ...]:
        group = self.target.groups[number]
        ours = self.target.groups_along[name, axis]
        key = (self.tensors[name], axis)
        theirs = tuple(
            n
            for n in self.source.groups_along.get(key, ())
            if may_take(group, self.source.groups[n])
        )
        if len(ours) == len(theirs):  # concatenated groups correspond in their order
            theirs = (theirs[ours.index(number)],)
        width = group.members[name, axis].shape[1]
        return tuple(n for n in theirs if self.source.groups[n].members[key].shape[1] == width)

    @cached_property
    def worth(self) -> dict[str, int]:
        """Elements of each tensor that could come from the source; none that cannot move."""
        return {name: worth for name in self.tensors if (worth := self._worth(name))}

    def _worth(self, name: str) -> int:
        here, there = self.target.tensors[name], self.source.tensors[self.tensors[name]]
        if len(here.shape) != len(there.shape):
            return 0
        sizes = list(here.shape)
        for axis, size in enumerate(here.shape):
            if (name, axis) in self.target.groups_along or size == there.shape[axis]:
                continue
            if not (self.pad_kernels and grows(here, there, axis)):
                return 0
            sizes[axis] = there.shape[axis]  # what lies around a smaller kernel is zero
        return prod(sizes)

    def filled(self, number: int, chosen: Mapping[int, int]) -> int:
        """Count the elements of a group's tensors that a choice fills, each by its size."""
        return sum(
            self.worth[name]
            for name in {name for name, _ in self.target.groups[number].members}
            if name in self.worth and self._agree(name, chosen)
        )

    def is_led_to(self, number: int, taken: int, chosen: Mapping[int, int]) -> bool:
        """Tell whether what the source shows at its output is fed by what is inherited.

        A backbone's last layer is read on in a larger network. A head of the same name as some
        other network's hidden layer is another thing: nothing that leads to it is inherited.

        Args:
            number: Of the target group.
            taken: Of the source group that it would take from.
            chosen: Target group -> source group, for all others.

        Returns:
            Whether it is so, or the source does not show the group.
        """
        here, there = self.target.groups[number], self.source.groups[taken]
        if here.role == there.role:
            return True
        makers = self.target.makers(number)
        feeds = {n for name in makers for n in self.target.groups_along.get((name, 1), ())}
        return not feeds or any(
            self.target.groups[n].role == "input"
            or any(
                name in self.worth and self._agree(name, chosen)
                for name in self.target.makers(n) - makers
            )
            for n in feeds
        )

    def _agree(self, name: str, chosen: Mapping[int, int]) -> bool:
        return all(
            any(
                chosen.get(number) in self.candidates[number, name, axis]
                for number in self.target.groups_along[name, axis]
            )
            for axis in range(len(self.target.tensors[name].shape))
            if (name, axis) in self.target.groups_along
        )


def _in_order(found: Mapping[str, str], target: Catalog) -> dict[str, str]:
    return {t: found[t] for t in target.tensors if t in found}


def _moved(name: str, to: str, frm: str) -> str:
    """Return the name below the source's module that corresponds to one below the target's."""
    rest = name if to == "" else name.removeprefix(to)
    return rest.removeprefix(".") if frm == "" else f"{frm}.{rest}" if to == "" else frm + rest


def _is_below(name: str, module: str) -> bool:
    """Tell whether a tensor is the named one or lies in the named module."""
    return module == "" or name == module or name.startswith(f"{module}.")


def _fits(name: str, pattern: str) -> bool:
    """Tell whether a pattern names a tensor or a module above it."""
    parts = name.split(".")
    return any(fnmatchcase(".".join(parts[:n]), pattern) for n in range(1, len(parts) + 1))
