"""What a network does with each of its tensors, in the order in which it does it."""

from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import log2, prod
from typing import Any

from torch import Tensor

from legatee.surgery.network.calls import Call, aten

NORM = {name: name for name in ("weight", "bias", "running_mean", "running_var")}
SLOTS: dict[Any, tuple[str, Mapping[str, str]]] = {  # kind, and argument -> what a use calls it
    aten.convolution: ("convolution", {"weight": "weight", "bias": "bias"}),
    aten.addmm: ("linear", {"self": "bias", "mat1": "weight", "mat2": "weight"}),
    aten.mm: ("linear", {"self": "weight", "mat2": "weight"}),
    aten.native_batch_norm: ("norm", NORM),
    aten.native_layer_norm: ("norm", NORM),
    aten.native_group_norm: ("norm", NORM),
    aten.embedding: ("embedding", {"weight": "weight"}),
    aten.index: ("lookup", {"self": "weight"}),
}
MATRIX_PRODUCTS = (aten.mm, aten.addmm, aten.bmm, aten.baddbmm)
NETWORK_INPUT = -1  # stands for the network's input among the uses that a use reads from


@dataclass(frozen=True, kw_only=True)
class Use:
    """One operation that reads tensors of the network's state.

    Attributes:
        kind: ``"convolution"``, ``"linear"``, ``"norm"``, ``"embedding"``, ``"lookup"`` for a table
            indexed by position, ``"token"`` for a tensor that is concatenated to others,
            ``"elementwise"`` for a tensor that is added or multiplied as it is.
        reads: Name of the operation's argument -> name of the tensor.
        level: Base-2 logarithm of the downsampling factor, as of the last operation that still had
            more than one position.
        pooled: Whether the operation sees a single position, as after a global pool.
        kernel: Side lengths of a convolution's kernel.
        depthwise: Whether a convolution has one filter per channel.
        stride: Stride of a convolution, per spatial axis.
        dilation: Dilation of a convolution, per spatial axis.
        padding: Zeros before and after each spatial axis of a convolution's input, those of a
            separate padding operation right before it included [count].
        eps: What a norm adds to the variance.
        groups: Groups of neighbouring channels in which a group normalisation averages [count].
        reads_from: Numbers of the earlier uses whose output this one reads without another use in
            between; :data:`NETWORK_INPUT` for the network's input.
        activation: Name of the nonlinearity that is applied to the output, if there is one.
        gates: Whether the output scales whole channels of an image, as that of a
            squeeze-and-excitation does.
    """

    kind: str
    reads: Mapping[str, str]
    level: int
    pooled: bool
    kernel: tuple[int, ...] = ()
    depthwise: bool = False
    stride: tuple[int, ...] = ()
    dilation: tuple[int, ...] = ()
    padding: tuple[tuple[int, int], ...] = ()
    eps: float | None = None
    groups: int | None = None
    reads_from: tuple[int, ...] = ()
    activation: str = ""
    gates: bool = False

    @property
    def main(self) -> str:
        """Name of the tensor that the use is known by: its weight, if it has one."""
        return self.reads.get("weight") or next(iter(self.reads.values()))


def use_of(call: Call, names: Mapping[Tensor, str], positions: int, level: int) -> Use | None:
    """Describe how one operation uses the network's tensors, if it does.

    Args:
        call: The operation.
        names: Tensors of the state, and views of them, with their names.
        positions: Positions of the network's input, such as pixels [count].
        level: Level of the last operation that had more than one position.

    Returns:
        The use, or ``None`` if the operation reads no tensor of the state.
    """
    kind, reads = _reads(call, names)
    if not reads:
        return None
    out = call.outs[0]
    if kind in ("elementwise", "lookup", "token"):
        return Use(kind=kind, reads=reads, level=level, pooled=False)
    channel_axis = 1 if kind == "convolution" or _channels_first(call) else -1
    positions_left = out.numel() // out.shape[channel_axis]
    pooled = positions_left <= 1
    if not pooled and positions:
        level = max(0, round(log2(positions / positions_left) / 2))
    if kind == "norm":
        return Use(
            kind=kind,
            reads=reads,
            level=level,
            pooled=pooled,
            eps=call.option("eps"),
            groups=call.option("group"),
        )
    if kind != "convolution":
        return Use(kind=kind, reads=reads, level=level, pooled=pooled)
    weight = call.option("weight")
    return Use(
        kind=kind,
        reads=reads,
        level=level,
        pooled=pooled,
        kernel=tuple(weight.shape[2:]),
        depthwise=weight.shape[1] == 1 and call.option("groups") > 1,
        stride=_for_each_axis(call.option("stride"), weight),
        dilation=_for_each_axis(call.option("dilation"), weight),
        padding=tuple((sides, sides) for sides in _for_each_axis(call.option("padding"), weight)),
    )


def _for_each_axis(setting: Sequence[int], weight: Tensor) -> tuple[int, ...]:
    """Return a setting of a convolution for each spatial axis, where one number holds for all."""
    return tuple(setting) * (weight.ndim - 2) if len(setting) == 1 else tuple(setting)


def _reads(call: Call, names: Mapping[Tensor, str]) -> tuple[str, dict[str, str]]:
    """Return the kind of an operation, and the network's tensors among its arguments."""
    packet = call.func.overloadpacket
    if packet is aten.cat:
        named = [names[value] for value in call.inputs if value in names]
        return "token", {"weight": named[0]} if named else {}
    if packet in SLOTS:
        kind, slots = SLOTS[packet]
        arguments = [(slot, call.option(argument)) for argument, slot in slots.items()]
    else:
        kind = "elementwise"
        arguments = [("weight", value) for value in call.args]
    return kind, {
        slot: names[value]
        for slot, value in arguments
        if isinstance(value, Tensor) and value in names
    }


def axes_of(
    call: Call, input_dependent: Container[Tensor]
) -> Iterator[tuple[Tensor, tuple[str, ...]]]:
    """Name the axes of the weights that an operation reads.

    Args:
        call: The operation.
        input_dependent: Tensors that depend on the network's input; all others are weights, or are
            computed from weights alone.

    Yields:
        A weight, and the role of each of its axes; ``""`` for an axis whose role the operation
        does not tell.
    """
    packet = call.func.overloadpacket
    if packet is aten.convolution:
        weight = call.option("weight")
        out = "groups" if call.option("groups") > 1 else "out"
        sides = ("in", out) if call.option("transposed") else (out, "in")
        yield weight, (*sides, *["kernel"] * (weight.ndim - 2))
        yield call.option("bias"), (out,)
    elif packet in MATRIX_PRODUCTS:
        *bias, left, right = call.args[:3]  # the product of the last two, added to the first
        batch = [""] * (left.ndim - 2)
        if right not in input_dependent:
            yield right, (*batch, "in", "out")
        elif left not in input_dependent:
            yield left, (*batch, "out", "in")
        for added in bias:
            yield added, (*[""] * (added.ndim - 1), "out")
    elif packet is aten.embedding and call.option("indices") in input_dependent:
        yield call.option("weight"), ("embedding", "channel")
    elif packet is aten.index:
        indices = call.option("indices")
        if any(index in input_dependent for index in indices if index is not None):
            yield call.option("self"), tuple("" if i is None else "embedding" for i in indices)


def _channels_first(call: Call) -> bool:
    """Tell whether a norm's channels are its input's axis 1."""
    return call.func.overloadpacket in (aten.native_batch_norm, aten.native_group_norm)


def positions_of(example: Tensor) -> int:
    """Count the positions of an input: pixels of an image, 0 where it has none.

    Args:
        example: An input of one item.

    Returns:
        Positions [count].
    """
    return prod(example.shape[2:]) if example.ndim == 4 else 0
