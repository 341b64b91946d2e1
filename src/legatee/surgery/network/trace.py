"""Trace every channel of a network from its input to its output, without computing anything.

The network runs once on the meta device, which has shapes but no values. For each operation a rule
says which channels it couples: a sum couples its operands channel by channel, a convolution couples
its weight's input axis with the channels that it reads, concatenation keeps channels side by side,
flattening repeats a channel over many positions, and a batched matrix product (attention) couples
the columns of a head. Coupled channels must be inherited together.
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.weak import WeakIdKeyDictionary

from legatee.errors import TraceError
from legatee.surgery.network.calls import (
    Call,
    Fields,
    NotFollowedError,
    Rule,
    along,
    squeezed,
)
from legatee.surgery.network.channel_map import ChannelMap
from legatee.surgery.network.dataflow import Dataflow
from legatee.surgery.network.equalities import Equalities
from legatee.surgery.network.held import couple_held, held_together, write_through
from legatee.surgery.network.inputs import Inputs
from legatee.surgery.network.layouts import MOVING, UNIFORM, made
from legatee.surgery.network.operations import COMPUTING, pointwise
from legatee.surgery.network.outputs import tensors_within
from legatee.surgery.network.stand_ins import constant, copied, on_cpu, shadow
from legatee.surgery.network.uses import Use, axes_of, positions_of, use_of
from legatee.surgery.network.values import Values

RULES = COMPUTING | MOVING


def trace(
    network: nn.Module,
    tensors: dict[str, Tensor],
    example: Inputs,
    operations: Mapping[Any, Rule] | None = None,
) -> ChannelMap:
    """Run ``network`` once on the meta device and find out which channels are coupled.

    Args:
        network: The network; neither its weights nor its mode are changed.
        tensors: Its parameters and saved buffers by name, ties once.
        example: Inputs that it accepts; only shapes and types are used.
        operations: Channel rules for operations that are not built in, such as
            ``{torch.ops.mine.op: rule}``.

    Returns:
        The channels of every axis of every tensor.

    Raises:
        TraceError: If the network does not run on that input.
    """
    with on_cpu(), torch.inference_mode(False), torch.no_grad():
        mode = _ChannelTrace(_by_packet(operations or {}))
        shadows = {id(buffer): constant(buffer) for buffer in network.buffers()}
        for name, value in tensors.items():
            shadows[id(value)] = shadow(value)
            mode.label_parameter(name, shadows[id(value)])
        dtypes = [value.dtype for value in tensors.values() if value.is_floating_point()]
        inputs = example.fresh(dtypes)  # channels run alike at any precision
        for stand_in in inputs.tensors:
            mode.label_input(stand_in)
        try:
            copy = copied(network, shadows)
            with torch.random.fork_rng(devices=[]), mode:
                output = copy(*inputs.args, **inputs.kwargs)
        except TraceError:
            raise
        except Exception as error:  # the user's forward raises whatever it likes
            cause = " ".join(str(error).split())[:200] or type(error).__name__
            raise TraceError(f"it does not run on {example}: {cause}") from error
        return mode.channels(tensors_within(output))


def _by_packet(operations: Mapping[Any, Rule]) -> dict[Any, Rule]:
    """Return rules by operation, all overloads of one operation together."""
    return {getattr(key, "overloadpacket", key): rule for key, rule in operations.items()}


class _ChannelTrace(TorchDispatchMode):
    """Computes the fields of every tensor from those of the operation's inputs."""

    def __init__(self, own_rules: Mapping[Any, Rule]) -> None:
        super().__init__()
        self.own_rules = own_rules
        self.rules = RULES | dict(own_rules)
        self.equal = Equalities()
        self.fields: Any = WeakIdKeyDictionary()
        self.names: Any = WeakIdKeyDictionary()
        self.axes: dict[tuple[str, int], Tensor] = {}
        self.owners: list[tuple[str, int]] = []  # tensor and axis of each parameter's identity
        self.shapes: dict[str, torch.Size] = {}
        self.called: dict[tuple[str, int], str] = {}
        self.given: Any = WeakIdKeyDictionary()  # what depends on the input's values
        self.input_fields: list[Tensor] = []
        self.uniform: Any = WeakIdKeyDictionary()  # tensors whose elements are all equal
        self.positions = 0
        self.flow = Dataflow()
        self.values = Values()

    def label_parameter(self, name: str, shadow: Tensor) -> None:
        """Give every axis of a parameter or buffer identities of its own; indices have none."""
        self.names[shadow] = name
        self.shapes[name] = shadow.shape
        if not shadow.is_floating_point():
            return
        fields = []
        for axis, size in enumerate(shadow.shape):
            if size > 1:
                self.axes[name, axis] = self.equal.fresh(size)
                self.owners += [(name, axis)] * size
                fields.append(along(self.axes[name, axis], axis, shadow.ndim))
        self.fields[shadow] = fields

    def label_input(self, stand_in: Tensor) -> None:
        """Give the channels of an image, or the features of a vector, identities of their own."""
        self.positions = self.positions or positions_of(stand_in)
        self.given[stand_in] = True
        if not stand_in.is_floating_point() or stand_in.ndim < 2:
            return
        axis = 1 if stand_in.ndim in (2, 4) else stand_in.ndim - 1
        if stand_in.shape[axis] > 1:
            ids = self.equal.fresh(stand_in.shape[axis])
            field = along(ids, axis, stand_in.ndim)
            self.input_fields.append(field)
            self.fields[stand_in] = [field]

    def channels(self, output: Any) -> ChannelMap:
        """Solve the equalities, and find the channels of the input and of the output."""
        classes = self.equal.solve()
        notes = couple_held(self.equal, self.axes, self.called, classes)
        if notes:
            classes = self.equal.solve()
        written = [f for leaf in _tensors_in(output) for f in self.fields.get(leaf, [])]
        read = list(self.input_fields)
        tables = {use.reads["weight"] for use in self.flow.uses if use.kind == "embedding"}
        read += [self.axes[name, 0] for name in tables if (name, 0) in self.axes]
        parts: dict[int, tuple[int, ...]] = {}
        for ids, count in self.equal.parts:
            for place, channel in enumerate(classes[ids].tolist()):
                parts[channel] = (*parts.get(channel, ()), place * count // len(ids))
        return ChannelMap(
            axes={key: classes[ids.numpy()] for key, ids in self.axes.items()},
            consumed=frozenset(int(c) for f in read for c in classes[f.reshape(-1).numpy()]),
            produced=frozenset(int(c) for f in written for c in classes[f.reshape(-1).numpy()]),
            fixed=frozenset(int(c) for ids in self.equal.fixed for c in classes[ids]),
            parts=parts,
            notes=notes,
            heads=frozenset(int(c) for ids in self.equal.heads for c in classes[ids]),
            called=self.called,
            uses=self.flow.finished(),
        )

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None
    ) -> Any:
        out = self.values.run(func, args, kwargs or {})
        inputs = _tensors_in((args, kwargs))
        outs = list(out) if isinstance(out, (tuple, list)) else [out]
        call = Call(
            equal=self.equal,
            known=self.fields,
            uniform=self.uniform,
            input_dependent=self.given,
            value=self.values.known.get,
            is_place=self._is_place,
            func=func,
            args=args,
            keywords=kwargs or {},
            inputs=inputs,
            outs=outs,
        )
        use = self._note(call)
        # The results of comparisons and new tensors do not depend on the input's values.
        if any(x in self.given for x in inputs) and self.rules.get(func.overloadpacket) is not made:
            for out_tensor in _tensors_in(outs):
                if out_tensor.dtype != torch.bool:
                    self.given[out_tensor] = True
        self.flow.follow(call, use, self.given)
        if any(self.fields.get(x) for x in inputs):
            for written, fields in zip(outs, self._followed(call), strict=False):
                if isinstance(written, Tensor):
                    fields = [squeezed(f) for f in fields]
                    if func._schema.is_mutable and written._is_view():
                        write_through(call, written, fields)
                    self.fields[written] = fields
        self._note_uniform(call)
        return out

    def _is_place(self, f: Tensor) -> bool:
        """Tell whether identities are those of positions, which no layer has read as channels."""
        owners = {self.owners[n] if n < len(self.owners) else None for n in f.unique().tolist()}
        return None not in owners and self.called.keys().isdisjoint(owners)

    def _followed(self, call: Call) -> list[Fields]:
        """Return the fields of an operation's outputs, by its rule or, without one, all held."""
        packet = call.func.overloadpacket
        rule = self.rules.get(packet)
        if rule is None and torch.Tag.pointwise in call.func.tags:
            rule = pointwise
        try:
            if rule is not None:
                return rule(call)
            if not any(x.is_floating_point() or x.is_complex() for x in _tensors_in(call.outs)):
                return [[] for _ in call.outs]  # answers, such as where or whether something is
            return held_together(call, f"torch.ops.{packet}", hint=True)
        except NotFollowedError as error:
            return held_together(call, str(error))
        except (IndexError, RuntimeError, TypeError, ValueError):
            if packet in self.own_rules:  # a mistake in a rule of the user's must be seen
                raise
            return held_together(call, f"torch.ops.{packet}")  # arguments of an unusual kind

    def _note_uniform(self, call: Call) -> None:
        """Note tensors whose elements are all equal: new ones, views of them, sums and products."""
        func = call.func
        outs, inputs = _tensors_in(call.outs), call.inputs
        made_uniform = func.overloadpacket in UNIFORM
        keeps = torch.Tag.pointwise in func.tags or all(out._is_view() for out in outs)
        random = torch.Tag.nondeterministic_seeded in func.tags
        if func._schema.is_mutable:  # a part of a larger tensor may have changed
            for changed in _tensors_in((inputs[:1], [x._base for x in inputs[:1]])):
                self.uniform.pop(changed, None)
            made_uniform &= not any(out._is_view() for out in outs)
        elif inputs and keeps and not random:
            made_uniform |= all(x in self.uniform for x in inputs)
        for out in outs if made_uniform else ():
            self.uniform[out] = True

    def _note(self, call: Call) -> Use | None:
        """Describe how an operation uses the network's tensors; views keep a tensor's name."""
        for weight, roles in axes_of(call, self.given):
            if isinstance(weight, Tensor) and weight not in self.given:
                self._call_axes(call, weight, roles)
        named = [x for x in call.inputs if x in self.names]
        if call.func.overloadpacket in MOVING and len(call.inputs) == 1:
            for out in call.outs if named else ():
                self.names[out] = self.names[named[0]]
        elif named:
            level = self.flow.uses[-1].level if self.flow.uses else 0
            use = use_of(call, self.names, self.positions, level)
            # What is computed from weights alone, such as a standardised kernel, gets the name of
            # the weight that has its shape.
            like = next((x for x in named if x.shape == call.outs[0].shape), None)
            if like is not None and not any(x in self.given for x in call.inputs):
                self.names[call.outs[0]] = self.names[like]
            return use
        return None

    def _call_axes(self, call: Call, weight: Tensor, roles: tuple[str, ...]) -> None:
        """Note the roles of a weight's axes; those of the first operation stay."""
        single, name = [], self.names.get(weight)
        for axis, role in enumerate(roles):
            ids = call.at(weight, axis)
            if ids is not None and int(ids[0]) < len(self.owners) and role:
                name, _ = owner = self.owners[int(ids[0])]
                self.called.setdefault(owner, role)
            elif weight.shape[axis] == 1:
                single.append(role)
        # An axis of length 1 has no identities; it is found by its order among such axes.
        if name is not None:
            places = (axis for axis, size in enumerate(self.shapes[name]) if size == 1)
            for axis, role in zip(places, single, strict=False):
                self.called.setdefault((name, axis), role)


def _tensors_in(tree: Any) -> list[Tensor]:
    """Return the tensors in nested lists, tuples and dicts."""
    return [leaf for leaf in tree_leaves(tree) if isinstance(leaf, Tensor)]
