"""Which channels of a source group a target group takes, and which of its own they become."""

from collections.abc import Callable
from dataclasses import dataclass, field

from legatee.surgery.network.catalog import Catalog
from legatee.surgery.planning.channels import Picked
from legatee.surgery.planning.drafted import HEAD, Heads
from legatee.surgery.planning.grow import Channels, cloned

Pick = Callable[[int, int], Picked]  # (target group, source group) -> source channels


@dataclass(kw_only=True)
class TakenChannels:
    """Tells which channels pairs of groups exchange; it remembers them, and is used for one plan.

    Attributes:
        source: Catalogue of the source.
        target: Catalogue of the target.
        pick: Which channels of a source group a hidden target group takes.
        heads: What is known of the classes.
        scores: Target groups before the output whose channels are scores of the same classes.
        clone: Whether a larger target group is filled with copies.
        unscored: Source groups whose channels the rule could not rank.
    """

    source: Catalog
    target: Catalog
    pick: Pick
    heads: Heads
    scores: frozenset[int]
    clone: bool
    unscored: set[int] = field(default_factory=set, init=False)
    _known: dict[tuple[int, int], tuple[Channels, Channels]] = field(
        default_factory=dict, init=False
    )

    def channels(self, number: int, chosen: int) -> tuple[Channels, Channels]:
        """Return the channels that a group takes from another one, and those they become.

        Args:
            number: Number of the target group.
            chosen: Number of the source group.

        Returns:
            Channels of the source group, and as many of the target group.
        """
        if (number, chosen) not in self._known:
            self._known[number, chosen] = self._channels(number, chosen)
        return self._known[number, chosen]

    def _channels(self, number: int, chosen: int) -> tuple[Channels, Channels]:
        group, source_group = self.target.groups[number], self.source.groups[chosen]
        if self._is_class(number) and self.heads.classes is not None:
            pairs = list(self.heads.classes.items())
            return tuple(s for _, s in pairs), tuple(t for t, _ in pairs)
        if group.role != "hidden":
            same = tuple(range(group.size)) if group.size == source_group.size else ()
            return same, same
        if self.clone and source_group.size < group.size:
            return cloned(source_group.size, group.size)
        picked = self.pick(number, chosen)
        if picked.unscored:
            self.unscored.add(chosen)
        places = range(len(picked.channels)) if picked.places is None else picked.places
        return picked.channels, tuple(places)

    def refusal(self, number: int, chosen: int) -> str | None:
        """Say why classes, inputs and other channels whose order has a meaning are not taken.

        Args:
            number: Number of the target group.
            chosen: Number of the source group.

        Returns:
            The reason, or ``None`` where they may be taken.
        """
        group, source_group = self.target.groups[number], self.source.groups[chosen]
        inputs = source_group.role == "input"  # also at the output, where embeddings are tied to it
        known = inputs or self.heads.same or self.heads.classes is not None
        if self._is_class(number) and not known:
            return HEAD
        if inputs and group.size != source_group.size:
            return (
                f"the target has {group.size} input channels or tokens, the source "
                f"{source_group.size}"
            )
        if "fixed" in (group.role, source_group.role) and group.size != source_group.size:
            return (
                "its channels meet constants or positions, so that their order has a meaning, and "
                f"the target has {group.size} of them, the source {source_group.size}"
            )
        return None

    def _is_class(self, number: int) -> bool:
        """Tell whether a group of the target stands for classes."""
        return self.target.groups[number].role == "class" or number in self.scores
