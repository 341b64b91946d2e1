"""Which channels of a source group each target group inherits: one rule, one inheritance ratio."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from zlib import crc32

import numpy as np
from torch import Tensor

from legatee.errors import TransferError
from legatee.plans.options import PlanOptions
from legatee.rounding import inherited_count
from legatee.surgery.network.catalog import Catalog
from legatee.surgery.network.groups import Group
from legatee.surgery.network.network import Network
from legatee.surgery.planning import rules
from legatee.surgery.planning.batches import Data
from legatee.surgery.planning.rules import Choose, Rule, Scores
from legatee.surgery.planning.select import evenly, highest

NEEDED = {  # what a rule needs -> what the user has to pass
    "data": "downstream data; pass data=inputs, (inputs, labels), a Dataset or a DataLoader",
    "labels": "downstream data with labels; pass data=(inputs, labels)",
}


@dataclass(frozen=True, kw_only=True)
class Picked:
    """The channels of a source group that a target group inherits.

    Attributes:
        channels: Positions in the source group, in the order of the target's channels.
        places: Positions in the target group that they fill; the first ones if ``None``.
        unscored: Whether the rule ranks channels, but could not score those of this group.
    """

    channels: tuple[int, ...]
    places: tuple[int, ...] | None = None
    unscored: bool = False


@dataclass(frozen=True, kw_only=True)
class Channels:
    """Picks the channels of each pair of groups.

    Attributes:
        source: Catalogue of the source.
        target: Catalogue of the target.
        alpha: Share of each target group that is inherited [fraction, 0..1].
        seed: Seed of rules that draw; mixed with the name of the group's first tensor, so that one
            group's channels do not depend on what other groups there are.
        choose: Chooses channels by their number, in groups that have no scores.
        scores: Scores of each source group's channels, for rules that rank; else ``None``.
        listed: Source group -> its channels, where the user listed them.
    """

    source: Catalog
    target: Catalog
    alpha: float
    seed: int
    choose: Choose
    scores: Scores | None
    listed: Mapping[int, tuple[int, ...]]

    def pick(self, target_number: int, source_number: int) -> Picked:
        """Return the channels of a source group that a target group inherits.

        Args:
            target_number: The number of the target group.
            source_number: The number of the source group.

        Returns:
            The channels; always the same ones for the same two groups.

        Raises:
            TransferError: If more channels are listed than the target group has.
        """
        group, source_group = self.target.groups[target_number], self.source.groups[source_number]
        name, axis = next(iter(group.members))
        if source_number in self.listed:
            channels = self.listed[source_number]
            if len(channels) > group.size:
                raise TransferError(
                    f"rule lists {len(channels)} channels for {name!r}, which has {group.size}"
                )
            return Picked(channels=channels)
        scores = None if self.scores is None else self.scores[source_number]
        rng = np.random.default_rng([self.seed, crc32(f"{name}:{axis}".encode())])
        taken: list[int] = []
        places: list[int] = []
        for available, free in _parts(source_group, group):
            wanted = min(inherited_count(self.alpha, len(free)), len(available))
            if not wanted:
                chosen: Sequence[int] = ()
            elif scores is not None:
                chosen = highest(scores[available], wanted)
            else:
                chosen = self.choose(len(available), wanted, rng)
            taken += available[list(chosen)].tolist()
            places += free[: len(chosen)].tolist()
        unscored = bool(taken) and self.scores is not None and scores is None
        return Picked(channels=tuple(taken), places=tuple(places), unscored=unscored)


def _parts(source: Group, target: Group) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return which channels may fill which: within each group of a group normalisation alone."""
    if source.parts is not None and target.parts is not None:
        count = int(source.parts.max()) + 1
        if count == int(target.parts.max()) + 1:
            return [
                (np.flatnonzero(source.parts == part), np.flatnonzero(target.parts == part))
                for part in range(count)
            ]
    return [(np.arange(source.size), np.arange(target.size))]


def channels_of(
    source: Network, target: Network, options: PlanOptions, data: Data | None
) -> Channels:
    """Settle how channels are picked.

    Args:
        source: The upstream network.
        target: The downstream network.
        options: What the plan is asked for.
        data: Downstream data, for the rules that measure channels.

    Returns:
        What picks the channels.

    Raises:
        TransferError: If what the rule needs is missing, or scores or listed channels do not fit
            the source.
        UnknownNameError: If there is no such rule.
    """
    listed: dict[int, tuple[int, ...]] = {}
    rule = rules.find(options.rule) if isinstance(options.rule, str) else rules.find("uniform")
    scores = None
    if isinstance(options.rule, Mapping):
        listed = listed_channels(source.catalog, options.rule)
    elif callable(options.rule):
        module = source.require_weights(f"rule {options.rule_name!r}")
        scores = _checked(options.rule(module, source.catalog, data), source.catalog, options)
    elif rule.scores is not None:
        _check_needs(rule, source, options, data)
        scores = _checked(rule.scores(source, options, data), source.catalog, options)
    return Channels(
        source=source.catalog,
        target=target.catalog,
        alpha=options.alpha,
        seed=options.seed,
        choose=rule.choose or _evenly,
        scores=scores,
        listed=listed,
    )


def _evenly(available: int, wanted: int, rng: np.random.Generator) -> list[int]:
    return evenly(available, wanted)


def _check_needs(rule: Rule, source: Network, options: PlanOptions, data: Data | None) -> None:
    """Refuse a rule that lacks the weights or the data that it needs."""
    source.require_weights(f"rule {options.rule_name!r}")
    if rule.needs in NEEDED and data is None:
        raise TransferError(f"rule {options.rule_name!r} needs {NEEDED[rule.needs]}")


def _checked(scores: object, catalog: Catalog, options: PlanOptions) -> Scores:
    """Refuse scores that are not one array for each channel group."""
    shape = f"one array of scores, or None, for each of the {len(catalog.groups)} channel groups"
    if not isinstance(scores, Sequence) or len(scores) != len(catalog.groups):
        what = f"{len(scores)} of them" if isinstance(scores, Sequence) else type(scores).__name__
        raise TransferError(f"rule {options.rule_name!r} returned {what}; expected {shape}")
    arrays: list[np.ndarray | None] = []
    for group, values in zip(catalog.groups, scores, strict=True):
        if isinstance(values, Tensor):
            values = values.detach().double().cpu()
        array = None if values is None else np.asarray(values, dtype=float)
        if array is not None and array.shape != (group.size,):
            name = next(iter(group.members))[0]
            raise TransferError(
                f"rule {options.rule_name!r} returned scores of shape {array.shape} for the group "
                f"of {name!r}, which has {group.size} channels"
            )
        arrays.append(array)
    return arrays


def listed_channels(
    catalog: Catalog, rule: Mapping[str, Sequence[int]]
) -> dict[int, tuple[int, ...]]:
    """Read channels that are listed by layer as channels of groups.

    Args:
        catalog: Catalogue of the source.
        rule: Layer or tensor of the source -> the output channels to inherit [count from 0].

    Returns:
        Source group -> channels, in the order listed.

    Raises:
        TransferError: If there is no such layer, its output channels are not one group, or layers
            that share a group list different channels.
    """
    found: dict[int, tuple[int, ...]] = {}
    layers: dict[int, str] = {}
    for layer, listed in rule.items():
        name = layer if layer in catalog.tensors else f"{layer}.weight"
        numbers = catalog.groups_along.get((name, 0), ())
        if len(numbers) != 1:
            raise TransferError(
                f"rule lists channels for {layer!r}, which is no layer of the source whose output "
                "channels are one group"
            )
        number, channels = numbers[0], tuple(listed)
        size = catalog.groups[number].size
        if len(set(channels)) < len(channels) or not all(0 <= c < size for c in channels):
            raise TransferError(
                f"rule lists channels {_few(channels)} for {layer!r}; expected different numbers "
                f"from 0 to {size - 1}"
            )
        if found.setdefault(number, channels) != channels:
            raise TransferError(
                f"rule lists different channels for {layers[number]!r} and {layer!r}, which share "
                "their channels"
            )
        layers[number] = layer
    return found


def _few(channels: Sequence[int]) -> str:
    """Return the first of some numbers, as a message names them."""
    more = ", ..." if len(channels) > 6 else ""
    return "[" + ", ".join(map(str, channels[:6])) + more + "]"
