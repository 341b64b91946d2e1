"""What a network does with each of its tensors, in the order in which it does it."""

from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass
from math import log2, prod
from typing import Any

from torch import Tensor

from legatee.surgery.network.calls import Call, aten

SLOTS: dict[Any, tuple[str, tuple[str, ...]]] = {  # what the arguments of an operation are called
    aten.convolution: ("convolution", ("", "weight", "bias")),
    aten.addmm: ("linear", ("bias", "weight", "weight")),
    aten.mm: ("linear", ("weight", "weight")),
    aten.native_batch_norm: ("norm", ("", "weight", "bias", "running_mean", "running_var")),
    aten.native_layer_norm: ("norm", ("", "", "weight", "bias")),
    aten.native_group_norm: ("norm", ("", "weight", "bias")),
    aten.embedding: ("embedding", ("weight",)),
    aten.index: ("lookup", ("weight",)),
    aten.cat: ("token", ("weight",)),
}


@dataclass(frozen=True, kw_only=True)
class Use:
    """One operation that reads tensors of the network's state.

    Attributes:
        kind: ``"convolution"``, ``"linear"``, ``"norm"``, ``"embedding"``, ``"lookup"`` for a table
            that is read by position, ``"token"`` for what is laid beside other things,
            ``"elementwise"`` for a tensor that is added or multiplied as it is.
        reads: What the operation calls each tensor -> the tensor's name.
        level: Halvings of the image until here, as of the last operation that still had more than
            one position [count].
        pooled: Whether it sees one position only, as after a global pool.
        kernel: Side lengths of a convolution's kernel.
        depthwise: Whether a convolution keeps channels apart.
        stride: Of a convolution.
        dilation: Of a convolution.
        padding: Of a convolution.
    """

    kind: str
    reads: Mapping[str, str]
    level: int
    pooled: bool
    kernel: tuple[int, ...] = ()
    depthwise: bool = False
    stride: tuple[int, ...] = ()
    dilation: tuple[int, ...] = ()
    padding: tuple[int, ...] = ()


def use_of(call: Call, names: Mapping[Tensor, str], positions: int, level: int) -> Use | None:
    """Tell how one operation uses the network's tensors, if it does.

    Args:
        call: The operation.
        names: Tensors of the state, and views of them, with their names.
        positions: Positions of the network's input, such as pixels [count].
        level: Of the last operation that had more than one position.

    Returns:
        The use, or ``None`` if no tensor of the state is read.
    """
    packet = call.func.overloadpacket
    kind, slots = SLOTS.get(packet, ("elementwise", ("weight",) * len(call.args)))
    given = [x for x in call.inputs if x in names] if kind == "token" else call.args
    reads = {
        slot: names[value]
        for slot, value in zip(slots, given, strict=False)
        if slot and isinstance(value, Tensor) and value in names
    }
    if not reads:
        return None
    out = call.outs[0]
    if kind in ("elementwise", "lookup", "token"):
        return Use(kind=kind, reads=reads, level=level, pooled=False)
    here = out.numel() // out.shape[1 if kind == "convolution" or _channels_first(call) else -1]
    pooled = here <= 1
    if not pooled and positions:
        level = max(0, round(log2(positions / here) / 2))
    if kind != "convolution":
        return Use(kind=kind, reads=reads, level=level, pooled=pooled)
    weight = call.args[1]
    return Use(
        kind=kind,
        reads=reads,
        level=level,
        pooled=pooled,
        kernel=tuple(weight.shape[2:]),
        depthwise=weight.shape[1] == 1 and call.args[8] > 1,
        stride=tuple(call.args[3]),
        dilation=tuple(call.args[5]),
        padding=tuple(call.args[4]),
    )


def axes_of(call: Call, given: Container[Tensor]) -> Iterator[tuple[Tensor, tuple[str, ...]]]:
    """Tell what an operation calls the axes of the weights that it reads.

    Args:
        call: The operation.
        given: Tensors that depend on the network's input; what does not is a weight, or made of
            weights alone.

    Yields:
        A weight, and the role of each of its axes; ``""`` for an axis it says nothing about.
    """
    packet, args = call.func.overloadpacket, call.args
    if packet is aten.convolution:
        rows = "groups" if args[8] > 1 else "out"
        sides = ("in", rows) if args[6] else (rows, "in")
        yield args[1], (*sides, *["kernel"] * (args[1].ndim - 2))
        yield args[2], (rows,)
    elif packet in (aten.mm, aten.addmm, aten.bmm, aten.baddbmm):
        *bias, a, b = args[:3]
        batch = [""] * (a.ndim - 2)
        if b not in given:
            yield b, (*batch, "in", "out")
        elif a not in given:
            yield a, (*batch, "out", "in")
        for one in bias:
            yield one, (*[""] * (one.ndim - 1), "out")
    elif packet is aten.embedding and args[1] in given:
        yield args[0], ("embedding", "channel")
    elif packet is aten.index and any(i in given for i in args[1] if i is not None):
        yield args[0], tuple("" if i is None else "embedding" for i in args[1])


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
