"""Named axes that vary fields of a setting: every combination of their values is a setting."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice, product
from math import prod
from typing import Any

from legatee.errors import SettingError, UnknownNameError
from legatee.rounding import inherited_count
from legatee.world.quantity import QUANTITIES, TRAINING, brief
from legatee.world.setting import FIELDS, TASKS, Setting, Value, check_rule, fields

MOST = 10**7  # settings of a grid [count]
COUNTED = ("alpha", "m", "upstream.m", "downstream.m")  # they decide how many are inherited
Values = tuple[Value, ...] | tuple[tuple[Value, ...], ...]


@dataclass(frozen=True, kw_only=True)
class Grid:
    """Settings that differ from one another along named axes.

    Iterating yields them with the last axis running fastest. Values, and whether the upstream
    network has as many filters as are inherited, are checked when the grid is made, without making
    every setting.

    Attributes:
        base: What all of them have in common.
        axes: For each axis, a field by its dotted name, its values in order. Several fields that
            change together are one axis, named after all of them with commas between; each of its
            values holds one for each field, and the first field's tell them apart.

    Raises:
        SettingError: If there is no axis, an axis has no value, the same one twice or no effect, a
            value is out of range, or there are more than ten million settings.
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
            raise SettingError(f"base is {brief(self.base)}; expected a Setting")
        if not self.axes:
            raise SettingError("the grid has no axes; give at least one field and its values")
        if not isinstance(self.axes, Mapping):
            raise SettingError(f"axes is {brief(self.axes)}; expected fields with lists of values")
        axes = {_name(name): _values(_name(name), values) for name, values in self.axes.items()}
        object.__setattr__(self, "axes", axes)
        if (settings := prod(self.shape)) > MOST:
            raise SettingError(
                f"the grid has {' x '.join(map(str, self.shape))} = {settings:,} settings; "
                f"expected {MOST:,} at most"
            )
        self._check_names()
        self._check_filters()

    def _check_names(self) -> None:
        """Refuse two names for one quantity: of two values one would be ignored."""
        named = [field for name in self.axes for field in name.split(",")]
        if twice := [name for name in named if named.count(name) > 1]:
            raise SettingError(f"the grid has {twice[0]} on two axes; expected it on one")
        own = set(named) | {name for name, value in fields(self.base).items() if value is not None}
        for name in TRAINING:
            if name in named and all(f"{task}.{name}" in own for task in TASKS):
                raise SettingError(
                    f"the grid's axis {name} changes nothing, because both tasks have values of "
                    f"their own: upstream.{name} and downstream.{name}"
                )

    def _check_filters(self) -> None:
        """Refuse combinations that would inherit more filters than the upstream network has.

        The condition is monotone in each field, so that of an axis with only one of these fields
        the smallest and the largest value are enough.
        """
        axes = []
        for name, values in self.axes.items():
            names = name.split(",")
            fields_here = [field for field in names if field in COUNTED]
            if len(fields_here) == 1:
                at = names.index(fields_here[0])
                key = (lambda value, at=at: value[at]) if len(names) > 1 else None
                axes.append([(name, pick(values, key=key)) for pick in (min, max)])
            elif fields_here:
                axes.append([(name, value) for value in values])
        for chosen in product(*axes):
            every = {**fields(self.base), **_by_field(chosen)}
            m = {task: every[f"{task}.m"] or every["m"] for task in TASKS}
            if inherited_count(every["alpha"], m["downstream"]) > m["upstream"]:
                self._setting(chosen)  # which is refused, in a sentence of its own

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
        columns_by_field: dict[str, tuple[str, tuple[Value, ...]]] = {}
        for name, values in self.axes.items():
            names = name.split(",")
            columns: Any = zip(*values, strict=True) if len(names) > 1 else [values]
            columns_by_field |= {
                field: (names[0], tuple(column))
                for field, column in zip(names, columns, strict=True)
            }
        return columns_by_field

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
        every = {**fields(self.base), **_by_field(own)}
        return Setting.of({name: value for name, value in every.items() if value is not None})


def _by_field(own: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """Return the values of some axes by field."""
    every: dict[str, Any] = {}
    for name, value in own:
        values = value if isinstance(value, tuple) else (value,)
        every |= dict(zip(name.split(","), values, strict=True))
    return every


def _name(axis: object) -> str:
    """Return an axis' name without spaces, if its fields are known."""
    names = [part.strip() for part in str(axis).split(",")]
    for name in names:
        if name not in FIELDS:
            raise UnknownNameError("field", name, FIELDS)
    return ",".join(names)


def _values(name: str, values: object) -> Values:
    """Return the values of an axis as plain numbers or words."""
    names = name.split(",")
    rows = _rows(name, values, len(names))
    for row in rows:
        if not isinstance(row, list | tuple) or len(row) != len(names):
            raise SettingError(
                f"the grid's axis {name} has a value {brief(row)}; expected one for each of the "
                f"{len(names)} fields"
            )
    checked = [tuple(_value(*pair) for pair in zip(names, row, strict=True)) for row in rows]
    firsts = [row[0] for row in checked]
    if len(set(firsts)) < len(firsts):
        twice = next(value for value in firsts if firsts.count(value) > 1)
        raise SettingError(f"the grid's axis {name} has the value {twice!r} twice")
    return tuple(checked) if len(names) > 1 else tuple(firsts)


def _rows(name: str, values: object, width: int) -> list[Any]:
    """Return the values of an axis, each as a row of one for each field."""
    if isinstance(values, str | set | Mapping) or not isinstance(values, Iterable):
        raise SettingError(f"the grid's axis {name} is {brief(values)}; expected a list of values")
    try:
        rows = list(islice(values, MOST + 1))
    except TypeError as error:  # such as an array without dimensions
        raise SettingError(
            f"the grid's axis {name} is {brief(values)}; expected a list of values"
        ) from error
    if not rows:
        raise SettingError(f"the grid's axis {name} is empty; expected a value or more")
    if len(rows) > MOST:
        raise SettingError(f"the grid's axis {name} has more than {MOST:,} values")
    return rows if width > 1 else [(value,) for value in rows]


def _value(name: str, value: object) -> Value:
    """Return a value as a plain number or word."""
    quantity = QUANTITIES.get(name)
    return quantity.check(name, value) if quantity else check_rule(value)
