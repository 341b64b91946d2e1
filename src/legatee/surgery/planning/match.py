"""Which tensor, and which channel group, of the target inherits from which of the source."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from legatee.errors import TransferError
from legatee.surgery.network.catalog import Catalog
from legatee.surgery.planning.block_rule import block_rule
from legatee.surgery.planning.group_scores import GroupScores
from legatee.surgery.planning.match_names import aligned
from legatee.surgery.planning.match_roles import by_role

ITERATIONS = 3  # of the coordinate ascent over groups; more never changed a choice


@dataclass(frozen=True, kw_only=True)
class Match:
    """Which tensors of a target inherit from which of a source.

    Attributes:
        tensors: Target tensor name -> source tensor name, in the target's order.
        reasons: Why a tensor that could have been matched was left out.
        consistent: Whether each channel group inherits from one source group only.
        notes: What the reader of a plan should know, in sentences.
    """

    tensors: dict[str, str]
    reasons: dict[str, str] = field(default_factory=dict)
    consistent: bool = True
    notes: tuple[str, ...] = ()


def match_tensors(source: Catalog, target: Catalog, match: Mapping[str, str] | str | None) -> Match:
    """Find the source tensor that each target tensor inherits from.

    Args:
        source: Catalogue of the upstream network.
        target: Catalogue of the downstream network.
        match: ``None`` aligns equal names, stages and blocks, prefixes aside; ``"first:k"``,
            ``"last:k"``, ``"spaced:k"`` choose k blocks of a deeper source; ``"roles"`` pairs
            layers of the same kind, kernel size and stage by position, without consistent
            channels; a mapping of target module or tensor -> source module or tensor matches
            nothing else (``""`` is the whole network; the most specific name wins).

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
            raise TransferError(
                "match='roles' (--match roles) needs networks whose channels can be traced"
            )
        tensors, notes = by_role(source, target)
        return Match(tensors=tensors, consistent=False, notes=notes)
    if match is None or isinstance(match, str):
        return Match(tensors=_in_order(aligned(source, target, block_rule(match)), target))
    return _match_by_mapping(source, target, match)


def _match_by_mapping(source: Catalog, target: Catalog, match: Mapping[str, str]) -> Match:
    """Match the modules and tensors that a mapping names; specific names overrule general ones."""
    tensors: dict[str, str] = {}
    by_depth = sorted(match.items(), key=lambda item: item[0].count(".") + bool(item[0]))
    for target_module, source_module in by_depth:
        below = {
            name: _renamed(name, target_module, source_module)
            for name in target.tensors
            if _is_below(name, target_module)
        }
        if not below:
            raise TransferError(f"match names {target_module!r}, which is not in the target")
        pairs = {t: source.names[s] for t, s in below.items() if s in source.names}
        if not pairs:
            raise TransferError(
                f"match names {source_module!r}, but the source has no tensor there that "
                f"corresponds to one of the target's {target_module!r}"
            )
        tensors |= pairs
    rest = {name: "not named in match" for name in target.tensors if name not in tensors}
    return Match(tensors=_in_order(tensors, target), reasons=rest)


def chosen_only(
    match: Match, target: Catalog, include: Iterable[str], exclude: Iterable[str]
) -> Match:
    """Keep only what is included and not excluded.

    Args:
        match: What would be inherited.
        target: Catalogue of the downstream network.
        include: Modules, tensors or patterns (``*``, ``?``) of the target; all if empty.
        exclude: Modules, tensors or patterns that are left out.

    Returns:
        The rest of the match, with reasons for what is left out.

    Raises:
        TransferError: If a pattern fits nothing in the target.
    """
    include, exclude = tuple(include), tuple(exclude)
    for option, patterns in (("include", include), ("exclude", exclude)):
        for pattern in patterns:
            if not any(_fits(name, pattern) for name in target.tensors):
                raise TransferError(
                    f"{option} pattern {pattern!r} (--{option}) fits no tensor of the target"
                )
    reasons = dict(match.reasons)
    for name in match.tensors:
        excluding = next((p for p in exclude if _fits(name, p)), None)
        if excluding is not None:
            reasons[name] = f"excluded by {excluding!r}"
        elif include and not any(_fits(name, p) for p in include):
            reasons[name] = "not included"
    kept = {t: s for t, s in match.tensors.items() if t not in reasons}
    return Match(tensors=kept, reasons=reasons, consistent=match.consistent, notes=match.notes)


def match_groups(
    source: Catalog, target: Catalog, tensors: Mapping[str, str], *, pad_kernels: bool = False
) -> dict[int, int]:
    """Find the one source group from which each channel group of the target inherits.

    The candidates of a target group are the source groups along the axes of its matched tensors.
    Each group first takes the candidate that most of its elements could come from; then each in
    turn takes the candidate by which most elements are filled, given the choices of all others,
    until no choice changes (coordinate ascent).

    Args:
        source: Catalogue of the upstream network.
        target: Catalogue of the downstream network.
        tensors: Target tensor -> source tensor.
        pad_kernels: Whether a kernel may be placed in the middle of a larger one.

    Returns:
        Target group number -> number of a source group of a role that may fill it.
    """
    scores = GroupScores(source, target, tensors, pad_kernels)
    weights = {number: scores.elements_at_stake(number) for number in range(len(target.groups))}
    chosen = {
        number: max(weight, key=lambda n: (weight[n], -n))
        for number, weight in weights.items()
        if weight
    }
    for _ in range(ITERATIONS):
        before = dict(chosen)
        for number, weight in weights.items():
            if len(weight) > 1:
                filled = {n: scores.elements_filled(number, n, chosen) for n in weight}
                chosen[number] = max(weight, key=lambda n: (filled[n], weight[n], -n))
        if chosen == before:
            break
    return {t: s for t, s in chosen.items() if scores.feeds_inherited_layer(t, s, chosen)}


def _in_order(tensors: Mapping[str, str], target: Catalog) -> dict[str, str]:
    """Return a match in the order of the target's tensors."""
    return {name: tensors[name] for name in target.tensors if name in tensors}


def _renamed(name: str, target_module: str, source_module: str) -> str:
    """Return the source's name for a tensor below a module of the target."""
    rest = name if target_module == "" else name.removeprefix(target_module)
    if source_module == "":
        return rest.removeprefix(".")
    return f"{source_module}.{rest}" if target_module == "" else source_module + rest


def _is_below(name: str, module: str) -> bool:
    """Tell whether a tensor is the named one or lies in the named module."""
    return module == "" or name == module or name.startswith(f"{module}.")


def _fits(name: str, pattern: str) -> bool:
    """Tell whether a pattern names a tensor or a module above it."""
    parts = name.split(".")
    return any(fnmatchcase(".".join(parts[:n]), pattern) for n in range(1, len(parts) + 1))
