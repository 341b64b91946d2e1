"""Named axes laid over a setting: every combination of their values is a setting."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from math import prod

from legatee.errors import InvalidSetting, UnknownName
from legatee.quantity import QUANTITIES
from legatee.setting import FIELDS, Setting, Value, fields

AGREEING = ("alpha", "m", "upstream.m", "downstream.m")  # no more inherited than there are


@dataclass(frozen=True, kw_only=True)
class Grid:
    """Settings that differ from one another along named axes.

    Iterating yields them with the last axis running fastest. Values, and combinations that must
    agree, are checked when the grid is made, without making every setting.

    Attributes:
        base: What all of them have in common.
        axes: For each axis, a field by its dotted name, its values in order.

    Raises:
        InvalidSetting: If there is no axis, an axis has no value or the same one twice, or a
            value is out of range.
        UnknownName: If an axis is no field of a setting.

    Example:
        >>> from legatee.setting import EXAMPLE
        >>> grid = Grid(base=EXAMPLE, axes={"upstream.n": [10, 20], "alpha": [0, 0.5, 1]})
        >>> grid.shape, len(grid), [setting.alpha for setting in grid][:4]
        ((2, 3), 6, [0.0, 0.5, 1.0, 0.0])
    """

    base: Setting
    axes: Mapping[str, tuple[Value, ...]]

    def __post_init__(self) -> None:
        if not isinstance(self.base, Setting):
            raise InvalidSetting(f"base is {self.base!r}; expected a Setting")
        if not self.axes:
            raise InvalidSetting("the grid has no axes; give at least one field and its values")
        axes = {name: _values(name, given) for name, given in self.axes.items()}
        object.__setattr__(self, "axes", axes)
        for name, values in axes.items():  # each value with the base ...
            if name not in AGREEING:
                for value in values:
                    self._setting({name: value})
        agreeing = {name: axes[name] for name in AGREEING if name in axes}
        for chosen in product(*agreeing.values()):  # ... and together where they must agree
            self._setting(dict(zip(agreeing, chosen, strict=True)))

    @property
    def shape(self) -> tuple[int, ...]:
        """Values along each axis [count]."""
        return tuple(len(values) for values in self.axes.values())

    def __hash__(self) -> int:
        return hash((self.base, tuple(self.axes.items())))

    def __len__(self) -> int:
        return prod(self.shape)

    def __iter__(self) -> Iterator[Setting]:
        for values in product(*self.axes.values()):
            yield self._setting(dict(zip(self.axes, values, strict=True)))

    def _setting(self, own: Mapping[str, Value]) -> Setting:
        """Return the base setting with some fields of its own."""
        every = {**fields(self.base), **own}
        return Setting.of({name: value for name, value in every.items() if value is not None})


def _values(name: str, given: Iterable[Value]) -> tuple[Value, ...]:
    """Return the values of an axis as plain numbers or words."""
    if name not in FIELDS:
        raise UnknownName("field", str(name), FIELDS)
    if isinstance(given, str | set) or not isinstance(given, Iterable):
        raise InvalidSetting(f"the grid's axis {name} is {given!r}; expected a list of values")
    quantity = QUANTITIES.get(name)
    values = tuple(quantity.check(name, value) if quantity else value for value in given)
    if not values:
        raise InvalidSetting(f"the grid's axis {name} is empty; expected a value or more")
    if len(set(values)) < len(values):
        raise InvalidSetting(f"the grid's axis {name} has a value twice: {list(values)}")
    return values
