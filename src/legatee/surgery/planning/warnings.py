"""What a careful reader of a plan should know, in sentences."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from math import isqrt, prod

from legatee.plans.moves import Move
from legatee.plans.positions import expand
from legatee.surgery.network.catalog import Catalog
from legatee.surgery.network.uses import Use
from legatee.surgery.planning.drafted import FOREIGN, Drafted
from legatee.text import share

MUCH = 0.1  # share of the target left because of other blocks, from which a plan says so


def remarks(draft: Drafted, moves: list[Move]) -> list[str]:
    """Say what is unusual about the moves of a plan.

    Args:
        draft: What the plan was made from.
        moves: What is inherited.

    Returns:
        Sentences, the most telling first.
    """
    return [
        *_mixed(draft),
        *draft.match.notes,
        *_read_on(draft, moves),
        *_convolutions(draft.source, draft.target, moves),
        *(_blend(move) for move in moves if move.blend is not None and move.blend.how != "pad"),
    ]


def left_behind(draft: Drafted, found: Mapping[str, Move | str]) -> list[str]:
    """Say what stays as it is though a reader may count on it, and what would fill it.

    Args:
        draft: What the plan was made from.
        found: Target tensor -> its move, or the reason why there is none.

    Returns:
        Sentences, none where nothing is missed.
    """
    return [*_classes(draft, found), *_foreign(draft, found)]


def _classes(draft: Drafted, found: Mapping[str, Move | str]) -> list[str]:
    """Say why classes that are known to mean the same are not inherited."""
    groups = draft.target.groups
    shown = [n for group in groups if group.role == "class" for n, _ in group.members]
    reasons = [found[name] for name in shown if isinstance(found[name], str)]
    if not draft.heads.classes or len(reasons) < len(shown):
        return []
    return [f"no class is inherited, though {len(draft.heads.classes)} correspond: {reasons[0]}"]


def _foreign(draft: Drafted, found: Mapping[str, Move | str]) -> list[str]:
    """Say that blocks of another kind leave much behind."""
    sizes = {name: prod(tensor.shape) for name, tensor in draft.target.tensors.items()}
    left = sum(sizes[name] for name, made in found.items() if made == FOREIGN)
    if left < MUCH * sum(sizes.values()):
        return []
    rest = share(left / sum(sizes.values()))
    return [
        f"{rest} of the target stays as it is, because its blocks join channels in another way "
        "than the source's; matching by roles fills it, without channels that agree"
    ]


def _mixed(draft: Drafted) -> list[str]:
    """Say which groups of channels take from more than one source group."""
    if not draft.mixed:
        return []
    number, others = max(draft.mixed.items(), key=lambda item: (len(item[1]), -item[0]))
    first = next(iter(draft.target.groups[number].members))[0]
    return [
        f"channels are not consistent: {len(draft.mixed)} of {len(draft.target.groups)} groups "
        f"take from several source groups, the one of {first!r} from {max(len(others), 2)}; what "
        "inherited layers read is not what they read in the source"
    ]


def _read_on(draft: Drafted, moves: list[Move]) -> Iterable[str]:
    """Say where the source's last layer becomes a hidden one: whether it is a head is not seen."""
    shown = {t for t, s in draft.groups.items() if draft.source.groups[s].role == "class"}
    for move in moves:
        rows = draft.target.groups_along.get((move.target, 0), ())
        if any(n in shown and draft.target.groups[n].role == "hidden" for n in rows):
            yield f"{move.target!r}: what the source shows at its output is read on here"
            return


def _convolutions(source: Catalog, target: Catalog, moves: list[Move]) -> Iterable[str]:
    """Say where a convolution goes on otherwise than it was learned: stride, dilation, kernel."""
    ours, theirs = (
        {u.reads["weight"]: u for u in side.uses if u.kind == "convolution" and "weight" in u.reads}
        for side in (target, source)
    )
    found: dict[str, list[str]] = defaultdict(list)
    for move in moves:
        here, there = ours.get(move.target), theirs.get(move.source)
        if move.blend is not None and move.blend.how == "pad":
            found[_padded(move, there, here)].append(move.target)
        if here is not None and there is not None:
            for what in ("stride", "dilation"):
                a, b = getattr(there, what), getattr(here, what)
                if a != b:
                    found[f"{what} {_by(a)} in the source, {_by(b)} here"].append(move.target)
    for difference, names in found.items():
        more = f" and {len(names) - 1} more" if len(names) > 1 else ""
        yield f"{names[0]!r}{more}: {difference}"


def _padded(move: Move, there: Use | None, here: Use | None) -> str:
    """Say that kernels went into larger ones, and where they see something else there."""
    small, large = move.source_shape[2:], move.target_shape[2:]
    said = f"{_by(small)} kernels in the middle of {_by(large)}, zeros around"
    if here is None or there is None:
        return said
    grown = zip(small, large, here.dilation, there.padding, here.padding, strict=True)
    if all(dilation * (b - a) == 2 * (after - before) for a, b, dilation, before, after in grown):
        return said
    return f"{said}, but the padding did not grow with them: they see another part of the image"


def _by(sides: tuple[int, ...]) -> str:
    """Write side lengths."""
    return "x".join(map(str, sides))


def _blend(move: Move) -> str:
    """Say how one axis was computed."""
    assert move.blend is not None
    axis, lead = move.blend.axis, move.blend.lead
    have, wanted = (len(expand(side[axis])) for side in (move.take, move.put))
    if move.blend.how != "bicubic":
        verb = "summed to one" if wanted == 1 else f"repeated in turn for {wanted}, scaled"
        return f"{move.target!r}: {have} input channels {verb}"
    a, b = (isqrt(n - lead) for n in (have, wanted))
    after = f" after {lead} kept" if lead else ""
    return f"{move.target!r}: {a}x{a} positions resized to {b}x{b} (bicubic){after}"
