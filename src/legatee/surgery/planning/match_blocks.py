"""Aligning the blocks of two networks of other depth: by name, by stage, and by kind of block."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from legatee.surgery.network.catalog import Catalog
from legatee.surgery.planning.block_rule import BlockRule

NUMBERED = re.compile(r"(.*?)(\d+)")
ALIKE = 0.5  # share of equal weights from which two modules are of a similar kind


@dataclass
class Module:
    """A module of the tree of names.

    Attributes:
        tensors: Last part of a tensor's name -> its full name, for the module's own tensors.
        children: Name -> module.
        kind: Names of all tensors below, numbers as ``*``, with the kind of layer of each.
        level: Base-2 logarithm of the downsampling factor at its end, where that is known.
    """

    tensors: dict[str, str] = field(default_factory=dict)
    children: dict[str, "Module"] = field(default_factory=dict)
    kind: frozenset[tuple[str, str]] = frozenset()
    level: int | None = None

    @property
    def is_layer(self) -> bool:
        """Whether it contains no other module."""
        return not self.children

    def is_like(self, other: "Module") -> bool:
        """Tell whether another module is of a similar kind.

        Args:
            other: The other module.

        Returns:
            Whether half of the weights of both have equal names and kinds of layer.
        """
        kinds = _weights(self.kind), _weights(other.kind)
        return len(kinds[0] & kinds[1]) >= ALIKE * len(kinds[0] | kinds[1])


def _weights(kind: frozenset[tuple[str, str]]) -> frozenset[tuple[str, str]]:
    """Keep a module's weights; biases and norms count only where a module has nothing else."""
    return frozenset(k for k in kind if k[1] not in ("0 axes", "1 axes")) or kind


def tree(names: Mapping[str, str], catalog: Catalog) -> Module:
    """Arrange the tensors of a network in the tree of its modules.

    Args:
        names: Stripped name -> name.
        catalog: Catalogue of the network.

    Returns:
        The network itself, as the root of the tree.
    """
    levels = {
        name: use.level for use in catalog.uses if not use.pooled for name in use.reads.values()
    }
    root = Module()
    for bare, name in names.items():
        node, parts = root, bare.split(".")
        for depth, part in enumerate(parts[:-1]):
            node = node.children.setdefault(part, Module())
            rest = ".".join("*" if p.isdigit() else p for p in parts[depth + 1 :])
            node.kind |= {(rest, _layer_kind(catalog.tensors[name].shape))}
            node.level = levels.get(name, node.level)
        node.tensors[parts[-1]] = name
    return root


def _layer_kind(shape: tuple[int, ...]) -> str:
    """Tell from a tensor's shape what kind of layer it belongs to."""
    if len(shape) < 3:
        return f"{len(shape)} axes"
    if shape[1] == 1:
        return "depthwise"
    return "pointwise" if set(shape[2:]) == {1} else "spatial"


@dataclass(frozen=True)
class BlockRow:
    """Children of a target module and of a source module whose names begin alike.

    Attributes:
        prefix: What their names begin with: all before the number, or the whole name.
        numbered: Whether their names end in a number.
        target_children: Name -> module, in the target's order.
        source_children: Name -> module, in the source's order.
    """

    prefix: str
    numbered: bool
    target_children: dict[str, Module] = field(default_factory=dict)
    source_children: dict[str, Module] = field(default_factory=dict)

    def is_sequence(self, rule: BlockRule | None) -> bool:
        """Tell whether the numbers are no more than an order, so that other ones may be paired.

        Args:
            rule: Which blocks are asked for; without one, children of equal names are paired.

        Returns:
            Whether these are blocks, or layers of a sequence, to be aligned by position.
        """
        if not self.numbered or not self.target_children or not self.source_children:
            return False
        same_names = list(self.target_children) == list(self.source_children)
        children = [*self.target_children.values(), *self.source_children.values()]
        if all(child.is_layer for child in children):
            # conv1 and conv2 are names; 0, 3 and 6 of a sequence are positions
            return self.prefix == "" and not same_names
        if same_names:
            blocks = pairwise(self.target_children.values())
            return rule is not None and any(a.is_like(b) for a, b in blocks)
        return True

    def pairs(self, rule: BlockRule | None) -> list[tuple[Module, Module]]:
        """Pair the children.

        Args:
            rule: Which blocks are asked for.

        Returns:
            Modules of the target and of the source.
        """
        if self.is_sequence(rule):
            target_blocks = list(self.target_children.values())
            source_blocks = list(self.source_children.values())
            return pair_by_stage(target_blocks, source_blocks, rule or BlockRule("first"))
        names = (name for name in self.target_children if name in self.source_children)
        return [(self.target_children[name], self.source_children[name]) for name in names]


def align(target: Module, source: Module, rule: BlockRule | None, matches: dict[str, str]) -> None:
    """Match one module's tensors by name, then align its children and go down into each pair.

    Args:
        target: A module of the target.
        source: The module of the source that it is paired with.
        rule: Which blocks of a deeper source are copied; blocks of equal names if ``None``.
        matches: Target tensor name -> source tensor name; the new matches are added.
    """
    for leaf, name in target.tensors.items():
        if leaf in source.tensors:
            matches[name] = source.tensors[leaf]
    for row in _rows(target, source):
        for target_child, source_child in row.pairs(rule):
            align(target_child, source_child, rule, matches)


def _rows(target: Module, source: Module) -> list[BlockRow]:
    """Sort the children of two modules into rows."""
    rows: dict[tuple[str, bool], BlockRow] = {}

    def row_of(name: str) -> BlockRow:
        number = NUMBERED.fullmatch(name)
        key = (number[1] if number else name), number is not None
        return rows.setdefault(key, BlockRow(*key))

    for name, child in target.children.items():
        row_of(name).target_children[name] = child
    for name, child in source.children.items():
        row_of(name).source_children[name] = child
    return list(rows.values())


def pair_by_stage(
    target_blocks: Sequence[Module], source_blocks: Sequence[Module], rule: BlockRule
) -> list[tuple[Module, Module]]:
    """Pair the blocks of two sequences, stage by stage.

    A stage is a run of blocks of one resolution. With as many stages on both sides they correspond
    in order, else those of one resolution do. VGG-16's ``features`` has 2, 2, 3, 3 and 3
    convolutions in its five stages, VGG-11's has 1, 1, 2, 2 and 2: ``features.3``, the second stage
    of VGG-11, is paired with ``features.5``, the first convolution of the second stage of VGG-16.

    Args:
        target_blocks: Blocks or layers of the target, in order.
        source_blocks: Blocks or layers of the source, in order.
        rule: Which blocks of each stage are copied.

    Returns:
        Pairs of blocks.
    """
    target_stages, source_stages = _stages(target_blocks), _stages(source_blocks)
    if len(target_stages) != len(source_stages):
        by_level = dict(source_stages)
        target_stages = [stage for stage in target_stages if stage[0] in by_level]
        source_stages = [(level, by_level[level]) for level, _ in target_stages]
    return [
        pair
        for (_, target_stage), (_, source_stage) in zip(target_stages, source_stages, strict=True)
        for pair in pair_by_kind(target_stage, source_stage, rule)
    ]


def pair_by_kind(
    target_blocks: Sequence[Module], source_blocks: Sequence[Module], rule: BlockRule
) -> list[tuple[Module, Module]]:
    """Pair the blocks of one stage, kind by kind: blocks of equal layers are of one kind.

    In ResNets the first block of a stage also has a projection (``downsample``), so it is a kind of
    its own. ``layer3`` has blocks 0 to 5 in ResNet-50 and 0 to 22 in ResNet-101: block 0 is paired
    with block 0, and blocks 1 to 5 with 1 to 5, or by ``last:2`` blocks 1 and 2 with 21 and 22.

    Args:
        target_blocks: Blocks of one stage of the target, in order.
        source_blocks: Blocks of one stage of the source, in order.
        rule: Which blocks of each kind are copied.

    Returns:
        Pairs of blocks.
    """
    pairs = []
    for kind in dict.fromkeys(block.kind for block in target_blocks):
        alike = [block for block in target_blocks if block.kind == kind]
        equal = [block for block in source_blocks if block.kind == kind]
        similar = [block for block in source_blocks if block.is_like(alike[0])]
        partners = equal or similar or source_blocks
        numbers = rule.pairs(len(alike), len(partners))
        pairs += [(alike[i], partners[j]) for i, j in numbers]
    return pairs


def _stages(blocks: Sequence[Module]) -> list[tuple[int | None, list[Module]]]:
    """Cut a sequence of blocks where the resolution changes."""
    stages: list[tuple[int | None, list[Module]]] = []
    for block in blocks:
        level = block.level if block.level is not None else stages[-1][0] if stages else None
        if stages and stages[-1][0] in (level, None):
            stages[-1] = (level, [*stages[-1][1], block])
        else:
            stages.append((level, [block]))
    return stages
