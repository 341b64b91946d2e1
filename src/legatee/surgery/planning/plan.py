"""Plan a transfer: which elements of the target come from where, before a single one is copied."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from legatee.errors import TraceError, TransferError
from legatee.plans.moves import Move, Untouched
from legatee.plans.options import PlanOptions, plan_options
from legatee.plans.plan import TransferPlan
from legatee.surgery.network.catalog import Catalog, read, read_tensors, state
from legatee.surgery.planning.channels import Channels, given_channels, scores_of
from legatee.surgery.planning.classes import classes_of, heads
from legatee.surgery.planning.draft import NOTHING, Draft
from legatee.surgery.planning.incomplete import drop_strays
from legatee.surgery.planning.match import chosen_only, match_groups, match_tensors
from legatee.surgery.planning.unsupported import unsupported_elements
from legatee.surgery.planning.warnings import left_behind, remarks


def plan(
    source: nn.Module | Catalog,
    target: nn.Module | Catalog,
    options: PlanOptions | None = None,
    *,
    example_inputs: Tensor | None = None,
    data: Tensor | tuple[Tensor, Tensor] | None = None,
    **overrides: Any,
) -> TransferPlan:
    """Plan what a target network inherits from a source network; nothing is copied.

    Channels that are added, multiplied, normalised or convolved together are inherited together:
    every tensor that a channel runs through takes it from the same source channel, so what the
    inherited channels compute from inherited channels is what they computed in the source. The
    heads of an attention are inherited whole. Position embeddings of another image size and first
    convolutions of other input channels are resized as timm does, and the plan says so. Tables
    that are looked up by number, such as words, are taken row by row where both have as many.

    Args:
        source: Upstream network, or its catalogue when many targets are planned for.
        target: Downstream network, or its catalogue.
        options: What is asked for; the defaults of :class:`PlanOptions` if ``None``.
        example_inputs: An input that both networks accept, to trace them with; where absent, one
            is guessed from the network's first layer [b, ...].
        data: Downstream inputs, or inputs with their labels, for the rules that look at them.
        **overrides: Single options by name, such as ``alpha=0.5``; they replace those of
            ``options``.

    Returns:
        The plan, to be printed, saved, compared, or given to :func:`legatee.inherit`.

    Raises:
        TransferError: If ``alpha`` is outside 0..1, a name is not there, what a rule looks at is
            missing, the networks share nothing, or one of them is none, such as a state alone.
        UnknownNameError: If there is no such rule, or no class of that name.
        TraceError: If a share of the channels is asked for that cannot be followed.

    Source:
        Algorithm 1 of the paper, carried to deep networks (*ours*).

    Example:
        >>> wide = nn.Sequential(nn.Conv2d(1, 8, 3), nn.ReLU(), nn.Conv2d(8, 4, 3), nn.Flatten())
        >>> slim = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Conv2d(4, 4, 3), nn.Flatten())
        >>> print(plan(wide, slim).moves[0].take)
        ('0:7:2', '0:1', '0:3', '0:3')
    """
    asked = plan_options(options, overrides)
    alpha, rule = asked.alpha, asked.rule
    ours, theirs, notes = _catalogs(source, target, example_inputs, whole=alpha in (0, 1))
    named = asked.rule_name
    inputs, labels = data if isinstance(data, tuple) else (data, None)
    evidence = {"labels": labels, "threshold": asked.threshold}
    channels = Channels(
        source=ours,
        target=theirs,
        alpha=alpha,
        rule=named,
        seed=asked.seed,
        scores=scores_of(named, source, ours, inputs, evidence),
        given=given_channels(ours, rule) if isinstance(rule, Mapping) else {},
    )
    matched = chosen_only(
        match_tensors(ours, theirs, asked.match), theirs, asked.include, asked.exclude
    )
    alike = ours.is_like(theirs)
    settled, said = heads(
        classes_of("target", target, theirs, asked.class_names),
        classes_of("source", source, ours, asked.source_class_names),
        classes=asked.class_map,
        same=alike,
        head=asked.head,
    )
    draft = Draft(
        source=ours,
        target=theirs,
        match=matched,
        groups=match_groups(ours, theirs, matched.tensors, pad_kernels=asked.pad_kernels),
        pick=channels.pick,
        heads=settled,
        whole=alike or not theirs.groups,
        pad_kernels=asked.pad_kernels,
    )
    found = {name: draft.move(name) if alpha > 0 else NOTHING for name in theirs.tensors}
    _settle(found, theirs)
    moves = [made for made in found.values() if isinstance(made, Move)]
    entries = tuple(
        Untouched(target=name, shape=theirs.tensors[name].shape, reason=made)
        if isinstance(made, str)
        else made
        for name, made in found.items()
    )
    if channels.unscored:
        notes.append(
            f"{len(channels.unscored)} source groups could not be measured by {named!r} and took "
            "evenly spread channels"
        )
    notes += [*said, *left_behind(draft, found)]
    drawn = TransferPlan(
        source=_type_of(source),
        target=_type_of(target),
        source_digest=ours.digest,
        target_digest=theirs.digest,
        options=asked,
        entries=entries,
        warnings=(*notes, *remarks(draft, moves)),
        unsupported_elements=unsupported_elements(theirs, moves),
    )
    if alpha > 0 and not any(theirs.tensors[move.target].trainable for move in moves):
        hint = "; matching by roles needs no names" if asked.match is None and theirs.groups else ""
        raise TransferError(f"nothing would be inherited ({_why(drawn)}){hint}")
    return drawn


def _type_of(network: nn.Module | Catalog) -> str:
    """Return what a plan calls a network that has no other name."""
    return "" if isinstance(network, Catalog) else type(network).__name__


def _why(drawn: TransferPlan) -> str:
    """Name the nearest reasons, each once, with a tensor of which it is true."""
    reasons: dict[str, str] = {}
    for rest in drawn.untouched:
        reasons.setdefault(rest.reason, rest.target)
    said = "; ".join(f"{name}: {reason}" for reason, name in list(reasons.items())[:3])
    return "; ".join([said, *drawn.warnings[:1]])


def _settle(found: dict[str, Move | str], target: Catalog) -> None:
    """Leave what is worth nothing by itself; without known channels, modules in parts too."""
    if target.groups:
        drop_strays(found, target)
        return
    for names in target.modules.values():
        left = next((n for n in names if isinstance(found[n], str)), None)
        for name in names:
            if left is not None and isinstance(found[name], Move):
                found[name] = f"{left!r} of its module is not inherited"


def _catalog(network: nn.Module | Catalog, data: Tensor | None) -> Catalog:
    """Catalogue a network with the caller's data, or with a guess where it does not accept them."""
    if isinstance(network, Catalog):
        return network
    try:
        return read(network, data)
    except TraceError as error:
        if data is None:
            raise
        try:
            return read(network)
        except TraceError:
            raise error from None  # what the caller's own data met says more


def _check_given(side: str, given: object) -> None:
    """Refuse what is no network, or one without a tensor."""
    if not isinstance(given, nn.Module | Catalog):
        raise TransferError(
            f"the {side} is a {type(given).__name__}, through which no channels can be followed; "
            "pass the network it belongs to, or its catalogue, "
            "legatee.surgery.network.catalog.read(network), and weights alone to "
            "inherit(plan, weights, target)"
        )
    if not (given.tensors if isinstance(given, Catalog) else state(given)):
        raise TransferError(f"the {side} holds no weights, so nothing can be inherited")


def _catalogs(
    source: nn.Module | Catalog, target: nn.Module | Catalog, data: Tensor | None, *, whole: bool
) -> tuple[Catalog, Catalog, list[str]]:
    """Catalogue both networks; where channels cannot be followed, only whole tensors can move."""
    for side, given in (("source", source), ("target", target)):
        _check_given(side, given)
    try:
        return _catalog(source, data), _catalog(target, data), []
    except TraceError as error:
        if not whole:
            raise TraceError(
                f"{error}; without knowing its channels no share of them can be inherited (pass "
                "`data`, a batch that the network accepts, or alpha=1 for whole tensors)"
            ) from error
        ours, theirs = (
            Catalog(tensors=one.tensors, groups=())
            if isinstance(one, Catalog)
            else read_tensors(one)
            for one in (source, target)
        )
        blind = (
            f"channels could not be followed ({error}): only whole modules of equal names and "
            "shapes are inherited; whether their channels agree, and which of them shows the "
            "classes, is unknown"
        )
        return ours, theirs, [] if ours.is_like(theirs) else [blind]
