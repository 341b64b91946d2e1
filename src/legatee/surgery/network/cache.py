"""What decides how channels run through a network: of two that agree in it, one is traced."""

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
LIBRARIES |= {"transformers"}  # what they call does not change while a program runs


@dataclass(frozen=True)
class Architecture:
    """A network and an input as a tracer meets them: their weights do not count.

    Attributes:
        described: Digest of the modules, their attributes, their code, and the shapes and types of
            all tensors.
        network: The network, which this does not keep in memory.
        example: Inputs for it, on the meta device.
        kept: Classes and functions that it was compared by, so that no other takes their place.
    """

    described: bytes
    network: "ref[nn.Module]" = field(compare=False)
    example: Inputs = field(compare=False)
    kept: tuple[Any, ...] = field(compare=False)


def architecture(network: nn.Module, held: dict[str, Tensor], example: Inputs) -> Architecture:
    """Describe a network as a tracer meets it, if it is built of what libraries define.

    An attribute that changes makes another architecture, and so does a method that is replaced, or
    a function or flag of its module that it names. Code of the user's own may call anything, so
    networks with such code are not described.

    Args:
        network: Any network.
        held: Its parameters and saved buffers by name, ties once.
        example: Inputs for it.

    Returns:
        The description.

    Raises:
        pickle.PicklingError: If code outside of the libraries is part of the network.
        Exception: Whatever attributes of the network raise that cannot be written down.

    Example:
        >>> nets = nn.Conv2d(1, 4, 3), nn.Conv2d(1, 4, 3), nn.Conv2d(1, 4, 3, stride=2)
        >>> one, same, other = (
        ...     architecture(net, dict(net.named_parameters()), Inputs.of(Tensor(1, 1, 8, 8)))
        ...     for net in nets
        ... )
        >>> one == same, one == other
        (True, False)
    """
    text = BytesIO()
    writer = _Describer(text, network, held)
    writer.dump((network, tuple(held), example.described))
    kept = tuple(part for thing in writer.named.values() for part in _parts(thing))
    digest = sha256(text.getvalue())
    digest.update(repr([id(part) for part in kept]).encode())
    return Architecture(digest.digest(), ref(network), example, kept)


class _Describer(pickle.Pickler):
    """Writes down all that a network is but the numbers in its tensors; nothing reads it back."""

    def __init__(self, file: BytesIO, network: nn.Module, held: dict[str, Tensor]):
        super().__init__(file)
        self.named: dict[int, Any] = {}
        self._tensors = {id(value): name for name, value in network.named_buffers()}
        self._tensors |= {id(value): name for name, value in held.items()}

    def persistent_id(self, thing: Any) -> Any:
        """Return what stands for a tensor, a class or a function; other things are written out."""
        if isinstance(thing, Tensor):
            if id(thing) not in self._tensors:
                raise pickle.PicklingError("a tensor that is no parameter or buffer")
            return self._tensors[id(thing)], tuple(thing.shape), str(thing.dtype)
        if isinstance(thing, NAMED):
            if str(thing.__module__).partition(".")[0] not in LIBRARIES or getattr(
                thing,
                "__closure__",
                None,  # to keep it may be to keep a network
            ):
                raise pickle.PicklingError(f"{thing} may do anything")
            self.named[id(thing)] = thing
            return id(thing)
        return None

    def reducer_override(self, thing: Any) -> Any:
        """Take a bound method apart, which would be written down as its name alone."""
        if isinstance(thing, MethodType):
            return MethodType, (thing.__func__, thing.__self__)
        return NotImplemented


def _parts(thing: Any) -> list[Any]:
    """Return a class or function, its code, and what that names in its module."""
    bases = thing.__mro__ if isinstance(thing, type) else ()
    parts = [thing, *(value for base in bases for value in vars(base).values())]
    for part in [part for part in parts if isinstance(part, FunctionType)]:
        named = (part.__globals__.get(name) for name in part.__code__.co_names)
        parts += [part.__code__, *named]
    return parts
