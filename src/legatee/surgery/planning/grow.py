"""Filling a larger target from a smaller source, so that it computes what the source computes."""

from collections.abc import Sequence

from legatee.errors import TransferError
from legatee.plans.moves import Move
from legatee.plans.options import PlanOptions
from legatee.surgery.network.catalog import Catalog

Axis = tuple[str, int]  # of a tensor by name
Channels = tuple[int, ...]
SCALES = ("norm", "elementwise")


def check_growth(options: PlanOptions) -> None:
    """Refuse options that contradict one another where a larger target is to be filled.

    Args:
        options: What a plan is asked for.

    Raises:
        TransferError: If only a share of the target is asked for, or copies without any growth.
    """
    if options.grow is not None and options.alpha != 1:
        raise TransferError(
            f"grow={options.grow!r} (--grow) fills the whole target, but alpha (--alpha) is "
            f"{options.alpha:g}; leave alpha at 1"
        )
    if options.grow is None and options.uneven_copies:
        raise TransferError(
            f"uneven_copies (--uneven-copies) is {options.uneven_copies:g}, but nothing is copied "
            "without grow='clone' (--grow clone)"
        )


def cloned(available: int, wanted: int) -> tuple[Channels, Channels]:
    """Repeat the channels of a source group until they fill a larger target group.

    Copies of one channel are neighbours in the target, so that they stay in the same group of a
    grouped convolution or a group normalisation.

    Args:
        available: Channels of the source group [count].
        wanted: Channels of the target group, more than that [count].

    Returns:
        The source channels, and the target channel that each of them fills, first copies first
        [wanted].

    Source:
        Net2WiderNet (Chen, Goodfellow and Shlens 2016, arXiv 1511.05641), with the order of
        HyperCloning (Samragh et al. 2024, arXiv 2409.12903) changed to neighbours (*ours*).

    Example:
        >>> cloned(2, 5)
        ((0, 1, 0, 1, 0), (0, 3, 1, 4, 2))
    """
    starts = [-(-channel * wanted // available) for channel in range(available + 1)]
    rounds = -(-wanted // available)
    pairs = [
        (channel, starts[channel] + turn)
        for turn in range(rounds)
        for channel in range(available)
        if starts[channel] + turn < starts[channel + 1]
    ]
    return tuple(channel for channel, _ in pairs), tuple(place for _, place in pairs)


def dividing_axes(target: Catalog) -> frozenset[Axis]:
    """Find the axes along which inherited values are divided among copies.

    A layer that sums over copies of a channel divides its weight among them. A token embedding
    that is also the output layer cannot be divided, because its rows are looked up as they are; the
    norm before the output layer is divided instead, if nothing else reads it.

    Args:
        target: Catalogue of the downstream network.

    Returns:
        Names of tensors, with the axis.
    """
    axes: set[Axis] = set()
    for name, tensor in target.tensors.items():
        axis = _summed_axis(tensor.axis_roles)
        if axis is not None:
            axes.add((name, axis))
    for number in _tied_outputs(target):
        norms = target.uses[number].reads_from
        readers = [use for use in target.uses if set(norms) & set(use.reads_from)]
        if len(norms) == len(readers) == 1 and target.uses[norms[0]].kind in SCALES:
            axes |= {(name, 0) for name in target.uses[norms[0]].reads.values()}
    return frozenset(axes)


def growth_notes(target: Catalog, moves: Sequence[Move], untouched: Sequence[str]) -> list[str]:
    """Say why a target that was filled with copies may not compute what the source computes.

    Args:
        target: Catalogue of the downstream network.
        moves: What is inherited.
        untouched: Names of the parameters that inherit nothing.

    Returns:
        Sentences, none where nothing is known to differ.
    """
    notes = []
    if untouched:
        more = f" and {len(untouched) - 1} more" if len(untouched) > 1 else ""
        notes.append(
            f"the target does not compute what the source computes: {untouched[0]!r}{more} keep "
            "their initial values"
        )
    by_name = {move.target: move for move in moves}
    axes = dividing_axes(target)
    for number in _tied_outputs(target):
        name = target.uses[number].main
        norm = [
            n
            for read in target.uses[number].reads_from
            if read >= 0
            for n in target.uses[read].reads.values()
        ]
        if (
            by_name.get(name) is not None
            and by_name[name].copies
            and not all((n, 0) in axes for n in norm or [name])
        ):
            notes.append(
                f"the outputs are multiplied: {name!r} is both the token embedding and the output "
                "layer, so it cannot be divided among copies"
            )
    for use in target.uses:
        across = use.kind in SCALES and "running_mean" not in use.reads
        move = (
            by_name.get(use.main) if across and len(target.tensors[use.main].shape) == 1 else None
        )
        if move is not None and move.copies and move.filled % (move.filled - move.copies):
            notes.append(
                f"{use.main!r} scales {move.filled} channels, no multiple of the source's "
                f"{move.filled - move.copies}; if a normalisation across channels comes before it, "
                "some channels count more there than in the source"
            )
            break
    return notes


def _tied_outputs(target: Catalog) -> list[int]:
    """Return the linear layers whose weight is also a table of token embeddings."""
    tables = {use.main for use in target.uses if use.kind == "embedding"}
    return [n for n, use in enumerate(target.uses) if use.kind == "linear" and use.main in tables]


def _summed_axis(roles: tuple[str, ...]) -> int | None:
    """Return the axis of a weight that a layer sums over, if it sums over whole channels."""
    if "groups" in roles:  # a grouped convolution sums within one channel of the plan
        return None
    if "in" in roles:
        return roles.index("in")
    return roles.index("heads") if "heads" in roles and "out" in roles else None
