"""Which tensor, and which channel group, of the target takes from which of the source."""

from collections import Counter
from collections.abc import Mapping
from math import prod

from legatee.errors import TransferRefused
from legatee.surgery.catalog import Catalog


def match_tensors(
    source: Catalog, target: Catalog, explicit: Mapping[str, str] | None
) -> dict[str, str]:
    """Say which source tensor each target tensor is to take from.

    Args:
        source: Catalogue of the upstream network.
        target: Catalogue of the downstream network.
        explicit: Target module or tensor -> source module or tensor; names not below any of them
            match nothing. ``None`` matches equal names, wrappers' prefixes aside.

    Returns:
        Target tensor name -> source tensor name, in the target's order.

    Raises:
        TransferRefused: If an explicit name is in neither network.

    Example:
        >>> from torch import nn
        >>> from legatee.surgery.catalog import read
        >>> small, large = nn.Sequential(nn.Linear(3, 2)), nn.Sequential(nn.Linear(3, 4))
        >>> match_tensors(read(large), read(small), None)
        {'0.weight': '0.weight', '0.bias': '0.bias'}
    """
    if explicit is None:
        theirs = {bare: name for name, bare in source.bare_names.items()}
        return {t: theirs[bare] for t, bare in target.bare_names.items() if bare in theirs}
    found: dict[str, str] = {}
    for to, frm in explicit.items():
        below = {t: frm + t.removeprefix(to) for t in target.tensors if _is_below(t, to)}
        if not below:
            raise TransferRefused(f"match names {to!r}, which is not in the target")
        pairs = {t: s for t, s in below.items() if s in source.tensors}
        if not pairs:
            raise TransferRefused(f"match names {frm!r}, which holds nothing like {to!r}")
        found |= pairs
    return {t: found[t] for t in target.tensors if t in found}


def match_groups(source: Catalog, target: Catalog, tensors: Mapping[str, str]) -> dict[int, int]:
    """Give each channel group of the target the one source group it takes its channels from.

    Among the source groups that its matched tensors touch, the one that touches most elements of
    the target wins.

    Args:
        source: Catalogue of the upstream network.
        target: Catalogue of the downstream network.
        tensors: Target tensor -> source tensor.

    Returns:
        Target group number -> source group number, of the same role.
    """
    chosen = {}
    for number, group in enumerate(target.groups):
        votes: Counter[int] = Counter()
        for name, axis in group.members:
            rivals = target.groups_along[name, axis]
            theirs = source.groups_along.get((tensors.get(name, ""), axis), ())
            theirs = tuple(n for n in theirs if source.groups[n].role == group.role)
            if len(rivals) == len(theirs):  # concatenated groups correspond in their order
                theirs = (theirs[rivals.index(number)],)
            for candidate in theirs:
                votes[candidate] += prod(target.tensors[name].shape)
        if votes:
            chosen[number] = max(votes, key=lambda n: (votes[n], -n))
    return chosen


def _is_below(name: str, module: str) -> bool:
    """Tell whether a tensor is the named one or lies in the named module."""
    return name == module or name.startswith(f"{module}.")
