"""How a setting is typed: a file, fields with values, or both."""

import json
import tomllib
from pathlib import Path
from typing import Annotated, Any

import typer

from legatee.errors import SettingError
from legatee.world.quantity import QUANTITIES
from legatee.world.setting import EXAMPLE, Setting, fields

What = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[FILE] [FIELD=VALUE]...",
        help="A setting: a .toml or .json file, fields such as `upstream.n=400`, or both; what is "
        "not given is the example's. `legatee predict --fields` lists them.",
        show_default=False,
    ),
]


def setting_of(what: list[str]) -> Setting:
    """Make a setting of what was typed.

    Args:
        what: A file, ``FIELD=VALUE`` pairs, or both, which come on top.

    Returns:
        The setting; fields that are not given are the example's.

    Raises:
        SettingError: If the file cannot be read, or a value is out of range.
        UnknownNameError: If there is no such field.
    """
    files = [word for word in what if "=" not in word]
    if len(files) > 1:
        raise SettingError(f"{files[0]!r} and {files[1]!r}: give one file, the rest FIELD=VALUE")
    given = _read(Path(files[0])) if files else {}
    for word in what:
        if "=" in word:
            name, _, text = word.partition("=")
            given[name] = _value(name, text)
    flat = {name: value for name, value in fields(EXAMPLE).items() if value is not None}
    for name, value in given.items():
        if isinstance(value, dict):
            flat |= {f"{name}.{own}": inner for own, inner in value.items()}
        else:
            flat[name] = value
    return Setting.of(flat)


def _read(path: Path) -> dict[str, Any]:
    """Read a file of fields."""
    try:
        text = path.read_text(encoding="utf-8")
        given = json.loads(text) if path.suffix == ".json" else tomllib.loads(text)
    except (OSError, ValueError, RecursionError) as error:
        cause = getattr(error, "strerror", None) or error
        raise SettingError(f"cannot read the setting {str(path)!r}: {cause}") from error
    if not isinstance(given, dict):
        raise SettingError(f"the setting {str(path)!r} is no table of fields")
    return given


def _value(name: str, text: str) -> int | float | str:
    """Read one value: a number where a number is meant."""
    if name not in QUANTITIES:
        return text
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    raise SettingError(f"{name} is {text!r}; expected {QUANTITIES[name].range}")
