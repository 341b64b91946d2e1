"""What tells one race from another, so that only the same one is gone on with."""

import re
from collections.abc import Mapping
from dataclasses import is_dataclass
from functools import partial
from hashlib import sha256
from types import FunctionType

import torch
from torch import Tensor

PLAIN = (bool, int, float, str, bytes, tuple, type(None))  # what has one way to be written


def name_of(function: object) -> str:
    """Return how a function or a callable object is told from another.

    Args:
        function: Such as a :class:`TrainingLoop` or a metric.

    Returns:
        Its qualified name with a digest of its code and of the plain values that it captures;
        other values that it captures, such as networks and lists, are not looked into.
    """
    if is_dataclass(function):
        return repr(function)
    if isinstance(function, partial):
        return f"{name_of(function.func)}{function.args}{function.keywords}"
    if isinstance(function, FunctionType):
        code = function.__code__
        captured = [cell.cell_contents for cell in function.__closure__ or ()]
        plain = [value for value in captured if isinstance(value, PLAIN)]
        parts = (code.co_code, code.co_names, code.co_consts, function.__defaults__, plain)
        return f"{function.__module__}.{function.__qualname__} {_digest_text(*parts)}"
    if isinstance(function, type) or not hasattr(function, "__dict__"):
        return f"{getattr(function, '__module__', '')}.{getattr(function, '__qualname__', '')}"
    held = {key: value for key, value in vars(function).items() if isinstance(value, PLAIN)}
    return f"{name_of(type(function))} {_digest_text(held)}"


def digest(tensors: Mapping[str, Tensor]) -> str:
    """Digest tensors with their names, bit for bit.

    Args:
        tensors: Tensors by name.

    Returns:
        Sixteen hexadecimal digits.
    """
    found = sha256()
    for name, value in tensors.items():
        found.update(name.encode())
        found.update(value.detach().cpu().reshape(-1).view(torch.uint8).numpy().tobytes())
    return found.hexdigest()[:16]


def _digest_text(*parts: object) -> str:
    return sha256(re.sub(r" at 0x[0-9a-f]+", "", repr(parts)).encode()).hexdigest()[:8]
