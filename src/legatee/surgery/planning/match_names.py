"""Matching by name: prefixes that only one of two networks has are stripped, blocks aligned."""

from collections import Counter
from itertools import product

from legatee.surgery.network.catalog import Catalog
from legatee.surgery.network.names import without_wrappers
from legatee.surgery.planning.block_rule import BlockRule
from legatee.surgery.planning.match_blocks import align, tree

PREFIXES = ("backbone.", "model.")  # what larger networks call a network that they contain
Names = dict[str, str]  # stripped name -> name


def stripped(source: Catalog, target: Catalog) -> tuple[Names, Names]:
    """Strip prefixes that only one of two networks has, where more names agree without them.

    Args:
        source: Catalogue of the upstream network.
        target: Catalogue of the downstream network.

    Returns:
        Stripped name -> name, of the source's tensors and of the target's. Tied tensors of the
        source are listed under all of their names, since the target may have them untied.
    """
    bare_names = without_wrappers([*source.names])
    source_names = dict(zip(bare_names, source.names.values(), strict=True))
    target_names = {bare: name for name, bare in target.bare_names.items()}
    if 2 * len(source_names.keys() & target_names.keys()) >= len(target_names):
        return source_names, target_names
    # of equally good candidates the first one wins, which is the one with the shortest prefixes
    candidates = [*product(_without_prefixes(source_names), _without_prefixes(target_names))]
    candidates += [(source_names, bare) for bare in _within_module(target_names, source_names)]
    candidates += [(bare, target_names) for bare in _within_module(source_names, target_names)]
    return max(candidates, key=lambda pair: len(pair[0].keys() & pair[1].keys()))


def _within_module(names: Names, other_names: Names) -> list[Names]:
    """Strip modules that hold most tensors, until most of the other network is found in one."""
    largest, count = Counter(name.partition(".")[0] for name in names).most_common(1)[0]
    bare = _without_prefix(names, f"{largest}.") if 2 * count > len(names) else None
    if bare is None:
        return []
    common = len(bare.keys() & other_names.keys())
    if 2 * common > min(len(bare), len(other_names)):
        return [bare]
    return _within_module(bare, other_names)


def _without_prefixes(names: Names) -> list[Names]:
    """Return the names as they are, and without one or two known prefixes."""
    candidates = [names]
    for first in PREFIXES:
        once = _without_prefix(names, first)
        if once is not None:
            candidates.append(once)
            twice = (_without_prefix(once, second) for second in PREFIXES)
            candidates += [bare for bare in twice if bare is not None]
    return candidates


def _without_prefix(names: Names, prefix: str) -> Names | None:
    """Strip a prefix where it occurs; ``None`` if it never does, or two names become equal."""
    bare = {name.removeprefix(prefix): full for name, full in names.items()}
    return bare if len(bare) == len(names) and bare.keys() != names.keys() else None


def aligned(source: Catalog, target: Catalog, rule: BlockRule | None) -> Names:
    """Align the modules of two networks: by equal names, and numbered blocks stage by stage.

    Args:
        source: Catalogue of the upstream network.
        target: Catalogue of the downstream network.
        rule: Which blocks of a deeper source are copied; blocks of equal names if ``None``.

    Returns:
        Target tensor name -> source tensor name.
    """
    source_names, target_names = stripped(source, target)
    same_name = {name: source_names.get(bare) for bare, name in target_names.items()}
    if rule is None and target_names.keys() <= source_names.keys():
        return {name: source_names[bare] for bare, name in target_names.items()}
    matches: Names = {}
    align(tree(target_names, target), tree(source_names, source), rule, matches)
    return {  # an output layer fills a hidden layer only under the same name, not by its position
        name: match
        for name, match in matches.items()
        if match == same_name[name] or match not in source.shown or name in target.shown
    }
