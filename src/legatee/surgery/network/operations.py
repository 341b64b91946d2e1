"""For each operation that computes: which channels of its inputs and outputs it couples."""

from typing import Any

from legatee.errors import TraceError
from legatee.surgery.network.calls import Call, Fields, Rule, along, aten, support


def pointwise(call: Call) -> list[Fields]:
    """Couple the channels that an elementwise operation combines.

    Args:
        call: The operation.

    Returns:
        The fields of each output.
    """
    return [call.merge([call.fields(x) for x in call.inputs], out.ndim) for out in call.outs]


def _convolution(call: Call) -> list[Fields]:
    """Couple the input with the weight's input axis, and the output with its output axis."""
    weight, groups, transposed = (call.option(n) for n in ("weight", "groups", "transposed"))
    input_axis, output_axis = (0, 1) if transposed else (1, 0)
    read, written = call.at(call.option("input"), 1), call.at(weight, output_axis)
    if groups == 1:
        call.equate(read, call.at(weight, input_axis))
    else:  # the channels of one group of the convolution are coupled, inputs and outputs
        if transposed or written is None:
            raise TraceError("grouped transposed convolutions are not supported")
        blocks = written.reshape(groups, -1)
        call.equate(blocks, blocks[:, :1])
        if read is not None:
            call.equate(read.reshape(groups, -1), blocks[:, :1])
    call.equate(written, call.at(call.option("bias"), 0))
    return [[] if written is None else [along(written, 1, call.outs[0].ndim)]]


def _batch_norm(call: Call) -> list[Fields]:
    """Couple weight, bias, mean and variance with the channels that they normalise."""
    x = call.option("input")
    for name in ("weight", "bias", "running_mean", "running_var"):
        call.equate(call.at(x, 1), call.at(call.option(name), 0))
    return [call.fields(x)]


def _group_norm(call: Call) -> list[Fields]:
    """Couple weight and bias with the channels that they scale."""
    x = call.option("input")
    for name in ("weight", "bias"):
        call.equate(call.at(x, 1), call.at(call.option(name), 0))
    return [call.fields(x)]


def _layer_norm(call: Call) -> list[Fields]:
    """Couple weight and bias with the last axes, which are normalised."""
    operands = [call.option(name) for name in ("input", "weight", "bias")]
    return [call.merge([call.fields(x) for x in operands], operands[0].ndim)]


def _weight_norm(call: Call) -> list[Fields]:
    """Couple a weight with the directions and lengths that it is computed from."""
    directions, lengths = call.option("v"), call.option("g")
    operands = [call.fields(directions), call.fields(lengths)]
    return [call.merge(operands, directions.ndim), call.fields(lengths)]


def _matmul(call: Call) -> list[Fields]:
    """Couple the two axes that a matrix product sums over, and the batch axes of its operands."""
    *bias, a, b = call.args[:3]  # the product of the last two, added to the first
    rank = a.ndim
    for side, axis in ((a, rank - 1), (b, rank - 2)):
        for f in call.fields(side):
            # one product per head: the columns of a head are one block
            if axis in support(f) and len(support(f)) > 1:
                first = f.narrow(axis, 0, 1)
                call.equate(f, first)
                if rank > 2:
                    call.equal.heads.append(first.reshape(-1).numpy())
    in_a = [f for f in call.fields(a) if rank - 1 in support(f)]
    in_b = [f for f in call.fields(b) if rank - 2 in support(f)]
    for f in in_a:
        for g in in_b:
            call.equate(f, g.transpose(-1, -2))
    kept_a = [f.narrow(rank - 1, 0, 1) for f in call.fields(a)]
    kept_b = [f.narrow(rank - 2, 0, 1) for f in call.fields(b)]
    kept = [[f for f in side if support(f)] for side in (kept_a, kept_b)]
    return [call.merge([*kept, *(call.fields(x) for x in bias)], rank)]


def _reduce(call: Call) -> list[Fields]:
    """Keep the fields of the axes that are not reduced; what is reduced to one value is coupled."""
    x, out = call.args[0], call.outs[0]
    dims = call.option("dim")
    reduced = {d % x.ndim for d in ([dims] if isinstance(dims, int) else dims or range(x.ndim))}
    kept = []
    for f in call.fields(x):
        first = f
        for axis in reduced:
            first = first.narrow(axis, 0, 1)
        if support(first):
            call.equate(f, first)
            kept.append(first)
    if out.ndim < x.ndim:
        others = [axis for axis in range(x.ndim) if axis not in reduced]
        kept = [f.reshape([f.shape[axis] for axis in others]) for f in kept]
    return [kept] * len(call.outs)


def _embedding(call: Call) -> list[Fields]:
    """Give the output, whose last axis is a row of the table, the channels of the table."""
    rank = call.outs[0].ndim
    channels = call.at(call.option("weight"), 1)
    return [[] if channels is None else [along(channels, rank - 1, rank)]]


COMPUTING: dict[Any, Rule] = {
    packet: rule
    for rule, packets in {
        _convolution: (aten.convolution,),
        _batch_norm: (aten.native_batch_norm,),
        _group_norm: (aten.native_group_norm,),
        pointwise: (aten._prelu_kernel, aten.copy_),
        _weight_norm: (aten._weight_norm_interface,),
        _layer_norm: (aten.native_layer_norm,),
        _matmul: (aten.addmm, aten.mm, aten.bmm, aten.baddbmm),
        _reduce: (aten.mean, aten.sum, aten.amax, aten.linalg_vector_norm, aten.var_mean),
        _embedding: (aten.embedding,),
    }.items()
    for packet in packets
}
