"""What a trace does where it cannot follow channels one by one: they stay together."""

from collections import defaultdict
from collections.abc import Container, Mapping

import numpy as np
import torch
from torch import Tensor

from legatee.surgery.network.calls import Call, Fields, along, support
from legatee.surgery.network.equalities import Equalities

Axis = tuple[str, int]  # of a tensor by name
RULE_HINT = (
    "; if it keeps channels apart, pass operations={{{}: pointwise}}, with pointwise of "
    "legatee.surgery.network.operations"
)


def held_together(call: Call, why: str, *, hint: bool = False) -> list[Fields]:
    """Hold all channels of an operation's inputs and outputs together, because it may mix them.

    Args:
        call: The operation.
        why: What it is, to be told.
        hint: Whether to tell how a rule for it is added.

    Returns:
        The fields of each output.
    """
    inputs = [(x, f) for x in call.inputs for f in call.fields(x)]
    held = [f for _, f in inputs]
    results: list[Fields] = []
    for out in call.outs:
        fields: Fields = []
        if isinstance(out, Tensor) and (out.is_floating_point() or out.is_complex()):
            same = [x for x, _ in inputs if x.ndim == out.ndim]
            varying = {axis for x, f in inputs if x.ndim == out.ndim for axis in support(f)}
            axes = varying if same else set(range(int(out.ndim > 1), out.ndim))
            fields = [
                along(call.equal.fresh(out.shape[axis]), axis, out.ndim)
                for axis in sorted(axes)
                if out.shape[axis] > 1
            ]
        held += fields
        results.append(fields)
    call.hold(held, why, hint=hint)
    return results


def write_through(call: Call, view: Tensor, fields: Fields) -> None:
    """Note that a part of a tensor was assigned to: ``x[:, a:b] = y``.

    Args:
        call: The assignment.
        view: The part.
        fields: What it holds now.
    """
    base = view._base
    if base is None or not base.is_contiguous():
        call.hold(fields, "an assignment to a part of a tensor")
        return
    known = list(call.fields(base))
    for f in fields:
        for axis in range(base.ndim):
            if base.shape[axis] < 2:
                continue
            own = next((g for g in known if support(g) == {axis}), None)
            new = along(call.equal.fresh(base.shape[axis]), axis, base.ndim) if own is None else own
            part = _seen_through(new, base, view)
            if support(part) == support(f):
                call.equate(part, f)
                if own is None:
                    known.append(new)
                break
        else:
            call.hold([f], "an assignment to a part of a tensor")
    call.known[base] = known


def _seen_through(f: Tensor, base: Tensor, view: Tensor) -> Tensor:
    """Return the identities of a tensor as one of its views shows them."""
    whole = f.expand(base.shape).contiguous()
    seen = torch.as_strided(whole, view.shape, view.stride(), view.storage_offset())
    for axis in range(seen.ndim):
        first = seen.narrow(axis, 0, 1)
        if bool((seen == first).all()):
            seen = first
    return seen


def couple_held(
    equal: Equalities, axes: Mapping[Axis, Tensor], called: Container[Axis], classes: np.ndarray
) -> tuple[str, ...]:
    """Couple channels that operations may mix, and return what to say of it.

    Positions, which no layer reads as channels, may be pooled or indexed freely.

    Args:
        equal: The equalities of a trace, to which those of held channels are added.
        axes: The identities along each axis of each tensor.
        called: Axes whose role an operation tells: those of layers.
        classes: The channel of each identity, by the other equalities.

    Returns:
        Sentences.
    """
    places: dict[int, list[Axis]] = defaultdict(list)
    for axis, ids in axes.items() if equal.held else ():
        for channel in set(classes[ids.numpy()].tolist()):
            places[channel].append(axis)
    notes: dict[str, None] = {}
    for held, why, hint in equal.held:
        touched = [axis for c in dict.fromkeys(classes[held].tolist()) for axis in places[c]]
        layers = [axis[0] for axis in touched if axis in called]
        if layers and len(set(touched)) > 1:
            equal.pairs.append((held[1:], held[:-1]))
            note = (
                f"the channels of {layers[0]!r} go through {why}, which may mix them, so they are "
                f"inherited only all together{RULE_HINT.format(why) if hint else ''}"
            )
            notes[note] = None
    return tuple(notes)
