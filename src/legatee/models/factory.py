"""The user's own networks: factories in modules and files, which are executed to be found."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from hashlib import sha256
from importlib import import_module, invalidate_caches
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from inspect import signature
from pathlib import Path
from re import fullmatch
from types import ModuleType

from torch import nn

from legatee.disk import path_status
from legatee.errors import LegateeError, UnknownNameError, first_line


def names_a_file(name: str) -> bool:
    """Tell whether a name is that of a factory in a Python file.

    Args:
        name: As :func:`legatee.models.build.build` reads it.

    Returns:
        Whether it is of the form ``PATH.py:FACTORY``.

    Example:
        >>> names_a_file("./nets.py:small"), names_a_file("nets:small")
        (True, False)
    """
    return fullmatch(r"(.+\.py):\w+", name) is not None


def find_factory(name: str, num_classes: int) -> Callable[[], nn.Module] | None:
    """Execute the module or file that a name tells, and return its factory, ready to be called.

    Args:
        name: ``MODULE:FACTORY``, of an installed module or one in the working folder, or
            ``PATH.py:FACTORY``.
        num_classes: What the factory is called with [count].

    Returns:
        A function without arguments; ``None`` if there is no such module.

    Raises:
        UnknownNameError: If the module has no such factory.
        LegateeError: If the module or file cannot be executed, or the factory cannot be called
            with ``num_classes``.
    """
    where, _, factory_name = name.rpartition(":")
    module = _file_module(where) if names_a_file(name) else _module(where)
    if module is None:
        return None
    factory = getattr(module, factory_name, None)
    if not callable(factory):
        public = [key for key, value in vars(module).items() if callable(value) and key[0] != "_"]
        raise UnknownNameError(f"factory of {where}", factory_name, public)
    try:
        signature(factory).bind(num_classes=num_classes)
    except TypeError as error:
        raise LegateeError(
            f"cannot call {name!r} as {factory_name}(num_classes={num_classes}): {error}; expected "
            "a function or class that takes num_classes and gives an nn.Module"
        ) from error
    except ValueError:  # a callable whose parameters Python cannot tell
        pass
    return partial(factory, num_classes=num_classes)


@contextmanager
def refusing(what: str) -> Iterator[None]:
    """Turn whatever a user's or another package's code raises into one sentence.

    Args:
        what: The beginning of the sentence.

    Raises:
        LegateeError: If the code raises anything, or asks Python to exit.
        KeyboardInterrupt: If Ctrl-C was pressed.
        GeneratorExit: If Python closes a generator that the block is in.
    """
    try:
        yield
    except (KeyboardInterrupt, GeneratorExit):
        raise
    except SystemExit as error:
        raise LegateeError(
            f"{what}: its code ends the program (SystemExit {error.code})"
        ) from error
    except BaseException as error:
        raise LegateeError(f"{what}: {first_line(error)}") from error


def _module(name: str) -> ModuleType | None:
    """Import an installed module, or one in the working folder."""
    if "/" in name:
        raise LegateeError(f"{name!r} is no name of a module; for a file write {name}.py:FACTORY")
    with suppress(OSError):  # the working folder may have been deleted
        _also_look_in(Path.cwd())
    try:
        with refusing(f"cannot import {name!r}"):
            return import_module(name)
    except LegateeError as error:
        cause = error.__cause__
        if isinstance(cause, ModuleNotFoundError) and cause.name == name and "." not in name:
            return None
        raise


def _file_module(path: str) -> ModuleType:
    """Execute a Python file as a module, once."""
    file = Path(path).expanduser().absolute()
    status = path_status(file)
    if not status.is_file:
        raise LegateeError(f"no Python file at {path!r}: {status.problem or 'it is not a file'}")
    _also_look_in(file.parent)  # for the modules beside it that it imports
    same = sys.modules.get(file.stem)
    if same is not None and getattr(same, "__file__", None) == str(file):
        return same
    # Under its own name other processes find it, too, for instance the workers of a race.
    free = same is None and _would_be_found(file)
    name = file.stem if free else f"{file.stem}_{sha256(str(file).encode()).hexdigest()[:8]}"
    if name in sys.modules:
        return sys.modules[name]
    spec = spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise LegateeError(f"{path!r} is no Python file")
    module = sys.modules[name] = module_from_spec(spec)
    try:
        with refusing(f"cannot execute {path!r}"):
            spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _would_be_found(file: Path) -> bool:
    """Tell whether importing a file's name would find that file and no other."""
    try:
        spec = find_spec(file.stem)
    except (ImportError, ValueError):
        return False
    return spec is not None and spec.origin == str(file)


def _also_look_in(folder: Path) -> None:
    """Let imports look in a folder after all others, so that it hides no installed module."""
    invalidate_caches()  # the folder may hold files that are newer than the last look
    if str(folder) not in sys.path:
        sys.path.append(str(folder))
