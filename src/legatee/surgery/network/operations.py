"""What each operation that computes says about the channels it touches: which of them are one."""

from typing import Any

from legatee.errors import TraceError
from legatee.surgery.network.calls import Call, Fields, Rule, along, aten, support


def pointwise(call: Call) -> list[Fields]:
    """Elementwise operations equate what they combine."""
    return [call.merge([call.fields(x) for x in call.inputs], out.ndim) for out in call.outs]


def _convolution(call: Call) -> list[Fields]:
    """A convolution reads its weight's input axis and shows its output axis."""
    x, weight, bias, transposed, groups = *call.args[:3], call.args[6], call.args[8]
    axis_in, axis_out = (0, 1) if transposed else (1, 0)
    read, shown = call.at(x, 1), call.at(weight, axis_out)
    if groups == 1:
        call.equate(read, call.at(weight, axis_in))
    else:  # a group of the convolution becomes one block, on both its sides
        if transposed or shown is None:
            raise TraceError("grouped transposed convolutions are not understood")
        blocks = shown.reshape(groups, -1)
        call.equate(blocks, blocks[:, :1])
        if read is not None:
            call.equate(read.reshape(groups, -1), blocks[:, :1])
    call.equate(shown, call.at(bias, 0))
    return [[] if shown is None else [along(shown, 1, call.outs[0].ndim)]]


def _batch_norm(call: Call) -> list[Fields]:
    """Weight, bias, mean and variance belong to the channels they scale."""
    x = call.args[0]
    channels = call.at(x, 1)
    for statistic in call.args[1:5]:
        call.equate(channels, call.at(statistic, 0))
    return [call.fields(x)]


def _group_norm(call: Call) -> list[Fields]:
    """Weight and bias belong to the channels they scale."""
    x, weight, bias = call.args[:3]
    for parameter in (weight, bias):
        call.equate(call.at(x, 1), call.at(parameter, 0))
    return [call.fields(x)]


def _layer_norm(call: Call) -> list[Fields]:
    """Weight and bias lie over the trailing axes that are normalised."""
    x, _, weight, bias = call.args[:4]
    return [call.merge([call.fields(x), call.fields(weight), call.fields(bias)], x.ndim)]


def _weight_norm(call: Call) -> list[Fields]:
    """A weight that is made of directions and lengths has the channels of both."""
    directions, lengths = call.args[:2]
    found = [call.fields(directions), call.fields(lengths)]
    return [call.merge(found, directions.ndim), call.fields(lengths)]


def _matmul(call: Call) -> list[Fields]:
    """A matrix product equates the two axes it sums over, and lines up the batch axis."""
    *bias, a, b = call.args[:3]
    rank = a.ndim
    for side, axis in ((a, rank - 1), (b, rank - 2)):
        for f in call.fields(side):
            if axis in support(f) and len(support(f)) > 1:  # a batched block: one identity
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
    """Means and sums keep the fields of the axes that they do not reduce; what they sum is one."""
    x, out = call.args[0], call.outs[0]
    dims = call.option("dim")
    gone = {d % x.ndim for d in ([dims] if isinstance(dims, int) else dims or range(x.ndim))}
    kept = []
    for f in call.fields(x):
        first = f
        for axis in gone:
            first = first.narrow(axis, 0, 1)
        if support(first):
            call.equate(f, first)
            kept.append(first)
    if out.ndim < x.ndim:
        stay = [axis for axis in range(x.ndim) if axis not in gone]
        kept = [f.reshape([f.shape[axis] for axis in stay]) for f in kept]
    return [kept] * len(call.outs)


def _embedding(call: Call) -> list[Fields]:
    """A table shows the channels of its rows, wherever it is looked up."""
    found = call.at(call.args[0], 1)
    return [[] if found is None else [along(found, call.outs[0].ndim - 1, call.outs[0].ndim)]]


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
