"""A network as planning sees it: asked once what it is, then handed on."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Self

from torch import Tensor, nn

from legatee.errors import TraceError, TransferError
from legatee.surgery.network.calls import Rule
from legatee.surgery.network.catalog import Catalog, read, read_tensors
from legatee.surgery.network.inputs import ExampleInputs
from legatee.surgery.network.state import state

Side = Literal["source", "target"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Network:
    """The source or the target of a transfer, with everything that planning needs to know of it.

    Attributes:
        which: ``"source"`` or ``"target"``, as messages call it.
        module: The network, or ``None`` where only its catalogue was given.
        state: Its parameters and saved buffers by name; empty where only its catalogue was given.
        catalog: Its tensors and channel groups; without groups if it could not be traced.
        untraced: Why its channels could not be traced; ``""`` if they were.
    """

    which: Side
    module: nn.Module | None
    state: Mapping[str, Tensor]
    catalog: Catalog
    untraced: str = ""

    @classmethod
    def of(
        cls,
        given: object,
        example_inputs: ExampleInputs | None = None,
        *,
        which: Side = "source",
        operations: Mapping[Any, Rule] | None = None,
    ) -> Self:
        """Look at a network, or at its catalogue.

        Args:
            given: What the user gave.
            example_inputs: Inputs to trace it with; where it does not accept them, or there are
                none, its input is guessed from its first layer.
            which: Whether it is the source or the target.
            operations: Channel rules for operations that are not built in.

        Returns:
            The network; one that cannot be traced has a catalogue without channel groups.

        Raises:
            TransferError: If it is no network, or one without weights.

        Example:
            >>> Network.of(nn.Linear(3, 2), which="target").name
            'Linear'
        """
        if isinstance(given, Catalog):
            network = cls(which=which, module=None, state={}, catalog=given)
        elif isinstance(given, nn.Module):
            catalog, untraced = _traced(given, example_inputs, operations)
            tensors = state(given)
            network = cls(
                which=which, module=given, state=tensors, catalog=catalog, untraced=untraced
            )
        else:
            raise TransferError(
                f"the {which} is a {type(given).__name__}; expected a network (torch.nn.Module) or "
                "the catalogue that legatee.catalog(network) returns; weights without a network "
                "can be given to inherit(plan, weights, target)"
            )
        if not network.catalog.tensors:
            raise TransferError(f"the {which} has no weights, so nothing can be inherited")
        return network

    @property
    def name(self) -> str:
        """The type of the network, ``""`` where only its catalogue was given."""
        return "" if self.module is None else type(self.module).__name__

    def require_weights(self, purpose: str) -> nn.Module:
        """Return the network where its weights can be looked at.

        Args:
            purpose: What needs them, such as ``"rule 'largest'"``.

        Returns:
            The network.

        Raises:
            TransferError: If only a catalogue was given, or the weights are on the meta device.
        """
        if self.module is None:
            raise TransferError(
                f"{purpose} needs the weights of the {self.which}, but its catalogue was given; "
                "pass the network itself"
            )
        if any(value.is_meta for value in self.state.values()):
            raise TransferError(
                f"{purpose} needs the weights of the {self.which}, but the network is on the meta "
                "device, without weights; load them first"
            )
        return self.module


def catalog(
    network: nn.Module,
    example_inputs: ExampleInputs | None = None,
    *,
    operations: Mapping[Any, Rule] | None = None,
) -> Catalog:
    """Return a network's tensors and the groups of channels that are inherited together.

    Args:
        network: Any network; neither its weights nor its mode are changed.
        example_inputs: Inputs that it accepts: a tensor, a tuple for ``network(*example_inputs)``
            or a dictionary for ``network(**example_inputs)``; guessed from its first layer if
            absent. Only shapes and types are used.
        operations: Channel rules for operations that are not built in, such as
            ``{torch.ops.mine.op: rule}``.

    Returns:
        The catalogue, which :func:`legatee.plan` takes in the place of the network when many
        plans are made with it.

    Raises:
        TransferError: If it is no network, or one without weights.
        TraceError: If its channels cannot be traced.

    Example:
        >>> net = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2))
        >>> [(group.role, group.size) for group in catalog(net).groups]
        [('hidden', 4), ('input', 3), ('class', 2)]
    """
    if not isinstance(network, nn.Module):
        raise TransferError(f"a network is expected, not a {type(network).__name__}")
    try:
        return read(network, example_inputs, operations)
    except TraceError as error:
        raise TraceError(
            f"the channels of the network cannot be traced: {error} (pass example_inputs=, a "
            "tensor, tuple or dictionary that it accepts, or operations= with a rule for an "
            "operation of your own)"
        ) from error


def _traced(
    network: nn.Module,
    example_inputs: ExampleInputs | None,
    operations: Mapping[Any, Rule] | None,
) -> tuple[Catalog, str]:
    """Catalogue a network, and say why its channels could not be traced, if so."""
    try:
        return read(network, example_inputs, operations), ""
    except TraceError as error:
        first = error  # what the user's own inputs met says more than what a guess met
    if example_inputs is not None:
        try:
            return read(network, None, operations), ""
        except TraceError:
            pass
    return read_tensors(network), str(first)
