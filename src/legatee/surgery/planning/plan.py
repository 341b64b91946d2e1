"""Plan a transfer: which elements of the target come from where, before a single one is copied."""

from collections.abc import Iterable, Mapping, Sequence

from torch import Tensor, nn

from legatee.errors import TraceError, TransferError
from legatee.plans.moves import Move, Untouched
from legatee.plans.plan import TransferPlan
from legatee.surgery.network.catalog import Catalog, read, read_tensors, state
from legatee.surgery.planning.channels import Channels, given_channels, scores_of
from legatee.surgery.planning.classes import Class, classes_of, heads
from legatee.surgery.planning.draft import NOTHING, Draft
from legatee.surgery.planning.incomplete import drop_strays
from legatee.surgery.planning.match import chosen_only, match_groups, match_tensors
from legatee.surgery.planning.warnings import left_behind, remarks


def plan(  # noqa: PLR0913 - a front door
    source: nn.Module | Catalog,
    target: nn.Module | Catalog,
    *,
    alpha: float = 1.0,
    rule: str | Mapping[str, Iterable[int]] = "uniform",
    match: Mapping[str, str] | str | None = None,
    include: Iterable[str] = (),
    exclude: Iterable[str] = (),
    classes: Mapping[Class, Class] | None = None,
    class_names: Sequence[str] | None = None,
    source_class_names: Sequence[str] | None = None,
    data: Tensor | None = None,
    labels: Tensor | None = None,
    threshold: float = 0.5,
    seed: int = 0,
    head: bool = True,
    pad_kernels: bool = False,
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
        alpha: Share of each channel group of the target that inherits, halves of a channel
            rounded up; the rest keeps the target's own start [fraction, 0..1].
        rule: Which source channels: ``"uniform"``, ``"first"``, ``"random"``; ``"largest"`` by the
            norm of the weights that make them; ``"active"``, the ones above zero on most of
            ``data``; ``"signal"``, the ones whose class means in ``data`` differ most against
            their noise; or the channels themselves by source layer, ``"uniform"`` elsewhere.
        match: ``None`` for equal names, stages and blocks, prefixes aside; ``"first:k"``,
            ``"last:k"``, ``"spaced:k"`` blocks of a longer row; ``"roles"`` by kind of layer,
            kernel, stage and position, without consistent channels; or target module or tensor ->
            source module or tensor, which leaves out all else.
        include: Modules, tensors or patterns of the target that may inherit; all if empty.
        exclude: Modules, tensors or patterns of the target that must not.
        classes: Target class -> source class, by number or name, such as ``{"cat": 281}``;
            nothing else of a head is then inherited.
        class_names: Names of the target's classes in order, by which ``classes`` may call them;
            where absent, those in the ``config`` of a network of transformers. Without
            ``classes``, what has one name in both networks is one class.
        source_class_names: Likewise of the source's, such as torchvision's
            ``weights.meta["categories"]``.
        data: Downstream inputs. The first is what channels are followed with; where absent, or a
            network does not accept it, an input is guessed from the network's first layer [n, ...].
        labels: Class of each input, for ``"signal"`` [n].
        threshold: Share of ``data`` on which a channel must be above zero for ``"active"``
            [fraction, 0..1].
        seed: Of the ``"random"`` rule.
        head: Whether the layer that shows the classes may be inherited; without ``classes`` and
            without names it is only between equal architectures, whose classes are then taken to
            be the same.
        pad_kernels: Whether a convolution's kernel may go into the middle of a larger one, such as
            1x1 into 3x3, of odd sizes. What is around is filled with zeros, so that the inherited
            channels compute what they did, where the padding has grown as well; the plan says so.

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
    if not 0 <= alpha <= 1:
        raise TransferError(f"alpha is {alpha}; expected a share between 0 and 1")
    if seed < 0:
        raise TransferError(f"seed is {seed}; expected 0 or a number above")
    ours, theirs, notes = _catalogs(source, target, data, whole=alpha in (0, 1))
    named = rule if isinstance(rule, str) else "given"
    evidence = {"labels": labels, "threshold": threshold}
    channels = Channels(
        source=ours,
        target=theirs,
        alpha=alpha,
        rule=named,
        seed=seed,
        scores=scores_of(named, source, ours, data, evidence),
        given={} if isinstance(rule, str) else given_channels(ours, rule),
    )
    matched = chosen_only(match_tensors(ours, theirs, match), theirs, include, exclude)
    alike = ours.is_like(theirs)
    settled, said = heads(
        classes_of("target", target, theirs, class_names),
        classes_of("source", source, ours, source_class_names),
        classes=classes,
        same=alike,
        head=head,
    )
    draft = Draft(
        source=ours,
        target=theirs,
        match=matched,
        groups=match_groups(ours, theirs, matched.tensors, pad_kernels=pad_kernels),
        pick=channels.pick,
        heads=settled,
        whole=alike or not theirs.groups,
        pad_kernels=pad_kernels,
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
        source_digest=ours.digest,
        target_digest=theirs.digest,
        alpha=alpha,
        rule=named,
        seed=seed,
        entries=entries,
        warnings=(*notes, *remarks(draft, moves)),
    )
    if alpha > 0 and not any(theirs.tensors[move.target].trainable for move in moves):
        hint = "; matching by roles needs no names" if match is None and theirs.groups else ""
        raise TransferError(f"nothing would be inherited ({_why(drawn)}){hint}")
    return drawn


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
