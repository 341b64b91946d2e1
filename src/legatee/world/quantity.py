"""The numbers of a setting: their meaning, their units, and the values they may have."""

from contextlib import suppress
from dataclasses import dataclass
from math import floor, nan
from numbers import Real
from reprlib import Repr
from typing import Any

from legatee.errors import SettingError

COUNTABLE = 10**15  # whole numbers up to here are exact in floating point
_SHORT = Repr()
_SHORT.maxstring = _SHORT.maxother = 100
SMALLEST, LARGEST = 1e-30, 1e30  # other numbers: so that what is computed of them is finite


def brief(value: object) -> str:
    """Return a value for an error message: shortened, however large, long or deeply nested.

    Args:
        value: Anything.

    Returns:
        Its ``repr``, or the beginning and the end of it.

    Example:
        >>> brief(0.5), brief(10**5000)
        ('0.5', 'a very large int')
    """
    try:
        return _SHORT.repr(value)
    except ValueError:  # Python refuses to write out whole numbers of more than 4,300 digits
        return f"a very large {type(value).__name__}"


@dataclass(frozen=True, kw_only=True)
class Quantity:
    """A field of a setting: its meaning, and the values it may have.

    Attributes:
        about: Its meaning in a few words.
        units: Its unit.
        low: Least value.
        high: Greatest value, ``None`` for the largest that can be computed with.
        whole: Whether it must be a whole number.
    """

    about: str
    units: str
    low: float = 0
    high: float | None = None
    whole: bool = False

    @property
    def most(self) -> float:
        """The greatest allowed value."""
        if self.high is not None:
            return self.high
        return COUNTABLE if self.whole else LARGEST

    @property
    def range(self) -> str:
        """The allowed values, in words."""
        kind = "a whole number" if self.whole else "a number"
        return f"{kind} from {self.low:g} to {self.most:g}"

    def check(self, name: str, value: Any) -> Any:
        """Return ``value`` as an ``int`` or a ``float`` if it is in range.

        Args:
            name: The field's name, for the error.
            value: The value; NumPy's numbers are numbers.

        Returns:
            The number.

        Raises:
            SettingError: If it is not a number in range; field, value and range are named.
        """
        number = nan
        if isinstance(value, Real):
            with suppress(OverflowError):  # a whole number beyond all floats
                number = float(value)
        fits = (
            not isinstance(value, bool)
            and self.low <= number <= self.most
            and not (self.whole and number != floor(number))
        )
        if not fits:
            raise SettingError(f"{name} is {brief(value)}; expected {self.range}")
        return int(value) if self.whole else number


TASK = {
    "n": Quantity(about="training samples", units="count", low=1, whole=True),
    "v_norm": Quantity(about="norm of the task-specific signal", units="signal"),
    "sigma_p": Quantity(about="noise level of a patch", units="signal", low=SMALLEST),
}
TRAINING = {
    "m": Quantity(about="filters per sign", units="count", low=1, whole=True),
    "eta": Quantity(about="learning rate", units="1/signal^2", low=SMALLEST),
    "steps": Quantity(about="steps of gradient descent", units="count", low=1, whole=True),
}
QUANTITIES: dict[str, Quantity] = {
    "d": Quantity(
        about="patch dimension; u, v1 and v2 need three", units="count", low=3, whole=True
    ),
    "u_norm": Quantity(about="norm of the universal signal", units="signal"),
    **{f"{task}.{k}": q for task in ("upstream", "downstream") for k, q in TASK.items()},
    "alpha": Quantity(about="inheritance ratio", units="fraction", high=1),
    "sigma_0": Quantity(about="initial scale of the weights", units="1/signal", low=SMALLEST),
    **TRAINING,
    **{f"{task}.{k}": q for task in ("upstream", "downstream") for k, q in TRAINING.items()},
    "noise_signal_correlation": Quantity(
        about="share of its standard deviation that noise keeps along u and v_k",
        units="fraction",
        high=1,
    ),
    "label_noise": Quantity(
        about="chance that a training label is flipped, both tasks", units="fraction", high=0.5
    ),
    "weight_decay": Quantity(about="strength of weight decay", units="signal^2"),
    "l2_sp": Quantity(
        about="strength of the pull towards the initial weights, downstream", units="signal^2"
    ),
    "active_threshold": Quantity(
        about="share of downstream samples a filter must be active on, inherit = active",
        units="fraction",
        high=1,
    ),
}
"""Every number of a setting by its dotted name, in the order of a reader."""
