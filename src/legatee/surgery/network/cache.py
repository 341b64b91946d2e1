"""When two networks have the same architecture, so that one trace serves for both.

Tracing takes many times as long as loading weights, and programs build the same architecture again
and again. A network is described by its modules, their attributes, the shapes of its tensors, and
the classes and functions that it is made of; only networks with equal descriptions share a trace.

What this sees: every attribute of every module, hooks, methods that were replaced on a class or an
instance, code that was replaced, and the functions and flags of its module that a method names.
What it does not see: what those functions call in their turn, and the state of libraries, such as
a global switch of torch. Only the code of the libraries below is trusted not to change there; a
network with any other code is traced every time.
"""

import pickle
from dataclasses import dataclass, field
from hashlib import sha256
from io import BytesIO
from types import BuiltinFunctionType, FunctionType, MethodType
from typing import Any
from weakref import ref

from torch import Tensor, nn

from legatee.surgery.network.inputs import Inputs

NAMED = (type, FunctionType, BuiltinFunctionType)  # compared by identity, with their code
LIBRARIES = {"builtins", "collections", "functools", "legatee", "timm", "torch", "torchvision"}
LIBRARIES |= {"transformers"}  # trusted not to change while a program runs


@dataclass(frozen=True)
class Architecture:
    """All that a trace of a network depends on; the values of its weights are not among it.

    Attributes:
        described: Digest of the modules, their attributes, their code, and the shapes and types of
            all tensors.
        network: The network, which this does not keep in memory.
        example: Inputs for it, on the meta device.
        kept: Classes and functions that were compared by identity; they are kept in memory, so
            that no new one can have the same identity.
    """

    described: bytes
    network: "ref[nn.Module]" = field(compare=False)
    example: Inputs = field(compare=False)
    kept: tuple[Any, ...] = field(compare=False)


def architecture(network: nn.Module, tensors: dict[str, Tensor], example: Inputs) -> Architecture:
    """Describe a network that is built of library classes alone.

    User code may call anything, so that a network with user code is not described.

    Args:
        network: Any network.
        tensors: Its parameters and saved buffers by name, ties once.
        example: Inputs for it.

    Returns:
        The description.

    Raises:
        pickle.PicklingError: If code from outside the libraries is part of the network.
        Exception: Anything that an attribute raises that cannot be pickled.

    Example:
        >>> nets = nn.Conv2d(1, 4, 3), nn.Conv2d(1, 4, 3), nn.Conv2d(1, 4, 3, stride=2)
        >>> first, second, strided = (
        ...     architecture(net, dict(net.named_parameters()), Inputs.of(Tensor(1, 1, 8, 8)))
        ...     for net in nets
        ... )
        >>> first == second, first == strided
        (True, False)
    """
    text = BytesIO()
    writer = _Describer(text, network, tensors)
    writer.dump((network, tuple(tensors), example.described))
    kept = tuple(part for thing in writer.named.values() for part in _parts(thing))
    digest = sha256(text.getvalue())
    digest.update(repr([id(part) for part in kept]).encode())
    return Architecture(digest.digest(), ref(network), example, kept)


class _Describer(pickle.Pickler):
    """Pickles a network without the values of its tensors; the result is compared, never read."""

    def __init__(self, file: BytesIO, network: nn.Module, tensors: dict[str, Tensor]):
        super().__init__(file)
        self.named: dict[int, Any] = {}
        self._tensors = {id(value): name for name, value in network.named_buffers()}
        self._tensors |= {id(value): name for name, value in tensors.items()}

    def persistent_id(self, thing: Any) -> Any:
        """Replace a tensor, class or function by what it is compared by; pickle other things."""
        if isinstance(thing, Tensor):
            if id(thing) not in self._tensors:
                raise pickle.PicklingError("a tensor is neither parameter nor buffer")
            return self._tensors[id(thing)], tuple(thing.shape), str(thing.dtype)
        if isinstance(thing, NAMED):
            if str(thing.__module__).partition(".")[0] not in LIBRARIES or getattr(
                thing,
                "__closure__",
                None,  # keeping a closure may keep a network in memory
            ):
                raise pickle.PicklingError(f"{thing} is not part of a known library")
            self.named[id(thing)] = thing
            return id(thing)
        return None

    def reducer_override(self, thing: Any) -> Any:
        """Pickle a bound method by its function and object; the default is its name alone."""
        if isinstance(thing, MethodType):
            return MethodType, (thing.__func__, thing.__self__)
        return NotImplemented


def _parts(thing: Any) -> list[Any]:
    """Return a class or function, its code, and the globals that the code names."""
    bases = thing.__mro__ if isinstance(thing, type) else ()
    parts = [thing, *(value for base in bases for value in vars(base).values())]
    for part in [part for part in parts if isinstance(part, FunctionType)]:
        named = (part.__globals__.get(name) for name in part.__code__.co_names)
        parts += [part.__code__, *named]
    return parts
