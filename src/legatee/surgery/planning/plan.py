"""Plan a transfer: which elements of the target come from where, before a single one is copied."""

from collections.abc import Mapping
from typing import Any

from torch import nn

from legatee.errors import TraceError, TransferError
from legatee.plans.moves import Move, Untouched
from legatee.plans.options import PlanOptions, plan_options
from legatee.plans.plan import TransferPlan
from legatee.surgery.checking.check import self_check
from legatee.surgery.network.calls import Rule
from legatee.surgery.network.catalog import Catalog
from legatee.surgery.network.inputs import ExampleInputs
from legatee.surgery.network.network import Network
from legatee.surgery.planning.batches import Data
from legatee.surgery.planning.channels import channels_of
from legatee.surgery.planning.classes import classes_of, earlier_scores, heads
from legatee.surgery.planning.draft import Draft
from legatee.surgery.planning.drafted import NOTHING, Drafted
from legatee.surgery.planning.grow import check_growth, growth_notes
from legatee.surgery.planning.incomplete import drop_strays
from legatee.surgery.planning.match import Match, chosen_only, match_groups, match_tensors
from legatee.surgery.planning.taken_channels import Pick, TakenChannels
from legatee.surgery.planning.unsupported import unsupported_moves
from legatee.surgery.planning.warnings import left_behind, remarks

Outcomes = dict[str, Move | str]


def plan(  # noqa: PLR0913 - a front door
    source: nn.Module | Catalog,
    target: nn.Module | Catalog,
    options: PlanOptions | None = None,
    *,
    example_inputs: ExampleInputs | None = None,
    data: Data | None = None,
    operations: Mapping[Any, Rule] | None = None,
    check: bool = False,
    **overrides: Any,
) -> TransferPlan:
    """Plan what a target network inherits from a source network; nothing is copied.

    Channels that are added, multiplied, normalised or convolved together are inherited together:
    every tensor that has such a channel takes it from the same source channel, so an inherited
    channel computes what it computed in the source. Attention heads are inherited whole. Position
    embeddings for another image size and first convolutions with another number of input channels
    are resized as in timm, with a warning. Token embeddings are copied row by row if both networks
    have equally many tokens.

    Args:
        source: Upstream network; or its catalogue, ``legatee.catalog(source)``, when many plans
            are made with it.
        target: Downstream network, or its catalogue.
        options: What is asked for; the defaults of :class:`PlanOptions` if ``None``.
        example_inputs: Inputs that both networks accept, to trace their channels with: a tensor, a
            tuple for ``network(*example_inputs)`` or a dictionary for
            ``network(**example_inputs)``; if absent, an image, a vector or token numbers are
            guessed from the network's first layer. Only shapes and types are used.
        data: Downstream data, for selection rules that measure channels: inputs,
            ``(inputs, labels)``, a ``Dataset`` of (input, label), or a ``DataLoader``. All of it
            is used, once, batch by batch.
        operations: Channel rules for operations that are not built in, such as your own of
            ``torch.library``: ``{torch.ops.mine.op: rule}``.
        check: Whether to run both networks and compare what inherited layers compute
            (:func:`~legatee.surgery.checking.check.self_check`); the plan keeps the result as
            ``plan.check``. It costs one or two runs of both networks on the CPU.
        **overrides: Single options by name, such as ``alpha=0.5``; they replace those of
            ``options``.

    Returns:
        The plan, to be printed, saved, compared, or given to :func:`legatee.inherit`.

    Raises:
        TransferError: If an option is out of its range or contradicts another, a name is not in
            the network, what a rule needs is missing, one of the networks is no network, or
            nothing would be inherited.
        UnknownNameError: If there is no such selection rule, or no class of that name.
        TraceError: If a share of the channels is asked for, but the channels of one of the
            networks cannot be traced.

    Source:
        Algorithm 1 of the paper, extended to deep networks (*ours*).

    Example:
        >>> wide = nn.Sequential(nn.Conv2d(1, 8, 3), nn.ReLU(), nn.Conv2d(8, 4, 3), nn.Flatten())
        >>> slim = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Conv2d(4, 4, 3), nn.Flatten())
        >>> print(plan(wide, slim).moves[0].take)
        ('0:7:2', '0:1', '0:3', '0:3')
    """
    asked = plan_options(options, overrides)
    check_growth(asked)
    source_network = Network.of(source, example_inputs, which="source", operations=operations)
    target_network = Network.of(target, example_inputs, which="target", operations=operations)
    notes = _notes_if_untraced(source_network, target_network, asked.alpha)
    channels = channels_of(source_network, target_network, asked, data)
    drafted, head_notes = _drafted(source_network, target_network, asked, channels.pick)
    outcomes = _complete(drafted, traced=not (source_network.untraced or target_network.untraced))
    moves = [move for move in outcomes.values() if isinstance(move, Move)]
    unsupported = unsupported_moves(drafted.target, moves)
    notes += [
        *_held(drafted),
        *_unscored(drafted, asked),
        *head_notes,
        *left_behind(drafted, outcomes),
    ]
    if asked.grow is not None:
        trainable = (name for name, tensor in drafted.target.tensors.items() if tensor.trainable)
        untouched = [name for name in trainable if isinstance(outcomes[name], str)]
        notes += growth_notes(drafted.target, moves, untouched)
    used = {move.source for move in moves}
    names = drafted.source.names
    made = TransferPlan(
        source=source_network.name,
        target=target_network.name,
        source_digest=drafted.source.digest,
        target_digest=drafted.target.digest,
        source_unused=tuple(name for name in drafted.source.tensors if name not in used),
        source_ties={name: first for name, first in names.items() if name != first},
        options=asked,
        entries=_entries(outcomes, drafted.target),
        warnings=(*notes, *remarks(drafted, moves, unsupported)),
        unsupported_elements=sum(move.inherited_elements for move in unsupported),
    )
    _check_inherits(made, drafted.target)
    if not check:
        return made
    return self_check(made, source_network, target_network, example_inputs)


def _notes_if_untraced(source: Network, target: Network, alpha: float) -> list[str]:
    """Warn that only whole modules can be inherited, or refuse if a share of them is asked for."""
    untraced = [network for network in (source, target) if network.untraced]
    if not untraced:
        return []
    causes = "; ".join(
        f"the channels of the {n.which} cannot be traced: {n.untraced}" for n in untraced
    )
    if alpha not in (0, 1):
        raise TraceError(
            f"{causes}; without them no share of the channels can be inherited (pass "
            "example_inputs=, inputs that the network accepts, or alpha=1 for whole tensors)"
        )
    if source.catalog.is_like(target.catalog):
        return []
    head = ", and which layer is the classification head" if len(untraced) == 2 else ""
    return [
        f"{causes}; only whole modules with equal names and shapes are inherited, and it is not "
        f"known whether their channels agree{head}"
    ]


def _drafted(
    source: Network, target: Network, options: PlanOptions, pick: Pick
) -> tuple[Drafted, list[str]]:
    """Match tensors, channel groups and classes, and draft the moves."""
    catalogs = source.catalog, target.catalog
    matched = chosen_only(
        match_tensors(*catalogs, options.match), target.catalog, options.include, options.exclude
    )
    if options.alpha == 0:
        matched = Match(tensors={}, reasons=dict.fromkeys(target.catalog.tensors, NOTHING))
    alike = target.catalog.is_like(source.catalog)
    classes, notes = heads(
        classes_of("target", target.module, target.catalog, options.class_names),
        classes_of("source", source.module, source.catalog, options.source_class_names),
        classes=options.class_map,
        same=alike,
        head=options.head,
    )
    groups = match_groups(*catalogs, matched.tensors, pad_kernels=options.pad_kernels)
    draft = Draft(
        source=source.catalog,
        target=target.catalog,
        match=matched,
        groups=groups,
        taken=TakenChannels(
            source=source.catalog,
            target=target.catalog,
            pick=pick,
            heads=classes,
            scores=earlier_scores(target.catalog, source.catalog, groups),
            clone=options.grow is not None,
        ),
        heads=classes,
        traced=not (source.untraced or target.untraced),
        whole=alike or not target.catalog.groups,
        options=options,
    )
    return draft.build(), notes


def _complete(drafted: Drafted, *, traced: bool) -> Outcomes:
    """Drop what is useless by itself, such as a norm without its layer."""
    outcomes = dict(drafted.outcomes)
    if not traced:
        for names in drafted.target.modules.values():
            missing = next((n for n in names if isinstance(outcomes[n], str)), None)
            for name in names:
                if missing is not None and isinstance(outcomes[name], Move):
                    outcomes[name] = f"{missing!r} of the same module is not inherited"
    drop_strays(outcomes, drafted.target)
    return outcomes


def _held(drafted: Drafted) -> list[str]:
    """Warn of channels that the trace could not follow one by one, in the target or the source."""
    return [
        f"in the {side}, {note}"
        for side, catalog in (("target", drafted.target), ("source", drafted.source))
        for note in catalog.notes
        if side == "target" or note not in drafted.target.notes
    ]


def _unscored(drafted: Drafted, options: PlanOptions) -> list[str]:
    """Warn of channels that the rule could not rank."""
    if not drafted.unscored:
        return []
    count = len(drafted.unscored)
    groups = "1 source group" if count == 1 else f"{count} source groups"
    return [
        f"rule {options.rule_name!r} could not score the channels of {groups}; evenly spaced "
        "channels of these are inherited instead"
    ]


def _entries(outcomes: Outcomes, target: Catalog) -> tuple[Move | Untouched, ...]:
    """Return the entries of a plan, in the target's order."""
    return tuple(
        Untouched(target=name, shape=target.tensors[name].shape, reason=outcome)
        if isinstance(outcome, str)
        else outcome
        for name, outcome in outcomes.items()
    )


def _check_inherits(made: TransferPlan, target: Catalog) -> None:
    """Refuse a plan by which no parameter is inherited although some were asked for."""
    if made.options.alpha == 0 or any(target.tensors[m.target].trainable for m in made.moves):
        return
    reasons: dict[str, str] = {}
    for entry in made.untouched:
        reasons.setdefault(entry.reason, entry.target)
    causes = [f"{name}: {reason}" for reason, name in list(reasons.items())[:3]]
    hint = ""
    if made.options.match is None and target.groups:
        hint = "; match='roles' (--match roles) pairs layers without regard to their names"
    raise TransferError(
        f"nothing would be inherited ({'; '.join([*causes, *made.warnings[:1]])}){hint}"
    )
