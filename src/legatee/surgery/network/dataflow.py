"""Which use computed each tensor, while a network runs: what layers read, and what lies between."""

from collections.abc import Container, Sequence
from dataclasses import replace
from typing import Any

from torch import Tensor
from torch.utils.weak import WeakIdKeyDictionary

from legatee.surgery.network.calls import Call, aten
from legatee.surgery.network.uses import NETWORK_INPUT, Use

ACTIVATIONS: dict[Any, str] = {
    aten.relu: "ReLU",
    aten.relu_: "ReLU",
    aten.hardtanh: "Hardtanh",
    aten.hardtanh_: "Hardtanh",
    aten.silu: "SiLU",
    aten.silu_: "SiLU",
    aten.gelu: "GELU",
    aten.gelu_: "GELU",
    aten.hardswish: "Hardswish",
    aten.hardswish_: "Hardswish",
    aten.hardsigmoid: "Hardsigmoid",
    aten.hardsigmoid_: "Hardsigmoid",
    aten.leaky_relu: "LeakyReLU",
    aten.leaky_relu_: "LeakyReLU",
    aten.elu: "ELU",
    aten.elu_: "ELU",
    aten.mish: "Mish",
    aten.mish_: "Mish",
    aten.softplus: "Softplus",
    aten.sigmoid: "Sigmoid",
    aten.sigmoid_: "Sigmoid",
    aten.tanh: "Tanh",
    aten.tanh_: "Tanh",
    aten._prelu_kernel: "PReLU",
}
SPECIAL = {"Hardtanh(0, 6)": "ReLU6", "GELU(tanh)": "GELU (tanh approximation)"}
PRODUCTS = (aten.mul, aten.mul_)
LAYERS = ("convolution", "linear", "embedding")  # uses that compute new channels
_NOTHING: frozenset[int] = frozenset()


class Dataflow:
    """Follows which uses computed each tensor, and collects the uses of a run."""

    def __init__(self) -> None:
        self.uses: list[Use] = []
        self._sources: Any = WeakIdKeyDictionary()  # tensor -> numbers of the uses it comes from
        self._padding: Any = WeakIdKeyDictionary()  # tensor -> zeros just added to its sides
        self._activations: dict[int, str] = {}
        self._gates: set[int] = set()

    def follow(self, call: Call, use: Use | None, input_dependent: Container[Tensor]) -> None:
        """Note where the outputs of one operation come from.

        Args:
            call: The operation.
            use: What it does with the network's tensors, if it reads any.
            input_dependent: Tensors that depend on the network's input, those just made included.
        """
        read = [self._from(x, input_dependent) for x in call.inputs]
        sources = _NOTHING.union(*read)
        packet = call.func.overloadpacket
        if packet is aten.constant_pad_nd:
            self._pad(call)
        if packet in PRODUCTS:
            self._find_gate(call, read)
        if packet in ACTIVATIONS:
            for number in sources - {NETWORK_INPUT}:
                self._activations.setdefault(number, _activation(call))
        if use is not None:
            self.uses.append(replace(use, reads_from=tuple(sorted(sources)), **self._padded(call)))
            sources = frozenset([len(self.uses) - 1])
        for out in call.outs:
            if isinstance(out, Tensor) and out in input_dependent:
                self._sources[out] = sources

    def finished(self) -> tuple[Use, ...]:
        """Return all uses, with what became of their outputs.

        Returns:
            The uses, in the order in which they ran.
        """
        return tuple(
            replace(use, activation=self._activations.get(n, ""), gates=n in self._gates)
            for n, use in enumerate(self.uses)
        )

    def _from(self, tensor: Tensor, input_dependent: Container[Tensor]) -> frozenset[int]:
        """Return the uses that a tensor comes from; weights come from none."""
        if tensor in self._sources:
            return self._sources[tensor]
        return frozenset([NETWORK_INPUT]) if tensor in input_dependent else _NOTHING

    def _pad(self, call: Call) -> None:
        """Note zeros that are added to the sides of an image."""
        flat = call.option("pad")  # the last axis comes first
        pairs = [(flat[i], flat[i + 1]) for i in range(0, len(flat), 2)]
        self._padding[call.outs[0]] = tuple(reversed(pairs))

    def _padded(self, call: Call) -> dict[str, Any]:
        """Return a convolution's padding, with what was added to its input just before."""
        if call.func.overloadpacket is not aten.convolution:
            return {}
        own = [(sides, sides) for sides in call.option("padding")]
        before = self._padding.get(call.option("input"), ())
        if len(before) != len(own):
            return {}
        sums = ((a + c, b + d) for (a, b), (c, d) in zip(own, before, strict=True))
        return {"padding": tuple(sums)}

    def _find_gate(self, call: Call, read: Sequence[frozenset[int]]) -> None:
        """Note a use whose output of one position multiplies a whole image."""
        images = [x.ndim == 4 and x.shape[2:].numel() > 1 for x in call.inputs]
        for tensor, sources in zip(call.inputs, read, strict=True):
            if any(images) and tensor.ndim == 4 and tensor.shape[2:].numel() == 1:
                self._gates |= sources - {NETWORK_INPUT}


def _activation(call: Call) -> str:
    """Name a nonlinearity, with the options that differ from the usual ones."""
    name = ACTIVATIONS[call.func.overloadpacket]
    usual = {a.name: a.default_value for a in call.func._schema.arguments if a.has_default_value()}
    options = {option: call.option(option) for option in usual}
    if any(options[option] != usual[option] for option in usual):
        values = (f"{v:g}" if isinstance(v, int | float) else str(v) for v in options.values())
        name = f"{name}({', '.join(values)})"
    return SPECIAL.get(name, name)


def layers_before(uses: Sequence[Use]) -> tuple[frozenset[int], ...]:
    """Return the layers whose channels each use reads, through norms and elementwise operations.

    Args:
        uses: All uses of a network, in order.

    Returns:
        For each use the numbers of convolutions, linear layers and embeddings, and
        :data:`NETWORK_INPUT` where the network's input is read.

    Example:
        >>> from torch import nn
        >>> from legatee.surgery.network.catalog import read
        >>> net = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4), nn.Conv2d(4, 2, 1))
        >>> [sorted(layers) for layers in layers_before(read(net).uses)]
        [[-1], [0], [0]]
    """
    before: list[frozenset[int]] = []
    for use in uses:  # a use reads from earlier ones alone
        layers = set()
        for number in use.reads_from:
            if number == NETWORK_INPUT or uses[number].kind in LAYERS:
                layers.add(number)
            else:
                layers |= before[number]
        before.append(frozenset(layers))
    return tuple(before)
