"""Two questions with one answer each: is this the same code, and are these the same weights?

A race resumes only if its training function, its metric and its networks are what they were. The
fingerprint of a function covers its compiled code, its default values, everything that it captures
or is bound to, and the functions, classes and values of the caller's own modules that it refers to.
File names and line numbers are left out, so a checkout may move and lines may shift.

Not covered: what code looks up by a computed name (``getattr``, ``importlib``), files that it
reads, environment variables, and edits inside installed packages, which are compared by their
version alone. Compiled code differs between versions of Python.
"""

import sys
import sysconfig
from collections.abc import Iterable, Mapping
from enum import Enum
from functools import cache, partial
from hashlib import sha256
from pathlib import Path
from types import BuiltinFunctionType, CodeType, FunctionType, MethodType, ModuleType
from typing import Any

import numpy as np
import torch
from torch import Tensor

from legatee.errors import LegateeError

DIGITS = 16  # of a code fingerprint, as the digests of documents have [hexadecimal digits]
OWN_PACKAGE = "legatee"  # known by its version, as other installed packages are
PLAIN = (bool, int, float, complex, str, bytes, type(None), type(Ellipsis))


class FingerprintError(LegateeError, TypeError):
    """A value that cannot be compared with one of another process, such as an open file."""


def code_fingerprint(value: object) -> str:
    """Return a text that is equal for equal code with equal data, in any process and folder.

    Args:
        value: A function, a callable object, or any value that one may capture.

    Returns:
        Its name, where it has one, a digest of everything that it depends on, and, where that
        includes the caller's own compiled code, the version of Python.

    Raises:
        FingerprintError: If it depends on something that has no content to compare, such as an
            open file, a generator or a lock; the message says what and where.

    Example:
        >>> def scaled(factor):
        ...     return lambda x: factor * x
        >>> code_fingerprint(scaled(2)) == code_fingerprint(scaled(2))
        True
        >>> code_fingerprint(scaled(2)) == code_fingerprint(scaled(3))
        False
    """
    name = getattr(value, "__qualname__", type(value).__qualname__)
    writer = _Writer()
    digest = writer.digest_of(value, name)[:DIGITS]
    python = f" (Python {sys.version_info[0]}.{sys.version_info[1]})" if writer.compiled else ""
    return f"{name} {digest}{python}"


def weights_fingerprint(tensors: Mapping[str, Tensor]) -> str:
    """Digest names, types, shapes and every bit of a state, whatever file or device it is on.

    Args:
        tensors: Dense tensors by name, in any order.

    Returns:
        Sixty-four hexadecimal digits.

    Example:
        >>> state = {"a": torch.ones(2), "b": torch.zeros(1)}
        >>> weights_fingerprint(state) == weights_fingerprint(dict(reversed(state.items())))
        True
    """
    lines = (f"{name} {_tensor_line(tensors[name])}" for name in tensors)
    return sha256("\n".join(sorted(lines)).encode("utf-8", "surrogatepass")).hexdigest()


def _tensor_line(tensor: Tensor) -> str:
    """Return type, shape and a digest of the bits of a tensor."""
    flat = tensor.detach().cpu().contiguous().reshape(-1)
    bits = sha256(flat.view(torch.uint8).numpy().data if flat.numel() else b"").hexdigest()
    return f"{tensor.dtype} {tuple(tensor.shape)} {bits}"


class _Writer:
    """Digests values recursively; equal copies and shared values give the same digest."""

    def __init__(self) -> None:
        self._open: dict[int, int] = {}  # values whose digest is being computed, by address
        self._digests: dict[int, str] = {}
        self._alive: list[object] = []  # so that no address is used a second time
        self.compiled = False  # whether code of the caller's own was seen

    def digest_of(self, value: object, path: str) -> str:
        """Return the digest of a value that was reached along ``path``."""
        if isinstance(value, PLAIN):
            return _hash(type(value).__name__, repr(value))
        key = id(value)
        if key in self._open:  # it refers to itself
            return _hash("cycle", str(self._open[key]))
        if key not in self._digests:
            self._open[key] = len(self._open)
            self._alive.append(value)
            self._digests[key] = _hash(*self._parts(value, path))
            del self._open[key]
        return self._digests[key]

    def _parts(self, value: Any, path: str) -> Iterable[str]:
        """Return the texts that a value is made of."""
        if isinstance(value, Tensor):
            return (type(value).__name__, _tensor_line(value), str(value.requires_grad))
        if isinstance(value, np.ndarray) and not value.dtype.hasobject:
            return ("array", value.dtype.str, str(value.shape), _hash_bytes(value.tobytes()))
        if type(value) in (tuple, list):
            return (type(value).__name__, *self._each(value, path))
        if type(value) in (set, frozenset):
            return (
                type(value).__name__,
                *sorted(self.digest_of(element, path) for element in value),
            )
        if type(value) is dict:
            return ("dict", *self._items(value.items(), path))
        if isinstance(value, CodeType):
            return self._code(value, path)
        if isinstance(value, ModuleType):
            return ("module", _version_of(value.__name__))
        if isinstance(value, type | FunctionType | BuiltinFunctionType | MethodType | partial):
            return self._callable(value, path)
        return self._object(value, path)

    def _each(self, values: Iterable[object], path: str) -> list[str]:
        """Return the digests of values in their order."""
        return [self.digest_of(value, f"{path}[{n}]") for n, value in enumerate(values)]

    def _items(self, items: Iterable[tuple[object, object]], path: str) -> list[str]:
        """Return the digests of keys and values in their order."""
        return [
            digest
            for key, value in items
            for digest in (self.digest_of(key, path), self.digest_of(value, f"{path}[{key!r}]"))
        ]

    def _callable(self, value: Any, path: str) -> Iterable[str]:
        """Return what a function, class, bound method or partial depends on."""
        if isinstance(value, partial):
            bound = (value.func, value.args, value.keywords)
            return ("partial", *self._each(bound, path))
        owner = getattr(value, "__self__", None)
        if isinstance(value, MethodType) or not isinstance(owner, ModuleType | type(None) | type):
            function = getattr(value, "__func__", value.__name__)
            return ("method", self.digest_of(owner, path), self.digest_of(function, path))
        if isinstance(value, BuiltinFunctionType) or _is_library(value.__module__):
            name = (value.__qualname__, _version_of(value.__module__))
            cells = getattr(value, "__closure__", None) or ()
            return ("library", *name, *self._each(map(_content, cells), path))
        if isinstance(value, type):
            return self._class(value, path)
        return self._function(value, path)

    def _function(self, function: FunctionType, path: str) -> Iterable[str]:
        """Return what a function of the caller's own depends on."""
        code = function.__code__
        cells = [_content(cell) for cell in function.__closure__ or ()]
        defaults = (function.__defaults__, function.__kwdefaults__)
        parts = ["function", self.digest_of(code, path), self.digest_of(defaults, path)]
        for name, content in zip(code.co_freevars, cells, strict=True):
            parts.append(self.digest_of(content, f"{path}, captured variable {name!r}"))
        known = function.__globals__
        for name in sorted(_names_in(code) & known.keys()):
            parts.append(_hash(name, self._global(known[name], code, f"{path}, global {name!r}")))
        return parts

    def _global(self, value: object, code: CodeType, path: str) -> str:
        """Return the digest of a global value; of the caller's modules, what the code names."""
        if not isinstance(value, ModuleType) or _is_library(value.__name__):
            return self.digest_of(value, path)
        names = sorted(_names_in(code) & vars(value).keys())
        return _hash(*self._each((getattr(value, name) for name in names), path))

    def _code(self, code: CodeType, path: str) -> Iterable[str]:
        """Return what compiled code is, without its file, its lines and its docstring."""
        self.compiled = True
        constants = code.co_consts
        if constants and isinstance(constants[0], str) and not _loads_first(code):
            constants = (None, *constants[1:])  # the docstring
        counts = (code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount)
        arguments = code.co_varnames[: sum(counts[::2])]
        names = (arguments, code.co_names, code.co_freevars, code.co_cellvars)
        plain = (code.co_code, counts, code.co_flags, names, code.co_exceptiontable)
        return ("code", repr(plain), *self._each(constants, path))

    def _class(self, owner: type, path: str) -> Iterable[str]:
        """Return what a class of the caller's own is: its bases, and what its body defines."""
        body = [
            (name, value)
            for name, value in sorted(vars(owner).items())
            if not _is_bookkeeping(name, value)
        ]
        bases = [self.digest_of(base, path) for base in owner.__bases__]
        return ("class", owner.__qualname__, *bases, *self._items(body, f"{path}.{owner.__name__}"))

    def _object(self, value: Any, path: str) -> Iterable[str]:
        """Return what any other object is: its class, and its content as pickling would see it."""
        if isinstance(value, Enum):
            return ("member", self.digest_of(type(value), path), value.name)
        if isinstance(value, property | staticmethod | classmethod):
            inner = (getattr(value, name, None) for name in ("fget", "fset", "fdel", "__func__"))
            return (type(value).__name__, *self._each(inner, path))
        if callable(wrapped := getattr(value, "__wrapped__", None)):  # such as by lru_cache
            return ("wrapped", self.digest_of(wrapped, path))
        try:
            reduced = value.__reduce_ex__(4)
        except Exception as error:  # objects refuse in many ways
            raise FingerprintError(
                f"{path} is or holds a {type(value).__name__}, which cannot be compared with that "
                "of an earlier call"
            ) from error
        if isinstance(reduced, str):
            return ("name", type(value).__qualname__, reduced)
        make, arguments, state, elements, entries = (*reduced, None, None, None)[:5]
        return (
            "object",
            *(self.digest_of(part, path) for part in (type(value), make, arguments, state)),
            *self._each(elements or (), path),
            *self._items(entries or (), path),
        )


def _hash(*parts: str) -> str:
    """Digest texts; no two sequences of texts are joined to the same."""
    return _hash_bytes("".join(f"{len(part)}:{part}" for part in parts).encode("utf-8", "replace"))


def _hash_bytes(content: bytes) -> str:
    return sha256(content).hexdigest()


def _content(cell: Any) -> object:
    """Return what a captured variable holds; nothing where it is not assigned yet."""
    try:
        return cell.cell_contents
    except ValueError:
        return None


def _names_in(code: CodeType) -> set[str]:
    """Return the global and attribute names in a function's code and in functions inside it."""
    inner = (constant for constant in code.co_consts if isinstance(constant, CodeType))
    return set(code.co_names).union(*map(_names_in, inner))


def _loads_first(code: CodeType) -> bool:
    """Tell whether the first constant is used by the code, and is thus no docstring."""
    import dis

    return any(step.opcode in dis.hasconst and step.arg == 0 for step in dis.get_instructions(code))


def _is_bookkeeping(name: str, value: object) -> bool:
    """Tell whether an entry of a class is what Python or a decorator keeps there, not its body."""
    special = name.startswith("__") and name.endswith("__")
    code = isinstance(value, FunctionType | classmethod | staticmethod | property)
    return (
        (special and not code) or name == "_abc_impl" or type(value).__name__.endswith("scriptor")
    )


@cache
def _is_library(module: str | None) -> bool:
    """Tell whether a module is part of Python or of an installed package."""
    if module is None:
        return True
    top = module.partition(".")[0]
    if top == OWN_PACKAGE or top in sys.stdlib_module_names:
        return True
    file = getattr(sys.modules.get(module), "__file__", None)
    installed = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
    return file is not None and (
        any(Path(file).is_relative_to(folder) for folder in installed)
        or not {"site-packages", "dist-packages"}.isdisjoint(Path(file).parts)
    )


def _version_of(module: str | None) -> str:
    """Return a module's name with the version of the package that it belongs to."""
    top = (module or "builtins").partition(".")[0]
    return f"{module} {getattr(sys.modules.get(top), '__version__', '')}"
