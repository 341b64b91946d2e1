"""Which channels each target group takes, under one rule and one share."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from zlib import crc32

import numpy as np
from torch import Tensor, nn

from legatee.errors import TransferError, UnknownNameError
from legatee.rounding import inherited_count
from legatee.surgery.network.catalog import Catalog, state
from legatee.surgery.planning.evidence import norms, watch
from legatee.surgery.planning.select import RULES, SCORED, select


@dataclass(frozen=True, kw_only=True)
class Channels:
    """Picks the channels of each pair of groups.

    Attributes:
        source: Catalogue of the upstream network.
        target: Catalogue of the downstream network.
        alpha: Share of each target group [fraction, 0..1].
        rule: Selection rule.
        seed: Of the rule, where it draws.
        scores: Of each source group's channels, for rules that rank.
        given: Source group -> its channels, where they were given.
    """

    source: Catalog
    target: Catalog
    alpha: float
    rule: str
    seed: int
    scores: Sequence[np.ndarray | None] = ()
    given: Mapping[int, list[int]] = field(default_factory=dict)
    unscored: set[int] = field(default_factory=set)

    def pick(self, number: int, chosen: int) -> Sequence[int]:
        """Return the channels of a source group that a target group takes.

        Args:
            number: Of the target group.
            chosen: Of the source group.

        Returns:
            Positions in the source group, ascending.

        Raises:
            TransferError: If more channels were given than there is room for.
        """
        group, theirs = self.target.groups[number], self.source.groups[chosen]
        if chosen in self.given:
            channels = self.given[chosen]
            if len(channels) > group.size:
                name = next(iter(group.members))[0]
                raise TransferError(
                    f"{len(channels)} channels were given where {name!r} has {group.size}"
                )
            return channels
        wanted = min(inherited_count(self.alpha, group.size), theirs.size)
        if wanted == 0:
            return []
        name, axis = next(iter(group.members))
        rng = np.random.default_rng([self.seed, crc32(f"{name}:{axis}".encode())])
        scores = self.scores[chosen] if self.scores else None
        if self.rule in SCORED and scores is None:
            self.unscored.add(chosen)
        rule = "uniform" if self.rule == "given" or chosen in self.unscored else self.rule
        return select(rule, theirs.size, wanted, rng, scores)


def scores_of(
    rule: str, network: nn.Module | Catalog, catalog: Catalog, data: Tensor | None, extra: dict
) -> list[np.ndarray | None]:
    """Gather what a rule needs to rank the source's channels.

    Args:
        rule: Selection rule.
        network: The upstream network.
        catalog: Of it.
        data: Downstream inputs, for the rules that look at them [n, ...].
        extra: ``labels`` of the data, and the ``threshold`` of ``"active"``.

    Returns:
        For each source group the scores of its channels, or ``None``; empty if none are needed.

    Raises:
        TransferError: If what the rule looks at is missing.
        UnknownNameError: If there is no such rule.
    """
    if rule not in (*RULES, *SCORED, "given"):
        raise UnknownNameError("selection rule", rule, (*RULES, *SCORED))
    if rule not in SCORED:
        return []
    if isinstance(network, Catalog) or any(v.is_meta for v in state(network).values()):
        raise TransferError(f"rule {rule!r} looks at weights; pass the source network with them")
    if rule == "largest":
        return list(norms(catalog, state(network)))
    labels = extra["labels"]
    if data is None or (rule == "signal" and labels is None):
        needed = "data and their labels" if rule == "signal" else "data"
        raise TransferError(f"rule {rule!r} looks at downstream examples; pass {needed}")
    found = watch(network, data, labels, catalog)
    if rule == "signal":
        return [None if a is None or not len(a.signal) else a.signal for a in found]
    floor = extra["threshold"]
    return [None if a is None else np.where(a.active >= floor, a.active, np.nan) for a in found]


def given_channels(catalog: Catalog, given: Mapping[str, Iterable[int]]) -> dict[int, list[int]]:
    """Read channels that were given by layer as channels of groups.

    Args:
        catalog: Of the upstream network.
        given: Layer or tensor of the source -> channels that it makes [count from 0].

    Returns:
        Source group -> channels, in the order given.

    Raises:
        TransferError: If a layer is not there, makes no group of its own, or layers that share
            channels were given different ones.
    """
    found: dict[int, list[int]] = {}
    said: dict[int, str] = {}
    for layer, values in given.items():
        name = layer if layer in catalog.tensors else f"{layer}.weight"
        numbers = catalog.groups_along.get((name, 0), ())
        if len(numbers) != 1:
            raise TransferError(f"channels were given for {layer!r}, which makes no group of them")
        number, channels = numbers[0], list(values)
        size = catalog.groups[number].size
        if len(set(channels)) < len(channels) or not all(0 <= c < size for c in channels):
            raise TransferError(
                f"channels given for {layer!r} must be different numbers from 0 to {size - 1}"
            )
        if found.setdefault(number, channels) != channels:
            raise TransferError(
                f"{said[number]!r} and {layer!r} share their channels but were given different ones"
            )
        said[number] = layer
    return found
