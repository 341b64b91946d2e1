"""Which values may be copied from one tensor into another: rules for types and for values."""

import cmath
from dataclasses import dataclass

import torch
from torch import Tensor

from legatee.errors import TransferError


@dataclass(frozen=True, kw_only=True)
class Allowed:
    """What a copy may do to values that is refused by default.

    A copy into a type that holds every value of the source's type is always allowed. A copy that
    would turn fractions into integers, or change an integer, is never allowed.

    Attributes:
        rounding: Whether floating-point values may be rounded to a narrower type.
        nonfinite: Whether NaN and infinite values may be copied, including values that become
            infinite because they are beyond the range of a narrower type.
    """

    rounding: bool = False
    nonfinite: bool = False


def check_types(source: torch.dtype, target: torch.dtype, what: str, allowed: Allowed) -> None:
    """Refuse a copy between types that could change values; the values are not read.

    Args:
        source: Type of the tensor that would be copied.
        target: Type of the tensor that it would be copied into.
        what: Names of both tensors, for the message.
        allowed: What the copy may do to values.

    Raises:
        TransferError: If the second type does not hold every value of the first.
    """
    fractions = source.is_floating_point and target.is_floating_point
    if source == target or _holds(target, source) or (allowed.rounding and fractions):
        return
    advice = "pass allow_rounding=True (--allow-rounding), or convert" if fractions else "convert"
    raise TransferError(
        f"cannot copy {what}: converting {source} to {target} would lose range or precision; "
        f"{advice} one of the networks first"
    )


def check_values(written: Tensor, source: Tensor, what: str, allowed: Allowed) -> None:
    """Refuse a copy whose values are not finite, or are not the integers that were copied.

    Args:
        written: The values after the copy.
        source: The values that were copied.
        what: Names of both tensors, for the message.
        allowed: What the copy may do to values.

    Raises:
        TransferError: If a value is NaN or infinite, or an integer was rounded.
    """
    if not _is_inexact(written):
        return
    if not _is_inexact(source) and not written.to(source.dtype).equal(source):
        raise TransferError(
            f"cannot copy {what}: {written.dtype} does not hold its integers exactly; convert one "
            "of the networks first"
        )
    if allowed.nonfinite or is_finite(written):
        return
    if is_finite(source):
        raise TransferError(
            f"cannot copy {what}: some values are beyond the range of {written.dtype} and would "
            "become infinite; pass allow_nonfinite=True (--allow-nonfinite), or convert the source "
            "first"
        )
    raise TransferError(
        f"cannot copy {what}: the source has NaN or infinite values there; repair the source, or "
        "pass allow_nonfinite=True (--allow-nonfinite)"
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
    """Tell whether one type holds every value of another, except large integers in floats."""
    try:
        return torch.promote_types(narrow, wide) == wide
    except RuntimeError:  # PyTorch promotes no 8-bit floats
        return False
