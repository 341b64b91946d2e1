"""The moves of a plan as they were drafted, with what they were made from and why others failed."""

from collections.abc import Mapping
from dataclasses import dataclass

from legatee.plans.moves import Move
from legatee.surgery.network.catalog import Catalog
from legatee.surgery.planning.match import Match

FOREIGN = "its channels are coupled to another group of source channels"
READ_ON = "it is an output layer in one network and a hidden layer in the other"
HEAD = "the classification head is copied only between equal architectures with the same classes"
PADDING = "pass pad_kernels=True (--pad-kernels) to surround it by zeros"
NOTHING = "alpha is too small to inherit a single channel"


@dataclass(frozen=True, kw_only=True)
class Heads:
    """What is known of the classes of both networks.

    Attributes:
        same: Whether both networks are taken to have the same classes, in the same order.
        classes: Target class -> source class, where they are known one by one.
    """

    same: bool
    classes: Mapping[int, int] | None = None


@dataclass(frozen=True, kw_only=True)
class Drafted:
    """The moves of a plan, and what they were made from.

    Attributes:
        source: Catalogue of the source.
        target: Catalogue of the target.
        match: Which tensors take from which.
        groups: Target group -> the source group that it takes its channels from.
        heads: What is known of the classes.
        outcomes: Target tensor -> the move that fills it, or the reason why there is none.
        mixed: Target groups that take from several source groups -> those source groups.
        unscored: Source groups whose channels the rule should have ranked, but could not score.
    """

    source: Catalog
    target: Catalog
    match: Match
    groups: Mapping[int, int]
    heads: Heads
    outcomes: Mapping[str, Move | str]
    mixed: Mapping[int, frozenset[int]]
    unscored: frozenset[int]
