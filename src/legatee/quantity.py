"""What the numbers of a setting are: their meaning, their units, and the values they may have."""

from contextlib import suppress
from dataclasses import dataclass
from math import floor, inf, nan
from numbers import Real
from typing import Any

from legatee.errors import InvalidSetting

LARGEST = 10**15  # whole number that arithmetic in floating point counts exactly


@dataclass(frozen=True, kw_only=True)
class Quantity:
    """What one field of a setting is, and which values it may have.

    Attributes:
        about: What it is, in a few words.
        units: What one is one of.
        low: Least value.
        high: Greatest value, ``None`` for any.
        above: Whether ``low`` itself is excluded.
        whole: Whether only whole numbers are meant.
    """

    about: str
    units: str
    low: float = 0
    high: float | None = None
    above: bool = False
    whole: bool = False

    @property
    def most(self) -> float | None:
        """The greatest allowed value, ``None`` if there is none."""
        return LARGEST if self.whole and self.high is None else self.high

    @property
    def range(self) -> str:
        """The allowed values, in words."""
        kind = "a whole number" if self.whole else "a finite number"
        if (most := self.most) is not None:
            return f"{kind} from {self.low:g} to {most:g}"
        return f"{kind} {'above' if self.above else 'not below'} {self.low:g}"

    def check(self, name: str, value: Any) -> Any:
        """Return ``value`` as an ``int`` or a ``float`` if it is in range.

        Args:
            name: The field's name, for the error.
            value: What was given; NumPy's numbers are numbers.

        Returns:
            The number.

        Raises:
            InvalidSetting: If it is not a number in range; field, value and range are named.
        """
        number = nan
        if isinstance(value, Real):
            with suppress(OverflowError):  # a whole number beyond all floats
                number = float(value)
        fits = (
            not isinstance(value, bool)
            and self.low <= number < inf
            and not (self.above and number == self.low)
            and not (self.most is not None and number > self.most)
            and not (self.whole and number != floor(number))
        )
        if not fits:
            raise InvalidSetting(f"{name} is {value!r}; expected {self.range}")
        return int(value) if self.whole else number


TASK = {
    "n": Quantity(about="training samples", units="count", low=1, whole=True),
    "v_norm": Quantity(about="norm of the task-specific signal", units="signal"),
    "sigma_p": Quantity(about="noise level of a patch", units="signal", above=True),
}
TRAINING = {
    "m": Quantity(about="filters per sign", units="count", low=1, whole=True),
    "eta": Quantity(about="learning rate", units="1/signal^2", above=True),
    "steps": Quantity(about="steps of gradient descent", units="count", low=1, whole=True),
}
QUANTITIES: dict[str, Quantity] = {
    "d": Quantity(
        about="patch dimension; u, v1 and v2 need three", units="count", low=3, whole=True
    ),
    "u_norm": Quantity(about="norm of the universal signal", units="signal"),
    **{f"{task}.{k}": q for task in ("upstream", "downstream") for k, q in TASK.items()},
    "alpha": Quantity(about="inheritance ratio", units="fraction", high=1),
    "sigma_0": Quantity(about="initial scale of the weights", units="1/signal", above=True),
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
    "weight_decay": Quantity(about="pull of the weights towards 0", units="signal^2"),
    "l2_sp": Quantity(
        about="pull of the weights towards their start, downstream", units="signal^2"
    ),
    "active_threshold": Quantity(
        about="share of downstream samples a filter must be active on, inherit = active",
        units="fraction",
        high=1,
    ),
}
"""Every number of a setting by its dotted name, in the order of a reader."""
