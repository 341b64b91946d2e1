"""Differences between layers that no weight shows: padding, activation, eps, what lies between."""

from collections.abc import Callable, Collection, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from legatee.plans.moves import Move
from legatee.surgery.network.catalog import Catalog
from legatee.surgery.network.dataflow import LAYERS
from legatee.surgery.network.uses import NETWORK_INPUT, Use

Pair = tuple[int, int]  # numbers of a source use and of the target use that inherits from it
Setting = tuple[Hashable, str]  # what is compared, and how a sentence writes it


@dataclass(frozen=True)
class _Network:
    """A network's uses, with what is looked up for each of them."""

    catalog: Catalog

    @cached_property
    def uses(self) -> tuple[Use, ...]:
        return self.catalog.uses

    @cached_property
    def first_uses(self) -> dict[str, int]:
        """Number of the first use of each tensor."""
        numbers: dict[str, int] = {}
        for number, use in enumerate(self.uses):
            for name in use.reads.values():
                numbers.setdefault(name, number)
        return numbers

    @cached_property
    def normalised(self) -> frozenset[int]:
        """Uses whose output a norm, and nothing between, reads."""
        alone = (use.reads_from for use in self.uses if use.kind == "norm")
        return frozenset(numbers[0] for numbers in alone if len(numbers) == 1)

    @cached_property
    def layers_before(self) -> dict[int, frozenset[int]]:
        """The layers that each layer reads."""
        return {
            number: self.catalog.layers_before[number] - {NETWORK_INPUT}
            for number, use in enumerate(self.uses)
            if use.kind in LAYERS
        }


def differences(source: Catalog, target: Catalog, moves: Sequence[Move]) -> list[str]:
    """Compare inherited layers with the layers that they inherit from.

    Args:
        source: Catalogue of the upstream network.
        target: Catalogue of the downstream network.
        moves: What is inherited.

    Returns:
        A sentence for each kind of difference, with the number of layers and an example.
    """
    networks = _Network(source), _Network(target)
    pairs = list(_pairs(*networks, moves))
    sentences = [_compared(name, *networks, pairs) for name in SETTINGS]
    sentences.append(_only_in("target", networks[1], networks[0], [(t, s) for s, t in pairs]))
    sentences.append(_only_in("source", *networks, pairs))
    sentences.append(_skip_only_in("target", networks[1], networks[0], [(t, s) for s, t in pairs]))
    sentences.append(_skip_only_in("source", *networks, pairs))
    return [sentence for sentence in sentences if sentence]


def _pairs(source: _Network, target: _Network, moves: Sequence[Move]) -> Iterator[Pair]:
    """Return the first uses of all inherited tensors, each pair once."""
    seen = set()
    for move in moves:
        source_use = source.first_uses.get(move.source)
        target_use = target.first_uses.get(move.target)
        if source_use is None or target_use is None or (source_use, target_use) in seen:
            continue
        seen.add((source_use, target_use))
        yield source_use, target_use


def _compared(name: str, source: _Network, target: _Network, pairs: Sequence[Pair]) -> str:
    """Say in how many layers one setting differs, with the first of them; ``""`` for none."""
    differing = []
    for source_use, target_use in pairs:
        both = SETTINGS[name](source, source_use), SETTINGS[name](target, target_use)
        if both[0] is not None and both[1] is not None and both[0][0] != both[1][0]:
            differing.append((target.uses[target_use].main, both[0][1], both[1][1]))
    if not differing:
        return ""
    layer, in_source, in_target = differing[0]
    return (
        f"{name} differs in {_layers(len(differing))}, such as {layer!r}: "
        f"{in_source} in the source, {in_target} in the target"
    )


def _layers(count: int) -> str:
    """Count inherited layers."""
    return "1 inherited layer" if count == 1 else f"{count} inherited layers"


def sides(lengths: Sequence[int]) -> str:
    """Write the lengths of several sides.

    Args:
        lengths: Of each side.

    Returns:
        Such as ``"3x3"``.

    Example:
        >>> sides((3, 5))
        '3x5'
    """
    return "x".join(map(str, lengths))


def _stride(network: _Network, number: int) -> Setting | None:
    """Return the stride of a convolution."""
    stride = network.uses[number].stride
    return (stride, sides(stride)) if stride else None


def _dilation(network: _Network, number: int) -> Setting | None:
    """Return the dilation of a convolution."""
    dilation = network.uses[number].dilation
    return (dilation, sides(dilation)) if dilation else None


def _padding(network: _Network, number: int) -> Setting | None:
    """Return a convolution's padding, compared by how far its kernels reach over the edges.

    A kernel that is larger or dilated, with padding that is larger too, sees the same places.
    """
    use = network.uses[number]
    if not use.padding:
        return None
    half = [d * (k - 1) / 2 for k, d in zip(use.kernel, use.dilation, strict=True)]
    reach = tuple((a - h, b - h) for (a, b), h in zip(use.padding, half, strict=True))
    same = len({side for pair in use.padding for side in pair}) == 1
    texts = dict.fromkeys(f"{a} before and {b} after" for a, b in use.padding)
    where = f"{use.padding[0][0]} on every side" if same else ", ".join(texts)
    return reach, f"{where} for {sides(use.kernel)} kernels"


def _eps(network: _Network, number: int) -> Setting | None:
    """Return what a norm adds to the variance."""
    eps = network.uses[number].eps
    return None if eps is None else (eps, f"{eps:g}")


def _groups(network: _Network, number: int) -> Setting | None:
    """Return the number of groups of a group normalisation."""
    groups = network.uses[number].groups
    return None if groups is None else (groups, str(groups))


def _activation(network: _Network, number: int) -> Setting | None:
    """Return the nonlinearity behind a layer; it counts behind the norm where a norm follows."""
    use = network.uses[number]
    if use.kind not in (*LAYERS, "norm") or number in network.normalised:
        return None
    return use.activation, use.activation or "none"


SETTINGS: dict[str, Callable[[_Network, int], Setting | None]] = {
    "the stride": _stride,
    "the dilation": _dilation,
    "the padding": _padding,
    "the eps of the normalisation": _eps,
    "the number of groups of the normalisation": _groups,
    "the activation": _activation,
}


def _only_in(side: str, network: _Network, counterpart: _Network, pairs: Sequence[Pair]) -> str:
    """Say which layers lie between two inherited layers in one of the networks alone.

    In the source only gates count: whole blocks of a deeper source are left out on purpose.

    Args:
        side: Which network has the layers: ``"source"`` or ``"target"``.
        network: That network.
        counterpart: The other network.
        pairs: Numbers of uses of the network and of the corresponding uses of the counterpart.

    Returns:
        A sentence, or ``""``.
    """
    partners = dict(pairs)
    between: dict[int, int] = {}  # layer that only one network has -> layer that reads it
    readers = 0
    for number, partner in partners.items():
        extra = [
            layer
            for layer in sorted(network.layers_before.get(number, ()))
            if layer not in partners
            and (side == "target" or network.uses[layer].gates)
            and _follows(
                network, layer, partners, counterpart.layers_before.get(partner, frozenset())
            )
        ]
        readers += bool(extra)
        between |= dict.fromkeys(extra, number)
    if not between:
        return ""
    layer, reader = next(iter(between.items()))
    kind = "squeeze-and-excitation" if network.uses[layer].gates else "another layer"
    return (
        f"only in the {side}, {_layers(readers)} {_read(readers)} the output "
        f"of {kind}, such as {network.uses[reader].main!r} that of {network.uses[layer].main!r}"
    )


def _skip_only_in(
    side: str, network: _Network, counterpart: _Network, pairs: Sequence[Pair]
) -> str:
    """Say which inherited layers read a further inherited layer in one of the networks alone.

    A skip connection that one network lacks is such a case. Layers that only one network has do
    not count, nor layers of which nothing that they read is inherited: blocks are left out on
    purpose.

    Args:
        side: Which network has the connections: ``"source"`` or ``"target"``.
        network: That network.
        counterpart: The other network.
        pairs: Numbers of uses of the network and of the corresponding uses of the counterpart.

    Returns:
        A sentence, or ``""``.
    """
    partners = dict(pairs)
    both = set(partners.values())
    further: dict[int, int] = {}  # layer that reads -> layer that only it reads in this network
    for number, partner in pairs:
        reads = {n for n in network.layers_before.get(number, ()) if n in partners}
        partner_reads = both & counterpart.layers_before.get(partner, frozenset())
        more = sorted(n for n in reads if partners[n] not in partner_reads)
        if more and partner_reads and reads:
            further[number] = more[0]
    if not further:
        return ""
    reader, layer = next(iter(further.items()))
    return (
        f"only in the {side}, {_layers(len(further))} also {_read(len(further))} the output of an "
        f"earlier layer, as through a skip connection, such as {network.uses[reader].main!r} that "
        f"of {network.uses[layer].main!r}"
    )


def _read(count: int) -> str:
    return "reads" if count == 1 else "read"


def _follows(
    network: _Network, layer: int, partners: Mapping[int, int], direct: Collection[int]
) -> bool:
    """Tell whether a layer comes after one whose partner the other network reads directly."""
    seen, waiting = {layer}, [layer]
    while waiting:
        for number in network.layers_before[waiting.pop()] - seen:
            seen.add(number)
            if partners.get(number) in direct:
                return True
            if number not in partners:
                waiting.append(number)
    return False
