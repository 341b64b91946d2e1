"""What a network holds: its tensors, and the groups of channels that must be inherited together."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from math import prod
from typing import Any

from torch import Tensor, nn

from legatee.errors import TraceError
from legatee.surgery.network.axis_roles import axis_roles
from legatee.surgery.network.cache import Architecture, architecture
from legatee.surgery.network.calls import Rule
from legatee.surgery.network.dataflow import layers_before
from legatee.surgery.network.example_inputs import guesses, summary
from legatee.surgery.network.groups import Group, coupled, patterns
from legatee.surgery.network.inputs import ExampleInputs, Inputs
from legatee.surgery.network.names import module_of, without_wrappers
from legatee.surgery.network.state import described_digest, saved_tensors, state
from legatee.surgery.network.trace import trace
from legatee.surgery.network.uses import Use


@dataclass(frozen=True, kw_only=True)
class TensorInfo:
    """One tensor of a network's state, as a plan needs to know it.

    Attributes:
        name: Its name in the state dict.
        shape: Its shape [count per axis].
        dtype: Its element type, such as ``"float32"``.
        trainable: Whether it is a parameter rather than a buffer.
        axis_roles: What each axis is (:mod:`~legatee.surgery.network.axis_roles`);
            ``"unknown"`` where its channels were not traced.
        ties: Other names of the very same tensor.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    trainable: bool
    axis_roles: tuple[str, ...]
    ties: tuple[str, ...] = ()

    @property
    def output_axis(self) -> int:
        """The axis along which a layer's weight makes channels: 1 in transposed ones, else 0."""
        first, second = (*self.axis_roles, "", "")[:2]
        return int(first == "in" or (first == "heads" and second == "out"))


@dataclass(frozen=True, kw_only=True, eq=False)
class Catalog:
    """The tensors of a network and its channel groups.

    Attributes:
        tensors: Every tensor of the state, ties once, in the network's order.
        groups: Channel groups; every axis longer than 1 is covered by one or more of them, except
            the axes that no other tensor shares (kernels, positions).
        uses: What the network does with its tensors, in order; empty where that is unknown.
        notes: What the trace could not follow, in sentences.
    """

    tensors: dict[str, TensorInfo]
    groups: tuple[Group, ...]
    uses: tuple[Use, ...] = ()
    notes: tuple[str, ...] = ()

    @cached_property
    def digest(self) -> str:
        """A digest of the names, shapes and types of all tensors; a plan is made for one."""
        return described_digest((t.name, t.shape, t.dtype) for t in self.tensors.values())

    @cached_property
    def bare_names(self) -> dict[str, str]:
        """The name of every tensor without the prefix that a wrapper such as DDP adds."""
        return dict(zip(self.tensors, without_wrappers(list(self.tensors)), strict=True))

    @cached_property
    def names(self) -> dict[str, str]:
        """Every name, also the further names of tied tensors -> the first name of the tensor."""
        return {name: t.name for t in self.tensors.values() for name in (t.name, *t.ties)}

    @cached_property
    def elements(self) -> int:
        """Elements of all tensors [count]."""
        return sum(prod(tensor.shape) for tensor in self.tensors.values())

    @cached_property
    def modules(self) -> dict[str, list[str]]:
        """Names of the tensors that each module holds itself."""
        found: dict[str, list[str]] = defaultdict(list)
        for name in self.tensors:
            found[module_of(name)].append(name)
        return found

    @cached_property
    def placed(self) -> frozenset[str]:
        """Tensors that are added, multiplied or looked up by position: position embeddings."""
        kinds = ("elementwise", "lookup")
        return frozenset(n for use in self.uses if use.kind in kinds for n in use.reads.values())

    @cached_property
    def entrances(self) -> frozenset[str]:
        """Convolutions whose input is the network's input."""
        found = {n for g in self.groups if g.role == "input" for n, axis in g.members if axis == 1}
        for use in self.uses:  # a single input channel is no group: the first layer takes it
            if use.kind == "convolution":
                weight = use.reads.get("weight")  # none where it is computed
                if weight and not use.depthwise and self.tensors[weight].shape[1] == 1:
                    found.add(weight)
                break
        return frozenset(n for n in found if len(self.tensors[n].shape) == 4)

    @cached_property
    def unknown(self) -> frozenset[str]:
        """Parameters without a known channel, because no operation uses them in a forward pass."""
        read = {name for use in self.uses for name in use.reads.values()}
        read |= {name for group in self.groups for name, _ in group.members}
        return frozenset(n for n, t in self.tensors.items() if n not in read and t.trainable)

    def is_like(self, other: "Catalog") -> bool:
        """Tell whether two networks have the same architecture, wrappers such as DDP aside.

        Args:
            other: The catalogue of the other network.

        Returns:
            Whether names, shapes and types agree.
        """
        described, other_described = (
            [(catalog.bare_names[t.name], t.shape, t.dtype) for t in catalog.tensors.values()]
            for catalog in (self, other)
        )
        return described == other_described

    @cached_property
    def shown(self) -> frozenset[str]:
        """Tensors of the output layer: a classification head, or the last layer of a backbone."""
        groups = (group for group in self.groups if group.role == "class")
        axes = (axis for group in groups for axis in group.members)
        return frozenset(n for n, axis in axes if axis == self.tensors[n].output_axis)

    @cached_property
    def makers(self) -> tuple[frozenset[str], ...]:
        """For each group the weights that compute its channels, or all tensors that hold them."""
        weights = (
            [axis for axis in group.members if len(self.tensors[axis[0]].shape) > 1]
            for group in self.groups
        )
        rows = (
            (frozenset(n for n, axis in axes if axis == self.tensors[n].output_axis), axes)
            for axes in weights
        )
        return tuple(first or frozenset(n for n, _ in axes) for first, axes in rows)

    @cached_property
    def layers_before(self) -> tuple[frozenset[int], ...]:
        """For each use the layers whose channels it reads."""
        return layers_before(self.uses)

    @cached_property
    def scaling_vectors(self) -> dict[str, tuple[int, ...]]:
        """The vectors that normalise or scale channels, with the numbers of their uses."""
        vectors: dict[str, tuple[int, ...]] = {}
        for number, use in enumerate(self.uses):
            if use.kind in ("norm", "elementwise"):
                for name in use.reads.values():
                    if len(self.tensors[name].shape) == 1 and (name, 0) in self.groups_along:
                        vectors[name] = (*vectors.get(name, ()), number)
        return vectors

    @cached_property
    def patterns(self) -> dict[tuple[int, str, int], int]:
        """(group, tensor, axis) -> a number, equal where channels have equal positions."""
        return patterns(self.groups)

    @cached_property
    def groups_along(self) -> dict[tuple[str, int], tuple[int, ...]]:
        """Numbers of the groups along each axis, in the order of their first position."""
        found: dict[tuple[str, int], list[tuple[int, int]]] = defaultdict(list)
        for number, group in enumerate(self.groups):
            for member, positions in group.members.items():
                found[member].append((int(positions.min()), number))
        return {axis: tuple(number for _, number in sorted(rows)) for axis, rows in found.items()}


def read(
    network: nn.Module,
    example: ExampleInputs | None = None,
    operations: Mapping[Any, Rule] | None = None,
) -> Catalog:
    """Catalogue a network by tracing its channels from the input to the output.

    Args:
        network: The network; neither its weights nor its mode are changed.
        example: Inputs that it accepts, of any batch size; guessed from its first layer if absent.
        operations: Channel rules for operations that are not built in.

    Returns:
        Its tensors and channel groups.

    Raises:
        TraceError: If it does not run on the example, or on any that was guessed.

    Example:
        >>> net = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Conv2d(4, 2, 3))
        >>> [(g.size, sorted(g.members)) for g in read(net).groups if g.role == "hidden"]
        [(4, [('0.bias', 0), ('0.weight', 0), ('2.weight', 1)])]
    """
    tensors = state(network)
    failures: list[TraceError] = []
    for candidate in [example] if example is not None else guesses(network):
        inputs = Inputs.of(candidate)
        try:
            seen = None if operations else architecture(network, tensors, inputs)
        except Exception:  # an attribute that cannot be pickled, so cannot be compared
            seen = None
        try:
            return _seen_before(seen) if seen else _catalog(network, tensors, inputs, operations)
        except TraceError as error:
            failures.append(error)
    failure = summary(failures)
    raise failure


@lru_cache(maxsize=64)
def _seen_before(seen: Architecture) -> Catalog:
    """Catalogue a network once for all of its architecture, because tracing takes long."""
    network = seen.network()
    assert network is not None, "the caller holds it"
    return _catalog(network, state(network), seen.example)


def _catalog(
    network: nn.Module,
    tensors: dict[str, Tensor],
    inputs: Inputs,
    operations: Mapping[Any, Rule] | None = None,
) -> Catalog:
    channels = trace(network, tensors, inputs, operations)
    groups = coupled(channels, tensors)
    shapes = {name: tuple(value.shape) for name, value in tensors.items()}
    roles = axis_roles(shapes, channels, groups)
    return Catalog(
        tensors=_tensors(network, tensors, roles),
        groups=groups,
        uses=channels.uses,
        notes=channels.notes,
    )


def read_tensors(network: nn.Module) -> Catalog:
    """Catalogue a network's tensors alone, for networks whose channels cannot be traced.

    Args:
        network: Any network.

    Returns:
        Its tensors, with no channel group.
    """
    return Catalog(tensors=_tensors(network, state(network), {}), groups=())


def _tensors(
    network: nn.Module, tensors: dict[str, Tensor], roles: Mapping[str, tuple[str, ...]]
) -> dict[str, TensorInfo]:
    trainable = {id(parameter) for parameter in network.parameters()}
    names: dict[int, list[str]] = defaultdict(list)
    for name, value in saved_tensors(network).items():
        names[id(value)].append(name)
    return {
        name: TensorInfo(
            name=name,
            shape=tuple(value.shape),
            dtype=str(value.dtype).removeprefix("torch."),
            trainable=id(value) in trainable,
            axis_roles=roles.get(name, ("unknown",) * value.ndim),
            ties=tuple(names[id(value)][1:]),
        )
        for name, value in tensors.items()
    }
