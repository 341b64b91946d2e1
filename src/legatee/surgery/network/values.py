"""Values for a network that runs on the meta device, where tensors have shapes but no numbers.

Many networks ask a tensor for a number: whether a mask hides anything, or how long a text is.
Whole numbers and booleans are therefore also computed on the CPU, as is all that is made of known
numbers. Weights, inputs and what is computed from them count as ones, which are never stored.
"""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_map
from torch.utils.weak import WeakIdKeyDictionary

CPU, META = torch.device("cpu"), torch.device("meta")
LARGEST = 1 << 22  # elements of a tensor whose values are computed
TO_DEVICE = torch.ops.aten._to_copy.default


class Values:
    """Runs every operation on the meta device, and on the CPU where its numbers may be asked for.

    A tensor on any other device is replaced by one on the meta device, so that networks may make
    tensors on a device of their choice. Only a copy to the CPU gives a tensor with numbers.
    """

    def __init__(self) -> None:
        self.known: Any = WeakIdKeyDictionary()  # tensor on the meta device -> its values
        self.stand_ins: Any = WeakIdKeyDictionary()  # tensor with values -> one without

    def run(self, func: Any, args: tuple, kwargs: dict) -> Any:
        """Run one operation.

        Args:
            func: The operation.
            args: Its arguments by position.
            kwargs: Its arguments by name.

        Returns:
            What it returns, on the meta device; numbers that were asked for are numbers.

        Raises:
            NotImplementedError: If it runs neither without values nor with them.
            RuntimeError: Likewise.
        """
        device = kwargs.get("device")
        if func is TO_DEVICE and device is not None and device.type == "cpu":
            return self._on_cpu(func, args, kwargs)
        tensors = list(_tensors_in(args, kwargs.values()))
        if not all(x.is_meta for x in tensors):
            args, kwargs = tree_map(self._without_values, (args, kwargs))
            tensors = list(_tensors_in(args, kwargs.values()))
        kwargs = _placed(func, kwargs, META, made=not tensors)
        try:
            out = func(*args, **kwargs)
        except (NotImplementedError, RuntimeError):
            computed = self._computed(func, args, kwargs) if tensors else None
            if computed is None:
                raise
            return tree_map(self._without_values, computed)
        outs = [x for x in _each(out) if isinstance(x, Tensor)]
        all_known = all(x in self.known for x in tensors)
        if all_known or not all(x.is_floating_point() for x in outs):
            self._remember(func, args, kwargs, outs, floats=all_known)
        if func._schema.is_mutable and not all_known:
            for changed in tensors[:1]:  # it, or a tensor that it is a part of, has other values
                self.known.pop(changed, None)
                if changed._base is not None:
                    self.known.pop(changed._base, None)
        return out

    def _computed(self, func: Any, args: tuple, kwargs: dict) -> Any:
        """Return what an operation makes of values; ``None`` where ones make no sense to it."""
        try:
            return self._on_cpu(func, args, kwargs)
        except Exception:  # such as positions in a table that is too short
            return None

    def _remember(
        self, func: Any, args: tuple, kwargs: dict, outs: list[Tensor], *, floats: bool
    ) -> None:
        """Compute values of results, where an operation's inputs allow it."""
        if sum(x.numel() for x in outs) > LARGEST:
            return
        computed = _each(self._computed(func, args, kwargs))
        reals = [x for x in computed if isinstance(x, Tensor)]
        for out, value in zip(outs, reals, strict=False):
            if out.shape == value.shape and (floats or not out.is_floating_point()):
                self.known[out] = value

    def _on_cpu(self, func: Any, args: tuple, kwargs: dict) -> Any:
        made = not list(_tensors_in(args, kwargs.values()))
        args, kwargs = tree_map(self._value, (args, kwargs))
        return func(*args, **_placed(func, kwargs, CPU, made=made))

    def _value(self, x: Any) -> Any:
        """Return the values of a tensor: ones, which take no memory, where they are not known."""
        if not isinstance(x, Tensor) or not x.is_meta:
            return x
        value = self.known.get(x)
        return torch.ones((), dtype=x.dtype, device=CPU).expand(x.shape) if value is None else value

    def _without_values(self, x: Any) -> Any:
        """Return a tensor on the meta device in the place of one that has values."""
        if not isinstance(x, Tensor) or x.is_meta:
            return x
        if x not in self.stand_ins:
            stand_in = torch.empty_like(x, device=META)
            self.stand_ins[x] = stand_in
            self.known[stand_in] = x if x.device == CPU else x.detach().to(CPU)
        return self.stand_ins[x]


def _placed(func: Any, kwargs: dict, device: torch.device, *, made: bool) -> dict:
    """Return keyword arguments with that device, where the operation makes a tensor on one."""
    if kwargs.get("device") is not None:
        return kwargs | {"device": device}
    takes_device = made and any(x.name == "device" for x in func._schema.arguments)
    return kwargs | {"device": device} if takes_device else kwargs


def _each(out: Any) -> list | tuple:
    return out if isinstance(out, list | tuple) else (out,)


def _tensors_in(*arguments: Any) -> Iterator[Tensor]:
    """Yield the tensors among arguments, which may be in lists."""
    for values in arguments:
        for value in values:
            if isinstance(value, Tensor):
                yield value
            elif isinstance(value, list | tuple):
                yield from _tensors_in(value)
