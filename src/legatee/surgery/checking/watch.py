"""Runs a network with real numbers, in float64, and shows every operation that reads a weight."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map
from torch.utils.weak import WeakIdKeyDictionary

from legatee.surgery.checking.alignment import Alignment, alignment, aten
from legatee.surgery.checking.averages import averaged
from legatee.surgery.checking.weights import View, Weights, tensors_in

WIDER = {  # numbers are computed in double precision, whatever the network asks for
    torch.float16: torch.float64,
    torch.bfloat16: torch.float64,
    torch.float32: torch.float64,
    torch.complex32: torch.complex128,
    torch.complex64: torch.complex128,
}
UNDEFINED = (aten.div, aten._weight_norm_interface)  # 0/0 where a channel is silenced


@dataclass(eq=False, kw_only=True)
class Step:
    """One operation on what depends on the network's input.

    Attributes:
        name: Its name in PyTorch.
        before: The steps that computed what it reads.
        mixes: Whether it may combine channels: it is neither elementwise nor a change of layout.
        weights: Names of the weights that it reads.
        agrees: Whether what it computes agrees with the other network; ``None`` if it was not
            compared.
    """

    name: str
    before: tuple["Step", ...]
    mixes: bool
    weights: tuple[str, ...] = ()
    agrees: bool | None = None


@dataclass(frozen=True, kw_only=True)
class Reading:
    """An operation that applies a weight to what depends on the network's input.

    Attributes:
        step: The operation.
        view: The elements of the weight that it reads.
        how: Which axes run through which of the weight's.
        source: The step that computed what it reads, if there is one.
        reads: What it reads; ``None`` where that is not known, or was overwritten.
        writes: What it computes.
    """

    step: Step
    view: View
    how: Alignment
    source: Step | None
    reads: Tensor | None
    writes: Tensor


class Watch(TorchDispatchMode):
    """Shows each operation that applies a weight, with the numbers that it reads and computes.

    Args:
        tensors: The network's state by name.
        see: Called with each reading, while the network runs.
        apart: Whether averages leave out channels that are silent.

    Attributes:
        left_out: Each average that left out silent channels: the operation, and how many were left
            out of how many.
    """

    def __init__(
        self, tensors: Mapping[str, Tensor], see: Callable[[Reading], None], *, apart: bool
    ) -> None:
        super().__init__()
        self.left_out: list[tuple[str, int, int]] = []
        self._weights = Weights(tensors)
        self._see = see
        self._apart = apart
        self._steps: Any = WeakIdKeyDictionary()
        self._written: dict[int, tuple[Step, Any]] = {}  # by memory, for writes through a view

    def feed(self, tensor: Tensor) -> None:
        """Take note of one of the network's inputs.

        Args:
            tensor: The input.
        """
        self._steps[tensor] = Step(name="input", before=(), mixes=False)

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None
    ) -> Any:
        args, kwargs = tree_map(_widened, (args, kwargs or {}))
        if kwargs.get("dtype") in WIDER and func.overloadpacket is aten._to_copy:
            kwargs["dtype"] = WIDER[kwargs["dtype"]]
        inputs = tensors_in((args, kwargs))
        read = [x for x in inputs if self._step(x) is not None]
        option = _options(func, args, kwargs)
        out = self._averaged(func, option, read)
        if out is None:
            out = tree_map(_widened, func(*args, **kwargs))
        outs = tensors_in(out)
        if not read:
            self._weights.follow(inputs, outs)
        if not read or func.overloadpacket in UNDEFINED:
            for value in outs:
                if value.is_floating_point() and bool(value.isnan().any()):
                    value.nan_to_num_(nan=0.0, posinf=float("inf"), neginf=float("-inf"))
        if read:
            self._follow(func, option, inputs, read, outs)
        return out

    def _step(self, tensor: Tensor) -> Step | None:
        """Return the step that computed a tensor, if it depends on the network's input."""
        step: Step | None = self._steps.get(tensor)
        if step is None and self._written:
            step = self._written.get(tensor.untyped_storage().data_ptr(), (None, None))[0]
        return step

    def _follow(
        self,
        func: Any,
        option: Callable[[str], Any],
        inputs: list[Tensor],
        read: list[Tensor],
        outs: list[Tensor],
    ) -> None:
        """Note a step, and show what it reads of the network's weights."""
        before = tuple(step for x in read if (step := self._step(x)) is not None)
        weights = [(x, view) for x in inputs if (view := self._weights.view(x)) is not None]
        weights.sort(key=lambda weight: -weight[0].ndim)  # a bias comes last
        step = Step(
            name=func.overloadpacket.__name__,
            before=before,
            mixes=not (func.is_view or torch.Tag.pointwise in func.tags),
            weights=tuple(view.name for _, view in weights),
        )
        overwritten = {id(x) for x in outs} & {id(x) for x in inputs}
        for reading in self._readings(func, option, step, weights, read, outs):
            if id(reading.reads) in overwritten:
                reading = Reading(**(vars(reading) | {"reads": None}))
            self._see(reading)
        for out in outs:
            self._steps[out] = step
            if overwritten and out._is_view():
                storage = out.untyped_storage()
                self._written[storage.data_ptr()] = step, storage

    def _readings(
        self,
        func: Any,
        option: Callable[[str], Any],
        step: Step,
        weights: list[tuple[Tensor, View]],
        read: list[Tensor],
        outs: list[Tensor],
    ) -> Iterator[Reading]:
        for weight, view in weights if outs else ():
            how = alignment(func, option, weight, read, outs[0])
            if how is not None:
                yield Reading(
                    step=step,
                    view=view,
                    how=how,
                    source=None if how.reads is None else self._step(how.reads),
                    reads=how.reads,
                    writes=outs[0],
                )

    def _averaged(self, func: Any, option: Callable[[str], Any], read: list[Tensor]) -> Any:
        """Compute an average without the channels that are silent, if there are any."""
        if not (self._apart and read):
            return None
        found = averaged(func, option)
        if found is None:
            return None
        weight = option("weight")
        view = self._weights.view(weight) if isinstance(weight, Tensor) else None
        named = view.name if view is not None else self._named_before(read[0])
        out, silent, whole = found
        self.left_out.append((f"{func.overloadpacket.__name__} {named}", silent, whole))
        return out

    def _named_before(self, tensor: Tensor) -> str:
        """Name an operation without weights by the last weights before it."""
        steps = [self._step(tensor)]
        while steps and steps[0] is not None and not steps[0].weights:
            steps += steps[0].before
            steps = steps[1:]
        return f"after {steps[0].weights[0]}" if steps and steps[0] is not None else "of the input"


def _options(func: Any, args: tuple, kwargs: Mapping[str, Any]) -> Callable[[str], Any]:
    """Return what reads an operation's arguments by name."""
    names = [argument.name for argument in func._schema.arguments]
    given = dict(zip(names, args, strict=False)) | dict(kwargs)
    usual = {a.name: a.default_value for a in func._schema.arguments if a.has_default_value()}
    return lambda name: given.get(name, usual.get(name))


def _widened(value: Any) -> Any:
    """Return a tensor in double precision; anything else as it is."""
    if isinstance(value, Tensor) and value.dtype in WIDER:
        return value.to(WIDER[value.dtype])
    return value
