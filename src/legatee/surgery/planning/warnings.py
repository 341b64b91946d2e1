"""What the reader of a plan should know before applying it, in sentences."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from math import isqrt, prod

from legatee.plans.moves import Move
from legatee.plans.positions import expand
from legatee.surgery.planning.differences import differences, sides
from legatee.surgery.planning.drafted import FOREIGN, Drafted
from legatee.surgery.planning.unsupported import unsupported_warning
from legatee.text import share

MUCH = 0.1  # share of the target that other coupling of channels must leave out to be warned of


def remarks(draft: Drafted, moves: list[Move], unsupported: list[Move]) -> list[str]:
    """Warn of what is unusual about the moves of a plan.

    Args:
        draft: What the plan was made from.
        moves: What is inherited.
        unsupported: What layers inherit that read channels of which none is inherited.

    Returns:
        Sentences, the most important first.
    """
    return [
        *_mixed(draft),
        *unsupported_warning(unsupported),
        *draft.match.notes,
        *_former_outputs(draft, moves),
        *differences(draft.source, draft.target, moves),
        *_padded_kernels(moves),
        *(
            _resized(move)
            for move in moves
            if move.blend is not None and move.blend.how in ("bicubic", "sum", "cycle")
        ),
    ]


def left_behind(draft: Drafted, found: Mapping[str, Move | str]) -> list[str]:
    """Warn of what is not inherited although the reader may expect it.

    Args:
        draft: What the plan was made from.
        found: Target tensor -> its move, or the reason why there is none.

    Returns:
        Sentences; none where nothing is missing.
    """
    return [*_classes(draft, found), *_other_coupling(draft, found)]


def _classes(draft: Drafted, outcomes: Mapping[str, Move | str]) -> list[str]:
    """Say why a head inherits no class although some classes correspond."""
    groups = draft.target.groups
    heads = [name for group in groups if group.role == "class" for name, _ in group.members]
    reasons = [reason for name in heads if isinstance(reason := outcomes[name], str)]
    if not draft.heads.classes or len(reasons) < len(heads):
        return []
    return [f"no class is inherited, though {len(draft.heads.classes)} correspond: {reasons[0]}"]


def _other_coupling(draft: Drafted, outcomes: Mapping[str, Move | str]) -> list[str]:
    """Say that much is not inherited because the blocks of both networks differ in kind."""
    sizes = {name: prod(tensor.shape) for name, tensor in draft.target.tensors.items()}
    left_out = sum(sizes[name] for name, outcome in outcomes.items() if outcome == FOREIGN)
    if left_out < MUCH * sum(sizes.values()):
        return []
    return [
        f"{share(left_out / sum(sizes.values()))} of the target is not inherited, because its "
        "channels are coupled in another way than the source's; match='roles' (--match roles) "
        "inherits it, without consistent channels"
    ]


def _mixed(draft: Drafted) -> list[str]:
    """Say how many channel groups inherit from more than one source group."""
    if not draft.mixed:
        return []
    number, source_groups = max(draft.mixed.items(), key=lambda item: (len(item[1]), -item[0]))
    first = next(iter(draft.target.groups[number].members))[0]
    return [
        f"channels are not consistent: {len(draft.mixed)} of {len(draft.target.groups)} channel "
        f"groups inherit from several source groups, that of {first!r} from "
        f"{max(len(source_groups), 2)}; inherited layers do not read the channels that they read "
        "in the source"
    ]


def _former_outputs(draft: Drafted, moves: list[Move]) -> Iterable[str]:
    """Say where the source's output layer becomes a hidden layer: it may have been a head."""
    outputs = {t for t, s in draft.groups.items() if draft.source.groups[s].role == "class"}
    for move in moves:
        rows = draft.target.groups_along.get((move.target, 0), ())
        if any(n in outputs and draft.target.groups[n].role == "hidden" for n in rows):
            yield (
                f"{move.target!r} is the source's output layer but a hidden layer of the target; "
                "check that it is not a classification head"
            )
            return


def _padded_kernels(moves: list[Move]) -> Iterable[str]:
    """Say which kernels are placed in the middle of larger ones."""
    names: dict[str, list[str]] = defaultdict(list)
    for move in moves:
        if move.blend is not None and move.blend.how == "pad":
            small, large = sides(move.source_shape[2:]), sides(move.target_shape[2:])
            sizes = f"{small} kernels are placed in the middle of {large} kernels of zeros"
            names[sizes].append(move.target)
    for sizes, padded in names.items():
        more = f" and {len(padded) - 1} more" if len(padded) > 1 else ""
        yield f"{padded[0]!r}{more}: {sizes}"


def _resized(move: Move) -> str:
    """Say how one axis was computed."""
    assert move.blend is not None
    axis, lead = move.blend.axis, move.blend.lead
    available, wanted = (len(expand(side[axis])) for side in (move.take, move.put))
    if move.blend.how != "bicubic":
        verb = "summed to one" if wanted == 1 else f"repeated in turn to fill {wanted}, rescaled"
        return f"{move.target!r}: {available} input channels are {verb}"
    old, new = (isqrt(n - lead) for n in (available, wanted))
    tokens = f"; the first {lead} are copied" if lead else ""
    return f"{move.target!r}: {old}x{old} positions are resized to {new}x{new} (bicubic){tokens}"
