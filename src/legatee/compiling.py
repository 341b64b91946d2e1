"""Compiling numerical loops, and knowing whether that is still to come."""

from collections.abc import Callable
from typing import Any

import numba


def compiled(**options: Any) -> Callable[[Callable], Any]:
    """Return a decorator that compiles a function when it is first called.

    The machine code is kept on disk for the next process. Where no folder for it can be written,
    as in a read-only installation without a home, each process compiles for itself.

    Args:
        **options: Of ``numba.njit``.

    Returns:
        The decorator.

    Example:
        >>> compiled()(lambda x: x + 1)(2)
        3
    """

    def decorate(function: Callable) -> Any:
        try:
            return numba.njit(cache=True, **options)(function)
        except RuntimeError:  # "no locator available": there is nowhere to keep the machine code
            return numba.njit(**options)(function)

    return decorate


def is_compiled(function: Any) -> bool:
    """Tell whether the machine code of a compiled function is there already.

    Args:
        function: What :func:`compiled` returned.

    Returns:
        Whether this process or, for the same source, an earlier one has compiled it.
    """
    if function.signatures:
        return True
    try:
        return bool(function._cache._cache_file._load_index())  # numba has no public name for it
    except Exception:  # no cache, or another version of numba: say that it takes a while
        return False
