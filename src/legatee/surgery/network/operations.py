"""For each operation that computes: which channels of its inputs and outputs it couples."""

from typing import Any

from legatee.surgery.network.calls import Call, Fields, Rule, along, aten, support
from legatee.surgery.network.convolutions import channels_of, convolution
from legatee.surgery.network.products import matrix_product, vector_product


def pointwise(call: Call) -> list[Fields]:
    """Couple the channels that an elementwise operation combines.

    Args:
        call: The operation.

    Returns:
        The fields of each output.
    """
    return [call.merge(call.completed(call.inputs, out.ndim), out.ndim) for out in call.outs]


def _copied(call: Call) -> list[Fields]:
    """Give what is overwritten the channels of what is copied to it."""
    return [call.merge([call.fields(call.option("src"))], call.outs[0].ndim)]


def _batch_norm(call: Call) -> list[Fields]:
    """Couple weight, bias, mean and variance with the channels that they normalise."""
    return _normalised(call, ("weight", "bias", "running_mean", "running_var"))


def _group_norm(call: Call) -> list[Fields]:
    """Couple weight and bias with the channels that they scale, group by group."""
    channels, count = call.at(call.option("input"), 1), call.option("group")
    if channels is not None and 1 < count < len(channels):
        call.equal.parts.append((channels.numpy(), count))
    return _normalised(call, ("weight", "bias"))


def _normalised(call: Call, names: tuple[str, ...]) -> list[Fields]:
    """Couple vectors with the channels of the input."""
    x = call.option("input")
    read = channels_of(call, x)
    for name in names:
        vector = call.at(call.option(name), 0)
        call.share(read, None if vector is None else along(vector, 1, x.ndim))
    return [call.fields(x)]


def _layer_norm(call: Call) -> list[Fields]:
    """Couple weight and bias with the last axes, which are normalised."""
    operands = [call.option(name) for name in ("input", "weight", "bias")]
    given = [x for x in operands if x is not None]
    return [call.merge(call.completed(given, given[0].ndim), given[0].ndim)]


def _weight_norm(call: Call) -> list[Fields]:
    """Couple a weight with the directions and lengths that it is computed from."""
    directions, lengths = call.option("v"), call.option("g")
    operands = [call.fields(directions), call.fields(lengths)]
    return [call.merge(operands, directions.ndim), call.fields(lengths)]


def _reduce(call: Call) -> list[Fields]:
    """Keep the fields of the axes that are not reduced; what is reduced to one value is coupled."""
    x, out = call.args[0], call.outs[0]
    dims = call.option("dim")
    every = dims is None or dims == []
    reduced = {
        d % x.ndim for d in (range(x.ndim) if every else [dims] if isinstance(dims, int) else dims)
    }
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


def _along_axis(call: Call) -> list[Fields]:
    """Keep the fields of other axes; those of the axis along which it computes are held."""
    x = call.args[0]
    dim = call.option("dim")
    axis = (x.ndim - 1 if dim is None else dim) % max(x.ndim, 1)
    results: list[Fields] = []
    held = [f for f in call.fields(x) if axis in support(f)]
    for out in call.outs:
        fits = [
            f
            for f in call.fields(x)
            if axis not in support(f) and all(f.shape[a] == out.shape[a] for a in support(f))
        ]
        if held and out.shape[axis] > 1:
            new = along(call.equal.fresh(out.shape[axis]), axis, out.ndim)
            held.append(new)
            fits.append(new)
        results.append(fits if out.is_floating_point() else [])
    call.hold(held, f"the operation {call.func.overloadpacket}")
    return results


def _glu(call: Call) -> list[Fields]:
    """Couple both halves of the axis along which one half gates the other."""
    x, out = call.args[0], call.outs[0]
    axis = call.option("dim") % x.ndim
    size = out.shape[axis]
    halves: list[Fields] = [[], []]
    for f in call.fields(x):
        for half, fields in enumerate(halves):
            fields.append(f.narrow(axis, half * size, size) if f.shape[axis] > 1 else f)
    return [call.merge(halves, out.ndim)]


def _embedding(call: Call) -> list[Fields]:
    """Give the output, whose last axis is a row of the table, the channels of the table."""
    rank = call.outs[0].ndim
    channels = call.at(call.option("weight"), 1)
    return [[] if channels is None else [along(channels, rank - 1, rank)]]


COMPUTING: dict[Any, Rule] = {
    packet: rule
    for rule, packets in {
        convolution: (aten.convolution,),
        _batch_norm: (aten.native_batch_norm,),
        _group_norm: (aten.native_group_norm,),
        pointwise: (aten._prelu_kernel, aten.log_sigmoid_forward),
        _copied: (aten.copy_,),
        _weight_norm: (aten._weight_norm_interface,),
        _layer_norm: (aten.native_layer_norm,),
        matrix_product: (aten.addmm, aten.mm, aten.bmm, aten.baddbmm),
        _reduce: (
            aten.mean,
            aten.sum,
            aten.prod,
            aten.amax,
            aten.amin,
            aten.max,
            aten.min,
            aten.aminmax,
            aten.any,
            aten.all,
            aten.std,
            aten.var,
            aten.var_mean,
            aten.std_mean,
            aten.logsumexp,
            aten.linalg_vector_norm,
        ),
        _along_axis: (
            aten.cumsum,
            aten.cumprod,
            aten.sort,
            aten.topk,
            aten.gather,
            aten.index_select,
        ),
        _glu: (aten.glu,),
        vector_product: (aten.mv, aten.dot, aten.vdot),
        _embedding: (aten.embedding,),
    }.items()
    for packet in packets
}
