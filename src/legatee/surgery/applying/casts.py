"""Which values may pass from one tensor into another: rules of types, rules of numbers."""

import cmath
from dataclasses import dataclass

import torch
from torch import Tensor

from legatee.errors import TransferError


@dataclass(frozen=True, kw_only=True)
class Allowed:
    """What a copy may do to values that it would be refused for.

    A type always passes into one that holds all of its values. Fractions never become whole
    numbers, and whole numbers never others.

    Attributes:
        rounding: Whether a floating-point number may pass into a narrower type.
        nonfinite: Whether NaN and infinities may pass, those that a narrower type makes of
            numbers beyond its range too.
    """

    rounding: bool = False
    nonfinite: bool = False


def check_types(given: torch.dtype, wanted: torch.dtype, what: str, allowed: Allowed) -> None:
    """Refuse a copy between types that would lose something; no number is looked at.

    Args:
        given: Type of what would be copied.
        wanted: Type of what it would be copied into.
        what: Names of both, for the message.
        allowed: What it may do all the same.

    Raises:
        TransferError: If the second type does not hold every value of the first.
    """
    fractions = given.is_floating_point and wanted.is_floating_point
    if given == wanted or _holds(wanted, given) or (allowed.rounding and fractions):
        return
    raise TransferError(
        f"cannot copy {what}: {given} into {wanted} would lose range or precision; "
        + ("allow rounding, or convert" if fractions else "convert")
        + " one of them first"
    )


def check_values(written: Tensor, given: Tensor, what: str, allowed: Allowed) -> None:
    """Refuse what was copied where it is no number any more, or not the same whole number.

    Args:
        written: What the copy made of them.
        given: The values that were copied.
        what: Names of both, for the message.
        allowed: What a copy may do.

    Raises:
        TransferError: If a value is NaN or infinite, or a whole number was rounded.
    """
    if not _is_inexact(written):
        return
    if not _is_inexact(given) and not written.to(given.dtype).equal(given):
        raise TransferError(
            f"cannot copy {what}: {written.dtype} does not hold its whole numbers exactly"
        )
    if allowed.nonfinite or is_finite(written):
        return
    if is_finite(given):
        raise TransferError(
            f"cannot copy {what}: some numbers are beyond the range of {written.dtype} and would "
            "become infinite; allow what is not finite, or convert the source first"
        )
    raise TransferError(
        f"cannot copy {what}: it holds NaN or infinite weights; mend the source, or allow what is "
        "not finite"
    )


def is_finite(tensor: Tensor) -> bool:
    """Tell whether no element is NaN or infinite.

    Args:
        tensor: Any tensor.

    Returns:
        Whether all are finite.

    Example:
        >>> is_finite(torch.tensor([1.0, float("nan")])), is_finite(torch.full((3,), 3e38))
        (False, True)
    """
    if not _is_inexact(tensor):
        return True
    total = tensor.sum(dtype=torch.float32 if tensor.itemsize < 4 else None)
    # Infinities and NaN survive a sum, which is ten times as fast as looking at each element; a
    # sum that overflows proves nothing.
    return cmath.isfinite(total.item()) or bool(tensor.isfinite().all())


def _is_inexact(tensor: Tensor) -> bool:
    """Tell whether the tensor's type has fractions, NaN and infinities."""
    return tensor.is_floating_point() or tensor.is_complex()


def _holds(wide: torch.dtype, narrow: torch.dtype) -> bool:
    """Tell whether one type holds every value of another, whole numbers in floats aside."""
    try:
        return torch.promote_types(narrow, wide) == wide
    except RuntimeError:  # PyTorch promotes no 8-bit floats
        return False
