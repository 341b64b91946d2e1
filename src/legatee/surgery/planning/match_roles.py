"""Matching by role, whatever things are called: kind of operation, kernel, stage and position."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

from legatee.surgery.network.catalog import Catalog
from legatee.surgery.network.uses import Use
from legatee.surgery.planning.match_names import stripped

Role = tuple


@dataclass(frozen=True)
class _Layer:
    """One use of tensors, what it is to the network, and the name of its main tensor."""

    use: Use
    role: Role
    name: str
    bare: str
    shows: bool  # whether its rows are what the network shows at its output

    def may_fill(self, layer: "_Layer") -> bool:
        """Tell whether another layer may take from this one: no head becomes a hidden layer."""
        return layer.shows or not self.shows or layer.bare == self.bare


def by_role(source: Catalog, target: Catalog) -> tuple[dict[str, str], tuple[str, ...]]:
    """Match layers of the same kind, kernel and stage, in order; equal names come first.

    Where the source has fewer layers of a role than the target, each is taken more than once. A
    norm goes with the layer before it.

    Args:
        source: Catalogue of the upstream network.
        target: Catalogue of the downstream network.

    Returns:
        Target tensor name -> source tensor name, and sentences about layers taken more than once.
    """
    names = stripped(source, target)
    ours, theirs = (
        _layers(
            side, {name: bare for bare, name in reversed(bares.items())}
        )  # its own name, not a tie's
        for side, bares in zip((source, target), names, strict=True)
    )
    found: dict[str, str] = {}
    notes: list[str] = []
    peers_of = _by_role(ours)
    for role, stages in _by_role(theirs).items():
        for level, layers in stages.items():
            nearest = min(peers_of.get(role, {}), key=lambda n: (abs(n - level), n), default=level)
            peers = peers_of.get(role, {}).get(nearest, [])
            for layer, peer in _paired(layers, peers):
                if peer.may_fill(layer):
                    _take(layer.use, peer.use, found)
            if peers:
                notes += _remarks(layers, peers, level, nearest)
    _follow(ours, theirs, found)
    for name in [name for name, tensor in target.tensors.items() if not tensor.shape]:
        module, _, leaf = name.rpartition(".")  # counts that no operation reads go with their norm
        beside = next((found[n] for n in target.modules[module] if n in found), "")
        counter = f"{beside.rpartition('.')[0]}.{leaf}"
        if name not in found and counter in source.tensors:
            found[name] = counter
    return {t: found[t] for t in target.tensors if t in found}, tuple(notes)


def _layers(catalog: Catalog, bare: dict[str, str]) -> list[_Layer]:
    """Return the layers of a network in the order in which they are used, each once."""
    layers, seen = [], set()
    for use in catalog.uses:
        main = use.reads.get("weight") or next(iter(use.reads.values()))
        if main not in seen and main in bare:
            seen.add(main)
            role = _role(use, catalog.tensors[main].shape, entrance=main in catalog.entrances)
            layers.append(_Layer(use, role, main, bare[main], main in catalog.shown))
    return layers


def _role(use: Use, shape: tuple[int, ...], *, entrance: bool) -> Role:
    """Return what a layer is to its network, stages aside; widths count where it only mixes."""
    widens = 0
    if use.kind in ("convolution", "linear") and set(use.kernel) <= {1} and len(shape) > 1:
        ratio = shape[0] / shape[1]
        few = use.pooled or use.kind == "convolution"  # gates and heads, and any projection
        widens = -1 if ratio < 1 else 0 if ratio == 1 else 1 if few else min(3, round(ratio))
    return use.kind, use.kernel, use.depthwise, len(shape), widens, use.pooled, entrance


def _by_role(layers: list[_Layer]) -> dict[Role, dict[int, list[_Layer]]]:
    """Sort layers by what they are, then by stage."""
    found: dict[Role, dict[int, list[_Layer]]] = defaultdict(lambda: defaultdict(list))
    for layer in layers:
        if layer.use.kind != "norm":
            found[layer.role][layer.use.level].append(layer)
    return found


def _paired(layers: list[_Layer], peers: list[_Layer]) -> list[tuple[_Layer, _Layer]]:
    """Pair layers of one role: equal names first, the others in order, the unused ones first."""
    named = {peer.bare: peer for peer in peers}
    pairs = [(layer, named[layer.bare]) for layer in layers if layer.bare in named]
    used = {id(peer) for _, peer in pairs}
    rest = [layer for layer in layers if layer.bare not in named]
    free = [peer for peer in peers if id(peer) not in used]
    if len(free) >= len(rest):
        return pairs + list(zip(rest, free, strict=False))
    where = {id(layer): i for i, layer in enumerate(layers)}
    return pairs + [
        (layer, peers[where[id(layer)] * len(peers) // len(layers)]) for layer in rest if peers
    ]


def _take(ours: Use, theirs: Use, found: dict[str, str]) -> None:
    """Match the tensors of two uses by what the operation calls them."""
    for slot, name in ours.reads.items():
        if slot in theirs.reads:
            found.setdefault(name, theirs.reads[slot])


def _follow(ours: list[_Layer], theirs: list[_Layer], found: dict[str, str]) -> None:
    """Match each norm with the one that stands where it stands to a matched layer."""
    bare = {layer.name: layer.bare for layer in (*ours, *theirs)}
    norms = {layer.bare: layer for layer in ours if layer.use.kind == "norm"}
    for step in (-1, 1):  # after a layer, as in most networks; else before it
        beside = {
            layers[0].name: layers[1]
            for layers in _beside(ours, step)
            if layers[1].use.kind == "norm"
        }
        for near, norm in _beside(theirs, step):
            if norm.use.kind != "norm" or norm.name in found or near.name not in found:
                continue
            peer = beside.get(found[near.name])
            if bare.get(found[near.name]) == near.bare:  # a last norm is no first one
                peer = norms.get(norm.bare, peer)
            if peer is not None:
                _take(norm.use, peer.use, found)


def _beside(layers: list[_Layer], step: int) -> list[tuple[_Layer, _Layer]]:
    """Return each layer with the one that comes after it, or before it."""
    pairs = list(pairwise(layers))
    return pairs if step < 0 else [(after, before) for before, after in pairs]


def _remarks(layers: list[_Layer], peers: list[_Layer], level: int, nearest: int) -> Iterable[str]:
    """Say where layers are taken more than once, or from another stage."""
    what = f"{_words(layers[0])} at 1/{2**level} of the image"
    if len(peers) < len(layers):
        yield f"{len(peers)} source layers fill {len(layers)} target layers: {what}"
    if nearest != level:
        yield f"no source layer is of that stage: {what} come from 1/{2**nearest}"


def _words(layer: _Layer) -> str:
    """Say what kind of layer this is."""
    side = "x".join(map(str, layer.use.kernel))
    depth = "depthwise " if layer.use.depthwise else ""
    return f"{depth}{side} {layer.use.kind}s".strip()
