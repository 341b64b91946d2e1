"""Plan a transfer: which elements of the target come from where, before a single one is copied."""

from collections.abc import Mapping
from dataclasses import dataclass
from zlib import crc32

import numpy as np
from torch import Tensor, nn

from legatee.errors import TransferRefused, UntraceableNetwork
from legatee.positions import compress
from legatee.surgery.catalog import Catalog, read, read_tensors
from legatee.surgery.match import match_groups, match_tensors
from legatee.surgery.select import select, share
from legatee.transfer import Move, TransferPlan, Untouched

NOTHING = "the share asked for leaves no channel to inherit"


def plan(  # noqa: PLR0913 - a front door
    source: nn.Module | Catalog,
    target: nn.Module | Catalog,
    *,
    alpha: float = 1.0,
    rule: str = "uniform",
    match: Mapping[str, str] | None = None,
    data: Tensor | None = None,
    seed: int = 0,
    head: bool = True,
) -> TransferPlan:
    """Plan what a target network inherits from a source network; nothing is copied.

    Channels that are added, multiplied, normalised or convolved together are inherited together:
    every tensor that a channel runs through takes it from the same source channel, so what the
    inherited channels compute from inherited channels is what they computed in the source.

    Args:
        source: Upstream network, or its catalogue when many targets are planned for.
        target: Downstream network, or its catalogue.
        alpha: Share of each channel group of the target that inherits, halves of a channel
            rounded up; the rest keeps the target's own start [fraction, 0..1].
        rule: Which source channels: ``"uniform"``, ``"first"`` or ``"random"``.
        match: Target module or tensor -> source module or tensor; equal names if absent.
        data: A batch to follow channels with; where absent, or a network does not accept it, an
            input is guessed from the network's first layer.
        seed: Of the ``"random"`` rule.
        head: Whether the layer that shows the classes may be inherited; it is only between equal
            architectures, whose classes are then taken to be the same.

    Returns:
        The plan, to be printed, saved, compared, or given to :func:`legatee.inherit`.

    Raises:
        TransferRefused: If ``alpha`` is outside 0..1, ``match`` names what is not there, or the
            networks share nothing.
        UnknownName: If there is no such rule.
        UntraceableNetwork: If channels cannot be followed through one of the networks.

    Source:
        Algorithm 1 of the paper, carried to deep networks (*ours*).

    Example:
        >>> wide = nn.Sequential(nn.Conv2d(1, 8, 3), nn.ReLU(), nn.Conv2d(8, 4, 3), nn.Flatten())
        >>> slim = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Conv2d(4, 4, 3), nn.Flatten())
        >>> print(plan(wide, slim).moves[0].take)
        ('0:7:2', '0:1', '0:3', '0:3')
    """
    if not 0 <= alpha <= 1:
        raise TransferRefused(f"alpha is {alpha}; expected a share between 0 and 1")
    if seed < 0:
        raise TransferRefused(f"seed is {seed}; expected 0 or a number above")
    ours, theirs = _catalogs(source, target, data, whole=alpha == 0 or (alpha == 1 and head))
    tensors = match_tensors(ours, theirs, match)
    draft = _Draft(
        source=ours,
        target=theirs,
        groups=match_groups(ours, theirs, tensors),
        channels={},
        head=head and ours.is_like(theirs),
    )
    for number in draft.groups:
        draft.channels[number] = draft.pick(number, alpha, rule, seed)
    found = {
        name: draft.move(name, tensors.get(name)) if alpha > 0 else NOTHING
        for name in theirs.tensors
    }
    _drop_strays(found, theirs)
    entries = tuple(
        Untouched(target=name, shape=theirs.tensors[name].shape, reason=made)
        if isinstance(made, str)
        else made
        for name, made in found.items()
    )
    drawn = TransferPlan(
        source_digest=ours.digest,
        target_digest=theirs.digest,
        alpha=alpha,
        rule=rule,
        seed=seed,
        entries=entries,
    )
    if alpha > 0 and not any(theirs.tensors[move.target].trainable for move in drawn.moves):
        reasons = "; ".join(f"{rest.target}: {rest.reason}" for rest in drawn.untouched[:3])
        raise TransferRefused(f"nothing would be inherited ({reasons})")
    return drawn


def _drop_strays(found: dict[str, Move | str], target: Catalog) -> None:
    """Leave what is worth nothing by itself: norms and biases without a layer, counts without both.

    A bias belongs to its own layer; a norm to the layers whose rows make the channels it scales.
    """
    inherited = {name for name, made in found.items() if isinstance(made, Move)}
    for name in sorted(inherited):
        shape = target.tensors[name].shape
        if len(shape) == 1:
            makers = _makers(name, target)
            if makers and not makers & inherited:
                found[name] = "no layer that makes its channels is inherited"
        elif not shape:
            module = name.rpartition(".")[0]
            others = [
                n for n in found if n.rpartition(".")[0] == module and target.tensors[n].shape
            ]
            if others and not any(isinstance(found[n], Move) for n in others):
                found[name] = "nothing else of its module is inherited"


def _makers(name: str, target: Catalog) -> set[str]:
    """Return the layers that a bias or norm belongs to."""
    holders = {
        member
        for number in target.groups_along.get((name, 0), ())
        for member in target.groups[number].members
        if len(target.tensors[member[0]].shape) > 1
    }
    rows = {n for n, axis in holders if axis == 0} or {n for n, _ in holders}
    return {n for n in rows if _beside(n, name)} or rows


def _beside(one: str, other: str) -> bool:
    """Tell whether two tensors are of one module."""
    return one.rpartition(".")[0] == other.rpartition(".")[0]


def _catalog(network: nn.Module | Catalog, data: Tensor | None) -> Catalog:
    """Catalogue a network with the caller's data, or with a guess where it does not accept them."""
    if isinstance(network, Catalog):
        return network
    try:
        return read(network, data)
    except UntraceableNetwork:
        if data is None:
            raise
        return read(network)


def _catalogs(
    source: nn.Module | Catalog, target: nn.Module | Catalog, data: Tensor | None, *, whole: bool
) -> tuple[Catalog, Catalog]:
    """Catalogue both networks; a whole copy between equal architectures needs no channels."""
    try:
        return _catalog(source, data), _catalog(target, data)
    except UntraceableNetwork as error:
        if whole and isinstance(source, nn.Module) and isinstance(target, nn.Module):
            ours, theirs = read_tensors(source), read_tensors(target)
            if ours.is_like(theirs):
                return ours, theirs
        raise UntraceableNetwork(
            f"{error}; without knowing its channels only a whole copy between equal architectures "
            "is possible (pass `data`, a batch that the network accepts, if it is missing)"
        ) from error


@dataclass(frozen=True)
class _Draft:
    """What is settled before tensors are gone through one by one."""

    source: Catalog
    target: Catalog
    groups: dict[int, int]  # target group -> source group
    channels: dict[int, tuple[list[int], list[int]]]  # target group -> (source, target) channels
    head: bool

    def pick(self, number: int, alpha: float, rule: str, seed: int) -> tuple[list[int], list[int]]:
        """Return the channels that one target group takes, and the channels they become."""
        group = self.target.groups[number]
        theirs = self.source.groups[self.groups[number]]
        if group.role != "hidden":  # inputs and classes have a meaning: all of them or none
            same = list(range(group.size)) if group.size == theirs.size else []
            return same, same
        wanted = min(share(alpha, group.size), theirs.size)
        if wanted == 0:
            return [], []
        name, axis = next(iter(group.members))
        rng = np.random.default_rng([seed, crc32(f"{name}:{axis}".encode())])
        return select(rule, theirs.size, wanted, rng), list(range(wanted))

    def move(self, name: str, source_name: str | None) -> Move | str:
        """Return the move that fills one target tensor, or why there is none."""
        if source_name is None:
            return "no source tensor of that name"
        here, there = self.target.tensors[name], self.source.tensors[source_name]
        if len(here.shape) != len(there.shape):
            return f"{len(here.shape)} axes here, {len(there.shape)} in the source"
        take, put = [], []
        for axis in range(len(here.shape)):
            found = self._along(name, source_name, axis)
            if isinstance(found, str):
                return found
            take.append(compress(found[0]))
            put.append(compress(found[1]))
        return Move(
            source=source_name,
            target=name,
            source_shape=there.shape,
            target_shape=here.shape,
            take=tuple(take),
            put=tuple(put),
        )

    def _along(self, name: str, source_name: str, axis: int) -> tuple[list[int], list[int]] | str:
        """Return the positions taken and filled along one axis, or why there are none."""
        numbers = self.target.groups_along.get((name, axis), ())
        size = self.target.tensors[name].shape[axis]
        if not numbers:  # an axis of its own, such as a kernel's: whole or not at all
            whole = self.source.tensors[source_name].shape[axis]
            if (source_name, axis) in self.source.groups_along or size != whole:
                return f"axis {axis} is {size} long here, {whole} in the source"
            return list(range(size)), list(range(size))
        take: list[int] = []
        put: list[int] = []
        why = "its channels belong to another group in the source"
        for number in numbers:
            here, chosen = self.target.groups[number], self.groups.get(number)
            if chosen is None:
                continue
            there = self.source.groups[chosen]
            if here.role == "class" and not self.head:
                return "the head is inherited only between equal architectures of the same classes"
            if here.role == "input" and here.size != there.size:
                return f"{here.size} input channels here, {there.size} in the source"
            ours, theirs = here.members[name, axis], there.members.get((source_name, axis))
            if theirs is None:
                continue
            if ours.shape[1] != theirs.shape[1]:
                why = f"a channel covers {ours.shape[1]} positions here, {theirs.shape[1]} there"
                continue
            taken, filled = self.channels[number]
            take += theirs[taken].reshape(-1).tolist()
            put += ours[filled].reshape(-1).tolist()
            why = why if taken else NOTHING
        return (take, put) if put else why
