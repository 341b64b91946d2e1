"""Options in the specs of models and data, such as ``depth=8,width=16``."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from legatee.errors import LegateeError, UnknownNameError


@dataclass(frozen=True, kw_only=True)
class Range:
    """The numbers that an option may take.

    Attributes:
        lower: The least.
        upper: The greatest.
        whole: Whether they are whole numbers.
    """

    lower: float = 0
    upper: float
    whole: bool = True

    def __str__(self) -> str:
        """Return the range in words, such as ``"a whole number in 1..9"``."""
        return f"a {'whole ' if self.whole else ''}number in {self.lower:.9g}..{self.upper:.9g}"


def read_options(
    kind: str, text: str, known: Mapping[str, Range | None], refusal: type[LegateeError]
) -> dict[str, Any]:
    """Read ``key=value,key=value``.

    Args:
        kind: Whose options they are, such as ``"digits"``.
        text: The options as written; ``""`` for none.
        known: Each key with the range of its number, ``None`` where the value is text.
        refusal: The error for what cannot be read.

    Returns:
        The values by key: ``int``, ``float`` or text.

    Raises:
        UnknownNameError: If a key is not among the known ones.
        LegateeError: As ``refusal``, if an option is not of that form, occurs twice, or its number
            is outside the range.

    Example:
        >>> ranges = {"n": Range(lower=1, upper=100), "part": None}
        >>> read_options("digits", "n=50,part=train", ranges, LegateeError)
        {'n': 50, 'part': 'train'}
    """
    options: dict[str, Any] = {}
    for part in filter(None, text.split(",")):
        key, _, value = part.partition("=")
        if key not in known:
            raise UnknownNameError(f"{kind} option", key, known)
        if not value or key in options:
            raise refusal(f"{kind}: cannot read {part!r}; give each option once, as key=value")
        allowed = known[key]
        options[key] = value if allowed is None else _number(value, allowed)
        if options[key] is None:
            raise refusal(f"{kind}: cannot use {part}; give {allowed}")
    return options


def _number(text: str, allowed: Range) -> float | None:
    """Return the number that ``text`` writes, or ``None`` if it is not one that is allowed."""
    try:
        number = int(text) if allowed.whole else float(text)
    except ValueError:
        return None
    return number if allowed.lower <= number <= allowed.upper else None
