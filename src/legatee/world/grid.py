"""Named axes laid over a setting: every combination of their values is a setting."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from math import prod
from typing import Any

from legatee.errors import SettingError, UnknownNameError
from legatee.world.quantity import QUANTITIES
from legatee.world.setting import FIELDS, Setting, Value, fields

AGREEING = ("alpha", "m", "upstream.m", "downstream.m")  # no more inherited than there are
Values = tuple[Value, ...] | tuple[tuple[Value, ...], ...]


@dataclass(frozen=True, kw_only=True)
class Grid:
    """Settings that differ from one another along named axes.

    Iterating yields them with the last axis running fastest. Values, and combinations that must
    agree, are checked when the grid is made, without making every setting.

    Attributes:
        base: What all of them have in common.
        axes: For each axis, a field by its dotted name, its values in order. Several fields that
            change together are one axis, named after all of them with commas between; each of its
            values holds one for each field, and the first field's tell them apart.

    Raises:
        SettingError: If there is no axis, an axis has no value or the same one twice, or a
            value is out of range.
        UnknownNameError: If an axis is no field of a setting.

    Example:
        >>> from legatee.world.setting import EXAMPLE
        >>> grid = Grid(base=EXAMPLE, axes={"upstream.n": [10, 20], "alpha": [0, 0.5, 1]})
        >>> grid.shape, len(grid), [setting.alpha for setting in grid][:4]
        ((2, 3), 6, [0.0, 0.5, 1.0, 0.0])
        >>> Grid(base=EXAMPLE, axes={"u_norm,downstream.v_norm": [(0, 2), (2, 0)]}).dims
        ('u_norm',)
    """

    base: Setting
    axes: Mapping[str, Values]

    def __post_init__(self) -> None:
        if not isinstance(self.base, Setting):
            raise SettingError(f"base is {self.base!r}; expected a Setting")
        if not self.axes:
            raise SettingError("the grid has no axes; give at least one field and its values")
        axes = {_name(name): _values(_name(name), given) for name, given in self.axes.items()}
        object.__setattr__(self, "axes", axes)
        named = [field for name in axes for field in name.split(",")]
        if twice := [name for name in named if named.count(name) > 1]:
            raise SettingError(f"the grid has {twice[0]} on two axes; expected it on one")
        agrees = {name: bool(set(AGREEING) & set(name.split(","))) for name in axes}
        for name, values in axes.items():  # each value with the base ...
            if not agrees[name]:
                for value in values:
                    self._setting([(name, value)])
        agreeing = [[(name, value) for value in axes[name]] for name in axes if agrees[name]]
        for chosen in product(*agreeing):  # ... and together where they must agree
            self._setting(chosen)

    @property
    def shape(self) -> tuple[int, ...]:
        """Values along each axis [count]."""
        return tuple(len(values) for values in self.axes.values())

    @property
    def dims(self) -> tuple[str, ...]:
        """For each axis its field, the first of several."""
        return tuple(name.split(",")[0] for name in self.axes)

    @property
    def coords(self) -> dict[str, tuple[str, tuple[Value, ...]]]:
        """For each field that changes, the axis it changes along and its values there."""
        found: dict[str, tuple[str, tuple[Value, ...]]] = {}
        for name, values in self.axes.items():
            names = name.split(",")
            columns: Any = zip(*values, strict=True) if len(names) > 1 else [values]
            found |= {f: (names[0], tuple(c)) for f, c in zip(names, columns, strict=True)}
        return found

    def __hash__(self) -> int:
        return hash((self.base, tuple(self.axes.items())))

    def __len__(self) -> int:
        return prod(self.shape)

    def __iter__(self) -> Iterator[Setting]:
        return (self[number] for number in range(len(self)))

    def __getitem__(self, number: int) -> Setting:
        if not 0 <= number < len(self):
            raise IndexError(number)
        own = []
        for name, values in reversed(list(self.axes.items())):  # the last axis runs fastest
            number, at = divmod(number, len(values))
            own.append((name, values[at]))
        return self._setting(own)

    def _setting(self, own: Sequence[tuple[str, object]]) -> Setting:
        """Return the base setting with some fields of its own."""
        every: dict[str, object] = {**fields(self.base)}
        for name, value in own:
            names = name.split(",")
            values = value if isinstance(value, tuple) else (value,)
            every |= dict(zip(names, values, strict=True))
        return Setting.of({name: value for name, value in every.items() if value is not None})


def _name(given: str) -> str:
    """Return an axis' name, without spaces, its fields known."""
    names = [part.strip() for part in str(given).split(",")]
    for name in names:
        if name not in FIELDS:
            raise UnknownNameError("field", name, FIELDS)
    return ",".join(names)


def _values(name: str, given: Iterable[object]) -> Values:
    """Return the values of an axis as plain numbers or words."""
    if isinstance(given, str | set) or not isinstance(given, Iterable):
        raise SettingError(f"the grid's axis {name} is {given!r}; expected a list of values")
    names = name.split(",")
    rows = [value if len(names) > 1 else (value,) for value in given]
    if not rows:
        raise SettingError(f"the grid's axis {name} is empty; expected a value or more")
    for row in rows:
        if not isinstance(row, list | tuple) or len(row) != len(names):
            raise SettingError(
                f"the grid's axis {name} has a value {row!r}; expected one for each of the "
                f"{len(names)} fields"
            )
    checked = [
        tuple(_value(*pair) for pair in zip(names, row, strict=True))  # type: ignore[call-overload]
        for row in rows
    ]
    if len({row[0] for row in checked}) < len(checked):
        raise SettingError(
            f"the grid's axis {name} has a value twice: {[row[0] for row in checked]}"
        )
    return tuple(checked) if len(names) > 1 else tuple(row[0] for row in checked)


def _value(name: str, value: object) -> Value:
    """Return a value as a plain number or word."""
    quantity = QUANTITIES.get(name)
    if quantity:
        return quantity.check(name, value)
    return str(value)
