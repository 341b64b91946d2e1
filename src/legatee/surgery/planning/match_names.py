"""Names of two networks laid side by side: prefixes stripped, blocks and stages aligned."""

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise, product

from legatee.errors import TransferError
from legatee.surgery.network.catalog import Catalog
from legatee.surgery.network.names import without_wrappers
from legatee.surgery.planning.select import evenly

PREFIXES = ("backbone.", "model.")  # what puts a network into another one calls it
NUMBERED = re.compile(r"(.*?)(\d+)")
LAYERS = re.compile(r"(first|last|spaced):([1-9]\d*)")
ALIKE = 0.5  # share of its tensors that a module has in common with another one of its kind


@dataclass(frozen=True)
class Layers:
    """Which blocks of a longer row are taken: ``first:k``, ``last:k``, ``spaced:k``."""

    order: str
    count: int | None  # as many as fit where absent

    def pairs(self, ours: int, theirs: int) -> list[tuple[int, int]]:
        """Return (position in the target, position in the source) of each pair of blocks."""
        k = min(ours, theirs, self.count or ours)
        if self.order == "spaced":
            return list(enumerate(evenly(theirs, k)))
        start = theirs - k if self.order == "last" else 0
        return [(i, start + i) for i in range(k)]


def layers_of(text: str | None) -> Layers | None:
    """Read a layer rule.

    Args:
        text: ``"first:k"``, ``"last:k"``, ``"spaced:k"``, or ``None``.

    Returns:
        The rule, or ``None``.

    Raises:
        TransferError: If it is none of these.
    """
    if text is None:
        return None
    found = LAYERS.fullmatch(text)
    if found is None:
        raise TransferError(
            f"match {text!r} is not understood; expected 'roles', 'first:k', 'last:k' or "
            "'spaced:k' with a number k of blocks, or a mapping of target names to source names"
        )
    return Layers(found[1], int(found[2]))


def stripped(source: Catalog, target: Catalog) -> tuple[dict[str, str], dict[str, str]]:
    """Strip what only one of two networks has before its names, where more names agree without.

    Args:
        source: Catalogue of the upstream network.
        target: Catalogue of the downstream network.

    Returns:
        Stripped name -> name, of the source's tensors and of the target's; second names of tied
        tensors of the source too, which the target may have apart.
    """
    ours = dict(zip(without_wrappers([*source.names]), source.names.values(), strict=True))
    theirs = {bare: name for name, bare in target.bare_names.items()}
    if 2 * len(ours.keys() & theirs.keys()) >= len(theirs):
        return ours, theirs
    tried = [*product(_strippings(ours), _strippings(theirs))]  # the shortest strippings come first
    tried += [(ours, bare) for bare in _inside(theirs, ours)]
    tried += [(bare, theirs) for bare in _inside(ours, theirs)]
    return max(tried, key=lambda pair: len(pair[0].keys() & pair[1].keys()))


def _inside(names: dict[str, str], others: dict[str, str]) -> list[dict[str, str]]:
    """Strip the module that holds most tensors, where most of another network is found in it."""
    largest, held = Counter(name.partition(".")[0] for name in names).most_common(1)[0]
    bare = _off(names, f"{largest}.") if 2 * held > len(names) else None
    if bare is None or 2 * len(bare.keys() & others.keys()) <= min(len(bare), len(others)):
        return []
    return [bare]


def _strippings(names: dict[str, str]) -> list[dict[str, str]]:
    """Return the names as they are, and with one or two known prefixes off those that have them."""
    found = [names]
    for first in PREFIXES:
        once = _off(names, first)
        if once is not None:
            found.append(once)
            found += [twice for p in PREFIXES if (twice := _off(once, p)) is not None]
    return found


def _off(names: dict[str, str], prefix: str) -> dict[str, str] | None:
    """Take a prefix off the names that have it; ``None`` if none has or two would become one."""
    short = {bare.removeprefix(prefix): name for bare, name in names.items()}
    return short if len(short) == len(names) and short.keys() != names.keys() else None


def aligned(source: Catalog, target: Catalog, layers: Layers | None) -> dict[str, str]:
    """Lay two networks' modules over one another: equal names, and rows of blocks by stage.

    Args:
        source: Catalogue of the upstream network.
        target: Catalogue of the downstream network.
        layers: Which blocks of a row are taken; equal names first where absent.

    Returns:
        Target tensor name -> source tensor name.
    """
    ours, theirs = stripped(source, target)
    if layers is None and theirs.keys() <= ours.keys():
        return {name: ours[bare] for bare, name in theirs.items()}
    found: dict[str, str] = {}
    _lay(_tree(theirs, target), _tree(ours, source), layers, found)
    same = {name: ours.get(bare) for bare, name in theirs.items()}
    return {  # a place in a row makes no hidden layer of a head
        t: s for t, s in found.items() if s == same[t] or s not in source.shown or t in target.shown
    }


@dataclass
class _Module:
    """A module of the tree of names."""

    tensors: dict[str, str] = field(default_factory=dict)  # leaf -> full name
    children: dict[str, "_Module"] = field(default_factory=dict)
    kind: frozenset[tuple[str, str]] = frozenset()  # its weights' names and forms, numbers aside
    level: int | None = None  # halvings of the image at its end

    @property
    def is_layer(self) -> bool:
        return not self.children

    def is_like(self, other: "_Module") -> bool:
        ours, theirs = (_telling(module.kind) for module in (self, other))
        return len(ours & theirs) >= ALIKE * len(ours | theirs)


def _telling(kind: frozenset[tuple[str, str]]) -> frozenset[tuple[str, str]]:
    """Keep a module's weights; biases and norms tell a module only where it has nothing else."""
    return frozenset(k for k in kind if k[1] not in ("0 axes", "1 axes")) or kind


def _tree(names: Mapping[str, str], catalog: Catalog) -> _Module:
    levels = {
        name: use.level for use in catalog.uses if not use.pooled for name in use.reads.values()
    }
    root = _Module()
    for bare, name in names.items():
        node, parts = root, bare.split(".")
        for depth, part in enumerate(parts[:-1]):
            node = node.children.setdefault(part, _Module())
            rest = ".".join("*" if p.isdigit() else p for p in parts[depth + 1 :])
            node.kind |= {(rest, _form(catalog.tensors[name].shape))}
            node.level = levels.get(name, node.level)
        node.tensors[parts[-1]] = name
    return root


def _form(shape: tuple[int, ...]) -> str:
    """Return what a tensor's shape says of its layer: its axes, and a convolution's nature."""
    if len(shape) < 3:
        return f"{len(shape)} axes"
    if shape[1] == 1:
        return "depthwise"
    return "pointwise" if set(shape[2:]) == {1} else "spatial"


def _lay(target: _Module, source: _Module, layers: Layers | None, found: dict[str, str]) -> None:
    """Match one module's tensors by name, its numbered children as a row, the others by name."""
    for leaf, name in target.tensors.items():
        if leaf in source.tensors:
            found[name] = source.tensors[leaf]
    rows: dict[str, tuple[list[str], list[str]]] = {}
    for side, node in enumerate((target, source)):
        for name in node.children:
            numbered = NUMBERED.fullmatch(name)
            rows.setdefault(numbered[1] if numbered else f"{name}!", ([], []))[side].append(name)
    for family, (ours, theirs) in rows.items():
        a = [target.children[n] for n in ours]
        b = [source.children[n] for n in theirs]
        if _is_row(a, b, ours == theirs, family, layers):
            pairs = _row_pairs(a, b, layers or Layers("first", None))
        else:
            pairs = [(target.children[n], source.children[n]) for n in ours if n in theirs]
        for one, other in pairs:
            _lay(one, other, layers, found)


def _is_row(
    ours: list[_Module], theirs: list[_Module], same: bool, family: str, layers: Layers | None
) -> bool:
    """Tell a row of blocks or of a plain sequence's layers, whose numbers are only an order."""
    if not ours or not theirs or family.endswith("!"):
        return False
    plain = all(child.is_layer for child in (*ours, *theirs))
    if plain:  # conv1, conv2 have their numbers as names; 0, 3, 6 of a sequence have not
        return family == "" and not same
    if same:
        return layers is not None and any(a.is_like(b) for a, b in pairwise(ours))
    return True


def _row_pairs(
    ours: list[_Module], theirs: list[_Module], layers: Layers
) -> list[tuple[_Module, _Module]]:
    """Pair the children of two rows: stage by stage, kind by kind, in order."""
    # A block that begins a stage often has a projection of its own: it is of another kind than the
    # blocks behind it, and goes with the one that begins the stage in the source.
    pairs = []
    for mine, yours in _stages(ours, theirs):
        while mine:
            first = mine[0]
            kin = [child for child in mine if child.kind == first.kind]
            mine = [child for child in mine if child.kind != first.kind]
            same = [child for child in yours if child.kind == first.kind]
            peers = same or [child for child in yours if child.is_like(first)] or yours
            pairs += [(kin[i], peers[j]) for i, j in layers.pairs(len(kin), len(peers))]
    return pairs


def _stages(
    ours: list[_Module], theirs: list[_Module]
) -> list[tuple[list[_Module], list[_Module]]]:
    """Cut two rows where the image is halved; as many pieces correspond, others by resolution."""
    a, b = _runs(ours), _runs(theirs)
    if len(a) == len(b):
        return [(x, y) for (_, x), (_, y) in zip(a, b, strict=True)]
    levels = dict(b)
    return [(run, levels[level]) for level, run in a if level in levels]


def _runs(row: list[_Module]) -> list[tuple[int | None, list[_Module]]]:
    runs: list[tuple[int | None, list[_Module]]] = []
    for child in row:
        level = child.level if child.level is not None else runs[-1][0] if runs else None
        if runs and runs[-1][0] in (level, None):
            runs[-1] = (level, [*runs[-1][1], child])
        else:
            runs.append((level, [child]))
    return runs
