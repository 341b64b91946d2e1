"""Matching by role, whatever the names are: kind of operation, kernel size, stage and position."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from legatee.surgery.network.catalog import Catalog
from legatee.surgery.network.uses import Use
from legatee.surgery.planning.match_names import stripped

Role = tuple


@dataclass(frozen=True)
class _Layer:
    """One use of tensors, with its role in the network.

    Attributes:
        use: What the network does with the tensors.
        role: Kind of operation, kernel size and the like; equal roles may be paired.
        name: Name of the main tensor.
        bare_name: That name without the prefixes that only one of both networks has.
        is_output: Whether its channels are the network's output.
    """

    use: Use
    role: Role
    name: str
    bare_name: str
    is_output: bool

    def may_fill(self, target: "_Layer") -> bool:
        """Tell whether a target layer may inherit from this one: a head fills no hidden layer."""
        return target.is_output or not self.is_output or target.bare_name == self.bare_name


def by_role(source: Catalog, target: Catalog) -> tuple[dict[str, str], tuple[str, ...]]:
    """Match layers of the same kind, kernel size and stage, in order; equal names come first.

    Where the source has fewer layers of a role than the target, each is used several times. A
    norm is matched with the norm that follows the matched layer.

    Args:
        source: Catalogue of the upstream network.
        target: Catalogue of the downstream network.

    Returns:
        Target tensor name -> source tensor name, and sentences about layers that are used several
        times or come from another stage.
    """
    source_names, target_names = stripped(source, target)
    source_layers = _layers(source, source_names)
    target_layers = _layers(target, target_names)
    matches: dict[str, str] = {}
    notes: list[str] = []
    candidates_of = _by_role(source_layers)
    for role, stages in _by_role(target_layers).items():
        by_level = candidates_of.get(role, {})
        for level, layers in stages.items():
            nearest = min(by_level, key=lambda n: (abs(n - level), n), default=level)
            candidates = by_level.get(nearest, [])
            for target_layer, source_layer in _paired(layers, candidates):
                if source_layer.may_fill(target_layer):
                    _match_tensors(target_layer.use, source_layer.use, matches)
            if candidates:
                notes += _notes(layers, candidates, level, nearest)
    _match_norms(source_layers, target_layers, matches)
    _match_counters(source, target, matches)
    return {t: matches[t] for t in target.tensors if t in matches}, tuple(notes)


def _layers(catalog: Catalog, names: dict[str, str]) -> list[_Layer]:
    """Return the layers of a network in the order in which they are used, each once."""
    # of several names of a tied tensor its own, which comes first, is kept
    bare_names = {name: bare for bare, name in reversed(names.items())}
    layers, seen = [], set()
    for use in catalog.uses:
        main = use.main
        if main not in seen and main in bare_names:
            seen.add(main)
            role = _role(use, catalog.tensors[main].shape, entrance=main in catalog.entrances)
            layers.append(_Layer(use, role, main, bare_names[main], main in catalog.shown))
    return layers


def _role(use: Use, shape: tuple[int, ...], *, entrance: bool) -> Role:
    """Return what a layer is to its network, stages aside.

    Layers of 1x1 kernels, and linear layers, are also told apart by whether they widen.
    """
    widens = 0
    if use.kind in ("convolution", "linear") and set(use.kernel) <= {1} and len(shape) > 1:
        ratio = shape[0] / shape[1]
        coarse = (
            use.pooled or use.kind == "convolution"
        )  # how far gates and projections widen varies
        widens = -1 if ratio < 1 else 0 if ratio == 1 else 1 if coarse else min(3, round(ratio))
    return use.kind, use.kernel, use.depthwise, len(shape), widens, use.pooled, entrance


def _by_role(layers: list[_Layer]) -> dict[Role, dict[int, list[_Layer]]]:
    """Sort layers, norms aside, by role and stage."""
    by_role: dict[Role, dict[int, list[_Layer]]] = defaultdict(lambda: defaultdict(list))
    for layer in layers:
        if layer.use.kind != "norm":
            by_role[layer.role][layer.use.level].append(layer)
    return by_role


def _paired(layers: list[_Layer], candidates: list[_Layer]) -> list[tuple[_Layer, _Layer]]:
    """Pair target layers with source layers of their role: equal names first, others in order."""
    by_name = {candidate.bare_name: candidate for candidate in candidates}
    pairs = [(layer, by_name[layer.bare_name]) for layer in layers if layer.bare_name in by_name]
    used = {id(candidate) for _, candidate in pairs}
    rest = [layer for layer in layers if layer.bare_name not in by_name]
    free = [candidate for candidate in candidates if id(candidate) not in used]
    if len(free) >= len(rest):
        return pairs + list(zip(rest, free, strict=False))
    # too few unused ones: all are used again, spread evenly
    position = {id(layer): i for i, layer in enumerate(layers)}
    return pairs + [
        (layer, candidates[position[id(layer)] * len(candidates) // len(layers)])
        for layer in rest
        if candidates
    ]


def _match_tensors(target: Use, source: Use, matches: dict[str, str]) -> None:
    """Match the tensors of two uses by the operation's names for its arguments."""
    for argument, name in target.reads.items():
        if argument in source.reads:
            matches.setdefault(name, source.reads[argument])


def _match_norms(
    source_layers: Sequence[_Layer], target_layers: Sequence[_Layer], matches: dict[str, str]
) -> None:
    """Match each norm beside a matched layer with the norm beside that layer's match."""
    bare_names = {layer.name: layer.bare_name for layer in (*source_layers, *target_layers)}
    norms = {layer.bare_name: layer for layer in source_layers if layer.use.kind == "norm"}
    for step in (-1, 1):  # first norms after their layer, as in most networks, then before it
        source_norms = {
            layer.name: norm
            for layer, norm in _neighbours(source_layers, step)
            if norm.use.kind == "norm"
        }
        for layer, norm in _neighbours(target_layers, step):
            if norm.use.kind != "norm" or norm.name in matches or layer.name not in matches:
                continue
            match = source_norms.get(matches[layer.name])
            if bare_names.get(matches[layer.name]) == layer.bare_name:
                match = norms.get(norm.bare_name, match)  # a last norm is not confused with a first
            if match is not None:
                _match_tensors(norm.use, match.use, matches)


def _match_counters(source: Catalog, target: Catalog, matches: dict[str, str]) -> None:
    """Match counters, which no operation reads, with those of the norm that is matched."""
    for name in [name for name, tensor in target.tensors.items() if not tensor.shape]:
        module, _, leaf = name.rpartition(".")
        match = next((matches[n] for n in target.modules[module] if n in matches), "")
        counter = f"{match.rpartition('.')[0]}.{leaf}"
        if name not in matches and counter in source.tensors:
            matches[name] = counter


def _neighbours(layers: Sequence[_Layer], step: int) -> list[tuple[_Layer, _Layer]]:
    """Return each layer with the next one (step -1), or with the one before it (step 1)."""
    pairs = list(pairwise(layers))
    return pairs if step < 0 else [(after, before) for before, after in pairs]


def _notes(
    layers: list[_Layer], candidates: list[_Layer], level: int, nearest: int
) -> Iterable[str]:
    """Say where source layers are used several times, or come from another stage."""
    what = f"{_description(layers[0])} at 1/{2**level} of the image's resolution"
    if len(candidates) < len(layers):
        yield f"{len(candidates)} source layers fill {len(layers)} target layers: {what}"
    if nearest != level:
        yield f"the source has no such layers: {what} inherit from 1/{2**nearest}"


def _description(layer: _Layer) -> str:
    """Name the kind of a layer in the plural."""
    side = "x".join(map(str, layer.use.kernel))
    depth = "depthwise " if layer.use.depthwise else ""
    return f"{depth}{side} {layer.use.kind}s".strip()
